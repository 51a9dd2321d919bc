# SPDX-License-Identifier: Apache-2.0
"""Names and addresses that software and hardware must agree on, with one record for each family of processing systems.

`block_design.py` makes the block design from them; the emulated board uses the same addresses.
"""

from __future__ import annotations

from dataclasses import dataclass

from ese_host.boards.board import Board, board_names, load_board
from ese_host.errors import UnsupportedError

LENGTH_BITS = 26
"""Width of the DMA's length register (c_sg_length_width)."""
MAX_TRANSFER_BYTES = (1 << LENGTH_BITS) - 1
"""Most bytes of one DMA transfer."""
STREAM_BITS = 32
"""Width of the streams between DMA and engine."""
BLOCK_BYTES = 0x10000
"""Bytes of the address range of each register block: DMA, engine and interrupt controller."""

SYSTEM = "ese_system"
"""Name of the block design. It becomes the name of a Verilog module, so it must be no keyword, as `design` is."""
DMA_NAME = "axi_dma_0"
DMA_VLNV = "xilinx.com:ip:axi_dma:7.1"
ENGINE_NAME = "ese_0"
ENGINE_VLNV = "xilinx.com:hls:ese:1.0"
INTC_NAME = "axi_intc_0"
INTC_VLNV = "xilinx.com:ip:axi_intc:4.1"


@dataclass(frozen=True)
class Processor:
    """The processing system of one family.

    Attributes:
        modtype: Vivado's short name of the IP core.
        vlnv: vendor, library, name and version of the IP core.
        architecture: architecture of its processors, as `platform.machine()` names it.
        manager: AXI port that reaches the registers.
        memory: AXI port through which the DMA reaches the DDR.
        ddr: Vivado's name of the DDR behind that port.
        address_bits: width of a physical address.
        clock: pin of the clock to the fabric.
        reset: pin of the reset to the fabric.
        interrupt: pin of the interrupt from the fabric.
        interrupt_number: number of that interrupt, as pynq counts.
        port_clocks: clock pins of the two AXI ports.
        dma_base: address of the DMA's registers.
        engine_base: address of the engine's registers.
        intc_base: address of the interrupt controller's registers.
        pll_mhz: frequency of the PLL from which the fabric clocks are divided.
        clock_registers: {address: word after boot} of the PLLs and dividers that pynq's Clocks reads.
        width_registers: {address: word after boot} of the widths of AXI ports that pynq sets.
    """

    modtype: str
    vlnv: str
    architecture: str
    manager: str
    memory: str
    ddr: str
    address_bits: int
    clock: str
    reset: str
    interrupt: str
    interrupt_number: int
    port_clocks: tuple[str, str]
    dma_base: int
    engine_base: int
    intc_base: int
    pll_mhz: int
    clock_registers: dict[int, int]
    width_registers: dict[int, int]

    @property
    def name(self) -> str:
        """Name of the processing system's instance in the block design."""
        return f"{self.modtype}_0"

    def parameters(self, board: Board) -> dict[str, str]:
        """{name: value} of the parameters that are set in addition to the board's preset."""
        if self.modtype == "processing_system7":
            return {
                "PCW_USE_M_AXI_GP0": "1", "PCW_USE_S_AXI_HP0": "1",
                "PCW_S_AXI_HP0_DATA_WIDTH": str(board.memory_port_bits),
                "PCW_USE_FABRIC_INTERRUPT": "1", "PCW_IRQ_F2P_INTR": "1",
                "PCW_EN_CLK0_PORT": "1", "PCW_EN_RST0_PORT": "1",
                "PCW_FPGA0_PERIPHERAL_FREQMHZ": str(board.fabric_clock_mhz),
            }  # fmt: skip
        return {
            "PSU__USE__M_AXI_GP0": "1", "PSU__USE__M_AXI_GP1": "0", "PSU__USE__M_AXI_GP2": "0",
            "PSU__MAXIGP0__DATA_WIDTH": "128",
            "PSU__USE__S_AXI_GP2": "1", "PSU__SAXIGP2__DATA_WIDTH": str(board.memory_port_bits),
            "PSU__USE__IRQ0": "1", "PSU__FPGA_PL0_ENABLE": "1",
            "PSU__CRL_APB__PL0_REF_CTRL__FREQMHZ": str(board.fabric_clock_mhz),
        }  # fmt: skip

    def derived(self, board: Board) -> dict[str, str]:
        """{name: value} that Vivado derives from the parameters and pynq reads: clocks, dividers and port widths."""
        first, second = _divisors(self.pll_mhz, board.fabric_clock_mhz)
        actual = f"{self.pll_mhz / (first * second):.6f}"
        values: dict[str, str] = {}
        for clock in range(4):
            on = "1" if clock == 0 else "0"
            if self.modtype == "processing_system7":
                values |= {
                    f"PCW_FPGA_FCLK{clock}_ENABLE": on, f"PCW_FCLK{clock}_PERIPHERAL_CLKSRC": "IO PLL",
                    f"PCW_FCLK{clock}_PERIPHERAL_DIVISOR0": str(first),
                    f"PCW_FCLK{clock}_PERIPHERAL_DIVISOR1": str(second),
                    f"PCW_ACT_FPGA{clock}_PERIPHERAL_FREQMHZ": actual,
                }  # fmt: skip
            else:
                control = f"PSU__CRL_APB__PL{clock}_REF_CTRL__"
                values |= {
                    f"PSU__FPGA_PL{clock}_ENABLE": on, f"{control}SRCSEL": "IOPLL", f"{control}DIVISOR0": str(first),
                    f"{control}DIVISOR1": str(second), f"{control}ACT_FREQMHZ": actual,
                }  # fmt: skip
        if self.modtype == "processing_system7":
            values["C_S_AXI_HP0_DATA_WIDTH"] = str(board.memory_port_bits)
        else:
            values |= {"C_MAXIGP0_DATA_WIDTH": "128", "C_SAXIGP2_DATA_WIDTH": str(board.memory_port_bits)}
        return {name: value for name, value in values.items() if name not in self.parameters(board)}


def _divisors(pll_mhz: int, clock_mhz: int) -> tuple[int, int]:
    """The two 6-bit dividers with which a PLL comes closest to a fabric clock."""
    pairs = [(first, second) for first in range(1, 64) for second in range(1, first + 1)]
    return min(pairs, key=lambda pair: abs(pll_mhz / (pair[0] * pair[1]) - clock_mhz))


def _registers_at(base: int, words: dict[int, int]) -> dict[int, int]:
    """{address: word} of registers that are given by their offset from a base address."""
    return {base + offset: word for offset, word in words.items()}


ZYNQ_7000 = Processor(
    modtype="processing_system7",
    vlnv="xilinx.com:ip:processing_system7:5.5",
    architecture="armv7l",
    manager="M_AXI_GP0",
    memory="S_AXI_HP0",
    ddr="S_AXI_HP0/HP0_DDR_LOWOCM",
    address_bits=32,
    clock="FCLK_CLK0",
    reset="FCLK_RESET0_N",
    interrupt="IRQ_F2P",
    interrupt_number=61,
    port_clocks=("M_AXI_GP0_ACLK", "S_AXI_HP0_ACLK"),
    dma_base=0x40400000,
    engine_base=0x43C00000,
    intc_base=0x41800000,
    pll_mhz=1000,
    # The PLLs multiply 50 MHz by 26, 21 and 20. Every fabric clock is the IO PLL's 1 GHz divided by 5 and 2.
    clock_registers=_registers_at(
        0xF8000000,
        {0x100: 26 << 12, 0x104: 21 << 12, 0x108: 20 << 12, 0x120: 2 << 8}
        | {offset: 2 << 20 | 5 << 8 for offset in (0x170, 0x180, 0x190, 0x1A0)},
    ),
    width_registers={},
)
ZYNQ_ULTRASCALE = Processor(
    modtype="zynq_ultra_ps_e",
    vlnv="xilinx.com:ip:zynq_ultra_ps_e:3.5",
    architecture="aarch64",
    manager="M_AXI_HPM0_FPD",
    memory="S_AXI_HP0_FPD",
    ddr="SAXIGP2/HP0_DDR_LOW",
    address_bits=40,
    clock="pl_clk0",
    reset="pl_resetn0",
    interrupt="pl_ps_irq0",
    interrupt_number=121,
    port_clocks=("maxihpm0_fpd_aclk", "saxihp0_fpd_aclk"),
    dma_base=0xA0000000,
    engine_base=0xA0010000,
    intc_base=0xA0020000,
    pll_mhz=1500,
    # IOPLL and RPLL give 33.333 MHz * 90 / 2. Every fabric clock is the IO PLL's 1.5 GHz divided by 15 and 1.
    clock_registers=_registers_at(
        0xFF5E0000,
        {0x20: 90 << 8 | 1 << 16, 0x30: 90 << 8 | 1 << 16}
        | {offset: 1 << 24 | 1 << 16 | 15 << 8 for offset in (0xC0, 0xC4, 0xC8, 0xCC)},
    )
    | _registers_at(
        0xFD1A0000, {0x20: 72 << 8 | 1 << 16, 0x2C: 64 << 8 | 1 << 16, 0x38: 71 << 8 | 1 << 16, 0x60: 1 << 8}
    ),
    width_registers={0xFD615000: 0xA00, 0xFD380000: 0x3B0, 0xFD380014: 0x3B0},
)

PROCESSORS = {name: ZYNQ_7000 if load_board(name).family == "zynq-7000" else ZYNQ_ULTRASCALE for name in board_names()}
"""{board: its processing system} of every known board."""


def processor_of(board: str) -> Processor:
    """The processing system of a board.

    Raises:
        UnsupportedError: if the board is not known.
    """
    if board not in PROCESSORS:
        raise UnsupportedError(f"board is {board!r}; known boards: {', '.join(PROCESSORS)}: choose one of them")
    return PROCESSORS[board]
