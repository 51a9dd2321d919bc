"""The block design around the engine: one place for what Vivado's Tcl, the .hwh and the emulated board must agree on.

A processing system, an AXI DMA in simple mode and the engine; both streams 32 bits wide. Nothing else addresses the
engine, so these few numbers are the whole contract between software and fabric.
"""

from __future__ import annotations

from dataclasses import dataclass

from ese_host.errors import UnsupportedError

LENGTH_BITS = 26
"""Width of the DMA's length register (c_sg_length_width): a transfer has at most 2**26 - 1 bytes."""
MAX_TRANSFER_BYTES = (1 << LENGTH_BITS) - 1
STREAM_BITS = 32
BLOCK_BYTES = 0x10000
"""Address range of the DMA's and of the engine's registers."""

DMA_NAME = "axi_dma_0"
DMA_VLNV = "xilinx.com:ip:axi_dma:7.1"
ENGINE_NAME = "ese_0"
ENGINE_VLNV = "xilinx.com:hls:ese:1.0"

REGISTERS = {
    "CTRL": (0x00, "read-write", "start (bit 0), auto-restart (bit 7)"),
    "design_id": (0x10, "read-only", "design id"),
    "image_id": (0x20, "read-only", "image id loaded"),
    "cycles_low": (0x30, "read-only", "cycles of the last packet, low word"),
    "cycles_high": (0x40, "read-only", "cycles of the last packet, high word"),
    "error": (0x50, "read-only", "error code of the last packet"),
}
"""Name: (byte offset, access, description) of the engine's registers (docs/packets.md)."""
START = 0x81
"""Written once to CTRL: start, and restart after each packet."""


@dataclass(frozen=True)
class Processor:
    """One family's processing system.

    Attributes:
        modtype: Vivado's IP name. vlnv: its full name. architecture: what `platform.machine()` says there.
        manager: the AXI port that reaches the registers. memory: the port through which the DMA reaches the DDR.
        address_bits: width of a physical address.
        dma_base, engine_base: addresses of the register blocks.
        clock_registers: {address: word} after boot, the PLLs and dividers that pynq's Clocks reads.
    """

    modtype: str
    vlnv: str
    architecture: str
    manager: str
    memory: str
    address_bits: int
    dma_base: int
    engine_base: int
    clock_registers: dict[int, int]


def _pll(base: int, words: dict[int, int]) -> dict[int, int]:
    return {base + offset: word for offset, word in words.items()}


ZYNQ_7000 = Processor(
    modtype="processing_system7",
    vlnv="xilinx.com:ip:processing_system7:5.5",
    architecture="armv7l",
    manager="M_AXI_GP0",
    memory="S_AXI_HP0",
    address_bits=32,
    dma_base=0x40400000,
    engine_base=0x43C00000,
    # 50 MHz times 26, 21 and 20; every fabric clock is the IO PLL's 1 GHz over 5 and 2.
    clock_registers=_pll(
        0xF8000000,
        {0x100: 26 << 12, 0x104: 21 << 12, 0x108: 20 << 12, 0x120: 2 << 8}
        | {offset: 2 << 20 | 5 << 8 for offset in (0x170, 0x180, 0x190, 0x1A0)},
    ),
)
ZYNQ_ULTRASCALE = Processor(
    modtype="zynq_ultra_ps_e",
    vlnv="xilinx.com:ip:zynq_ultra_ps_e:3.5",
    architecture="aarch64",
    manager="M_AXI_HPM0_FPD",
    memory="S_AXI_HP0_FPD",
    address_bits=40,
    dma_base=0xA0000000,
    engine_base=0xA0010000,
    # 33.333 MHz times 90 over 2 from the IO and RP PLLs; every fabric clock is 1.5 GHz over 15 and 1.
    clock_registers=_pll(
        0xFF5E0000,
        {0x20: 90 << 8 | 1 << 16, 0x30: 90 << 8 | 1 << 16}
        | {offset: 1 << 24 | 1 << 16 | 15 << 8 for offset in (0xC0, 0xC4, 0xC8, 0xCC)},
    )
    | _pll(0xFD1A0000, {0x20: 72 << 8 | 1 << 16, 0x2C: 64 << 8 | 1 << 16, 0x38: 71 << 8 | 1 << 16, 0x60: 1 << 8}),
)

PROCESSORS = {
    "pynq-z1": ZYNQ_7000,
    "pynq-z2": ZYNQ_7000,
    "ultra96-v2": ZYNQ_ULTRASCALE,
    "zcu104": ZYNQ_ULTRASCALE,
    "kv260": ZYNQ_ULTRASCALE,
}
"""Processing system of each board that the project knows."""


def processor_of(board: str) -> Processor:
    """The processing system of a board.

    Raises:
        UnsupportedError: the board is not known.
    """
    if board not in PROCESSORS:
        raise UnsupportedError(f"board is {board!r}; known boards are {', '.join(PROCESSORS)}")
    return PROCESSORS[board]
