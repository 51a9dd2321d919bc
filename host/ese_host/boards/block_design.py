# SPDX-License-Identifier: Apache-2.0
"""The block design around the engine as data: cells, parameters, connections and addresses.

It has a processing system, clock wizard and reset, interconnects, an AXI DMA in simple mode, the engine and an
interrupt controller. Both the Vivado Tcl that builds a bitstream (ese_hls) and the .hwh of an emulated bitstream are
made from `describe`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from ese_host.boards import processor as bd
from ese_host.boards.board import Board
from ese_host.boards.processor import Processor

CLOCKS, RESET = "clk_wiz_0", "proc_sys_reset_0"
CONTROL, MEMORY = "axi_control", "axi_memory"
CONCAT = "xlconcat_0"
MIB = 1 << 20
LOW_DDR_MIB = 2048
"""MiB of DDR that an UltraScale+ has below the address 4 GiB; the rest starts at `HIGH_DDR`."""
HIGH_DDR = 0x800000000
"""Address, at 32 GiB, where the rest of an UltraScale+'s DDR starts."""

NetKind = Literal["clk", "rst", "INTERRUPT", "undef"]


@dataclass(frozen=True)
class Cell:
    """One IP core.

    Attributes:
        name: name of the instance.
        vlnv: vendor, library, name and version of the IP core.
        parameters: {name: value} that the Tcl sets as CONFIG.<name>.
        derived: {name: value} that Vivado derives from them and pynq reads from the .hwh.
    """

    name: str
    vlnv: str
    parameters: dict[str, str] = field(default_factory=dict)
    derived: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Pin:
    """A pin or interface pin of a cell."""

    cell: str
    name: str

    def __str__(self) -> str:
        return f"{self.cell}/{self.name}"


@dataclass(frozen=True)
class Bus:
    """A connection of two interfaces.

    Attributes:
        initiator: interface that starts transfers.
        target: interface that answers them.
        stream: whether the connection is AXI4-Stream, instead of AXI4 or AXI4-Lite.
    """

    initiator: Pin
    target: Pin
    stream: bool = False


@dataclass(frozen=True)
class Net:
    """A wire from one driver to its sinks.

    Attributes:
        driver: pin that drives the wire.
        sinks: pins that the wire leads to.
        kind: Vivado's kind of signal: clock, reset, interrupt or undefined.
        width: width in bits.
    """

    driver: Pin
    sinks: tuple[Pin, ...]
    kind: NetKind = "undef"
    width: int = 1


@dataclass(frozen=True)
class Segment:
    """A range of addresses in an address space.

    Attributes:
        master: interface that issues addresses.
        space: Vivado's name of the master's address space.
        slave: interface that answers.
        block: Vivado's name of the segment at the slave.
        base: first address.
        size: bytes of the range.
        memory: whether the range is DDR, instead of registers.
        path: the interface in Vivado's name of the segment, if that is not `slave`.
    """

    master: Pin
    space: str
    slave: Pin
    block: str
    base: int
    size: int
    memory: bool = False
    path: str = ""

    @property
    def segment(self) -> str:
        """Vivado's full name of the segment."""
        return f"{self.path or self.slave}/{self.block}"


@dataclass(frozen=True)
class BlockDesign:
    """A complete block design.

    Attributes:
        processor: the processing system.
        cells: all IP cores.
        buses: connections of interfaces.
        nets: connections of single pins.
        segments: the address map.
    """

    processor: Processor
    cells: tuple[Cell, ...]
    buses: tuple[Bus, ...]
    nets: tuple[Net, ...]
    segments: tuple[Segment, ...]


def describe(board: Board, clock_mhz: float) -> BlockDesign:
    """The block design for one board; `clock_mhz` is the engine's clock."""
    processor = bd.PROCESSORS[board.name]
    return BlockDesign(
        processor, _cells(board, processor, clock_mhz), _buses(processor), _nets(processor), _segments(board, processor)
    )


def _cells(board: Board, processor: Processor, clock_mhz: float) -> tuple[Cell, ...]:
    dma = {
        "c_include_sg": "0", "c_sg_include_stscntrl_strm": "0", "c_micro_dma": "0",
        "c_sg_length_width": str(bd.LENGTH_BITS), "c_addr_width": str(processor.address_bits),
    }  # fmt: skip
    for way in ("mm2s", "s2mm"):
        dma |= {
            f"c_include_{way}": "1", f"c_include_{way}_dre": "0", f"c_{way}_burst_size": "16",
            f"c_m_axi_{way}_data_width": str(board.dma_memory_bits),
        }  # fmt: skip
    dma["c_m_axis_mm2s_tdata_width"] = str(bd.STREAM_BITS)
    # Vivado's .hwh has each of these parameters in upper case too.
    upper_case = {name.upper(): value for name, value in dma.items()}
    widths = {"c_s_axis_s2mm_tdata_width": str(bd.STREAM_BITS), "C_S_AXIS_S2MM_TDATA_WIDTH": str(bd.STREAM_BITS)}
    clocks = {
        "PRIM_SOURCE": "Global_buffer", "PRIM_IN_FREQ": f"{board.fabric_clock_mhz:.3f}",
        "CLKOUT1_REQUESTED_OUT_FREQ": f"{clock_mhz:.3f}", "USE_LOCKED": "true",
        "USE_RESET": "true", "RESET_TYPE": "ACTIVE_LOW", "RESET_PORT": "resetn",
    }  # fmt: skip
    return (
        Cell(processor.name, processor.vlnv, processor.parameters(board), processor.derived(board)),
        Cell(CLOCKS, "xilinx.com:ip:clk_wiz:6.0", clocks),
        Cell(RESET, "xilinx.com:ip:proc_sys_reset:5.0"),
        Cell(CONTROL, "xilinx.com:ip:smartconnect:1.0", {"NUM_SI": "1", "NUM_MI": "3", "NUM_CLKS": "1"}),
        Cell(MEMORY, "xilinx.com:ip:smartconnect:1.0", {"NUM_SI": "2", "NUM_MI": "1", "NUM_CLKS": "1"}),
        Cell(bd.DMA_NAME, bd.DMA_VLNV, dma, upper_case | widths),
        Cell(bd.ENGINE_NAME, bd.ENGINE_VLNV, {}, {"C_S_AXI_CONTROL_DATA_WIDTH": "32"}),
        Cell(CONCAT, "xilinx.com:ip:xlconcat:2.1", {"NUM_PORTS": "2"}),
        Cell(bd.INTC_NAME, bd.INTC_VLNV, {"C_IRQ_CONNECTION": "1"}, {"C_NUM_INTR_INPUTS": "2"}),
    )


def _buses(processor: Processor) -> tuple[Bus, ...]:
    ps, dma, engine = processor.name, bd.DMA_NAME, bd.ENGINE_NAME
    return (
        Bus(Pin(ps, processor.manager), Pin(CONTROL, "S00_AXI")),
        Bus(Pin(CONTROL, "M00_AXI"), Pin(dma, "S_AXI_LITE")),
        Bus(Pin(CONTROL, "M01_AXI"), Pin(engine, "s_axi_control")),
        Bus(Pin(CONTROL, "M02_AXI"), Pin(bd.INTC_NAME, "s_axi")),
        Bus(Pin(dma, "M_AXI_MM2S"), Pin(MEMORY, "S00_AXI")),
        Bus(Pin(dma, "M_AXI_S2MM"), Pin(MEMORY, "S01_AXI")),
        Bus(Pin(MEMORY, "M00_AXI"), Pin(ps, processor.memory)),
        Bus(Pin(dma, "M_AXIS_MM2S"), Pin(engine, "in_r"), stream=True),
        Bus(Pin(engine, "out_r"), Pin(dma, "S_AXIS_S2MM"), stream=True),
    )


def _nets(processor: Processor) -> tuple[Net, ...]:
    ps, dma, engine, intc = processor.name, bd.DMA_NAME, bd.ENGINE_NAME, bd.INTC_NAME
    clocked = (
        *(Pin(ps, name) for name in processor.port_clocks),
        Pin(RESET, "slowest_sync_clk"), Pin(CONTROL, "aclk"), Pin(MEMORY, "aclk"),
        *(Pin(dma, name) for name in ("s_axi_lite_aclk", "m_axi_mm2s_aclk", "m_axi_s2mm_aclk")),
        Pin(engine, "ap_clk"), Pin(intc, "s_axi_aclk"),
    )  # fmt: skip
    resets = (Pin(dma, "axi_resetn"), Pin(engine, "ap_rst_n"), Pin(intc, "s_axi_aresetn"))
    return (
        Net(Pin(ps, processor.clock), (Pin(CLOCKS, "clk_in1"),), "clk"),
        Net(Pin(CLOCKS, "clk_out1"), clocked, "clk"),
        Net(Pin(ps, processor.reset), (Pin(CLOCKS, "resetn"), Pin(RESET, "ext_reset_in")), "rst"),
        Net(Pin(CLOCKS, "locked"), (Pin(RESET, "dcm_locked"),)),
        Net(Pin(RESET, "interconnect_aresetn"), (Pin(CONTROL, "aresetn"), Pin(MEMORY, "aresetn")), "rst"),
        Net(Pin(RESET, "peripheral_aresetn"), resets, "rst"),
        Net(Pin(dma, "mm2s_introut"), (Pin(CONCAT, "In0"),), "INTERRUPT"),
        Net(Pin(dma, "s2mm_introut"), (Pin(CONCAT, "In1"),), "INTERRUPT"),
        Net(Pin(CONCAT, "dout"), (Pin(intc, "intr"),), "INTERRUPT", width=2),
        Net(Pin(intc, "irq"), (Pin(ps, processor.interrupt),), "INTERRUPT"),
    )


def _segments(board: Board, processor: Processor) -> tuple[Segment, ...]:
    ps, manager = processor.name, Pin(processor.name, processor.manager)
    registers = (
        (Pin(bd.DMA_NAME, "S_AXI_LITE"), processor.dma_base),
        (Pin(bd.ENGINE_NAME, "s_axi_control"), processor.engine_base),
        (Pin(bd.INTC_NAME, "s_axi"), processor.intc_base),
    )
    segments = [Segment(manager, f"{ps}/Data", pin, "Reg", base, bd.BLOCK_BYTES) for pin, base in registers]
    low = min(board.ddr_mib, LOW_DDR_MIB)
    blocks = [(processor.ddr, 0, low * MIB)]
    if board.ddr_mib > low:
        blocks.append((processor.ddr.replace("LOW", "HIGH"), HIGH_DDR, (board.ddr_mib - low) * MIB))
    for way in ("MM2S", "S2MM"):
        for name, base, size in blocks:
            master = Pin(bd.DMA_NAME, f"M_AXI_{way}")
            slave = Pin(ps, processor.memory)
            path, _, block = name.rpartition("/")
            space = f"{bd.DMA_NAME}/Data_{way}"
            segments.append(Segment(master, space, slave, block, base, size, memory=True, path=f"{ps}/{path}"))
    return tuple(segments)
