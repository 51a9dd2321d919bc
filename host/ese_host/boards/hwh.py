"""The hardware handoff (.hwh) that pynq reads beside a bitstream, for the block design of `block_design.py`."""

from __future__ import annotations

from dataclasses import dataclass
from xml.etree import ElementTree

from ese_host.boards import processor
from ese_host.boards.block_design import BlockDesign, Bus, Cell, Pin, Segment, describe
from ese_host.boards.board import load_board
from ese_host.errors import FormatError, MismatchError
from ese_host.files import templates
from ese_host.image import Design
from ese_host.protocol import REGISTERS

VIVADO = "2022.2"
"""The version whose .hwh this is like."""
SIGNALS = {
    "TDATA": processor.STREAM_BITS,
    "TKEEP": processor.STREAM_BITS // 8,
    "TLAST": 1,
    "TVALID": 1,
    "TREADY": 1,
}
"""Signals of a stream and their widths; TREADY goes against the stream."""
PREFIXES = {"M_AXIS_MM2S": "m_axis_mm2s_", "S_AXIS_S2MM": "s_axis_s2mm_", "in_r": "in_r_", "out_r": "out_r_"}
LOWER_CASE = ("M_AXIS_MM2S", "S_AXIS_S2MM")


@dataclass(frozen=True)
class ModulePort:
    """A pin of a module, and the pins at the other end of its wire."""

    name: str
    output: bool
    width: int
    kind: str
    signal: str
    others: tuple[Pin, ...]


@dataclass(frozen=True)
class Interface:
    """A bus interface of a module; `portmap` has the physical names of a stream's signals."""

    name: str
    type: str
    protocol: str
    bus: str
    portmap: dict[str, str]


@dataclass(frozen=True)
class Module:
    """All that the .hwh says of one cell."""

    cell: Cell
    ports: tuple[ModulePort, ...]
    interfaces: tuple[Interface, ...]
    segments: tuple[Segment, ...]

    @property
    def modtype(self) -> str:
        """The IP core's name."""
        return self.cell.vlnv.split(":")[2]

    @property
    def version(self) -> str:
        """The IP core's version."""
        return self.cell.vlnv.split(":")[3]


def render(board: str, design: Design) -> str:
    """The text of design.hwh for one board.

    Raises:
        UnsupportedError: the board is not known.
    """
    blocks = describe(load_board(board), design.clock_mhz)
    modules = [_module(cell, blocks) for cell in blocks.cells]
    return (
        templates("ese_host.boards")
        .get_template("design.hwh")
        .render(
            bd=processor,
            modules=modules,
            registers=REGISTERS,
            family="zynq" if blocks.processor is processor.ZYNQ_7000 else "zynquplus",
            vivado=VIVADO,
        )
    )


def _module(cell: Cell, blocks: BlockDesign) -> Module:
    ports, interfaces = [], []
    for net in blocks.nets:
        signal = f"{net.driver.cell}_{net.driver.name}"
        if net.driver.cell == cell.name:
            ports.append(ModulePort(net.driver.name, True, net.width, net.kind, signal, net.sinks))
        for sink in net.sinks:
            if sink.cell == cell.name:
                ports.append(ModulePort(sink.name, False, net.width, net.kind, signal, (net.driver,)))
    for bus in blocks.buses:
        for end in (bus.initiator, bus.target):
            if end.cell == cell.name:
                interfaces.append(_interface(bus, end))
                if bus.stream:
                    ports.extend(_stream_ports(bus, end))
    segments = tuple(segment for segment in blocks.segments if segment.master.cell == cell.name)
    return Module(cell, tuple(ports), tuple(interfaces), segments)


def _interface(bus: Bus, end: Pin) -> Interface:
    name = f"{bus.initiator.cell}_{bus.initiator.name}"
    kinds = ("INITIATOR", "TARGET") if bus.stream else ("MASTER", "SLAVE")
    portmap = {signal: _physical(end, signal) for signal in SIGNALS} if bus.stream else {}
    return Interface(end.name, kinds[end is bus.target], "axis" if bus.stream else "aximm", name, portmap)


def _physical(end: Pin, signal: str) -> str:
    return PREFIXES[end.name] + (signal.lower() if end.name in LOWER_CASE else signal)


def _stream_ports(bus: Bus, end: Pin) -> list[ModulePort]:
    other = bus.target if end is bus.initiator else bus.initiator
    ports = []
    for signal, width in SIGNALS.items():
        output = (end is bus.initiator) != (signal == "TREADY")
        driver = bus.target if signal == "TREADY" else bus.initiator
        wire = f"{driver.cell}_{_physical(driver, signal)}"
        ports.append(
            ModulePort(
                _physical(end, signal), output, width, "undef", wire, (Pin(other.cell, _physical(other, signal)),)
            )
        )
    return ports


def check(text: str, board: str, design: Design) -> None:
    """Refuse the .hwh of another block design than ours: registers elsewhere, a DMA unknown to pynq, short lengths.

    Raises:
        FormatError: it is no .hwh. MismatchError: it describes another block design.
    """
    blocks = describe(load_board(board), design.clock_mhz)
    try:
        root = ElementTree.fromstring(text)  # noqa: S314 - a file that Vivado has just written here
    except ElementTree.ParseError as error:
        raise FormatError(f"the .hwh is no XML ({error}); run Vivado again") from error
    found = {(item.get("INSTANCE"), item.get("BASEVALUE"), item.get("HIGHVALUE")) for item in root.iter("MEMRANGE")}
    for segment in blocks.segments:
        if not segment.memory:
            range_ = (segment.slave.cell, f"0x{segment.base:08X}", f"0x{segment.base + segment.size - 1:08X}")
            if range_ not in found:
                raise MismatchError(f"the .hwh lacks {range_}; found {sorted(map(str, found))}: emit the project again")
    dma = root.find(f".//MODULE[@INSTANCE='{processor.DMA_NAME}']")
    vlnv = None if dma is None else dma.get("VLNV")
    if dma is None or vlnv != processor.DMA_VLNV:
        raise MismatchError(
            f"the .hwh's DMA is {vlnv}; pynq's driver is for {processor.DMA_VLNV}: use a Vivado that has this one"
        )
    length = dma.find("PARAMETERS/*[@NAME='c_sg_length_width']")
    if length is None or length.get("VALUE") != str(processor.LENGTH_BITS):
        bits = None if length is None else length.get("VALUE")
        raise MismatchError(
            f"the .hwh's DMA counts lengths in {bits} bits; {processor.LENGTH_BITS} are expected: emit it again"
        )
