"""The hardware handoff file (.hwh) that pynq reads beside a bitstream, for the block design of `block_design.py`.

`render` writes it for an emulated bitstream; `check` refuses one that Vivado wrote for another block design.
"""

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
"""The Vivado version whose .hwh format is written."""
SIGNALS = {
    "TDATA": processor.STREAM_BITS,
    "TKEEP": processor.STREAM_BITS // 8,
    "TLAST": 1,
    "TVALID": 1,
    "TREADY": 1,
}
"""{signal of a stream: width in bits}; TREADY is driven by the target."""
PREFIXES = {"M_AXIS_MM2S": "m_axis_mm2s_", "S_AXIS_S2MM": "s_axis_s2mm_", "in_r": "in_r_", "out_r": "out_r_"}
"""{stream interface: prefix of its physical signals}."""
LOWER_CASE = ("M_AXIS_MM2S", "S_AXIS_S2MM")
"""Stream interfaces whose physical signals are in lower case."""


@dataclass(frozen=True)
class ModulePort:
    """A pin of a module, and the pins at the other end of its wire.

    Attributes:
        name: name of the pin.
        output: whether the module drives the pin.
        width: width in bits.
        kind: Vivado's kind of signal.
        signal: name of the wire.
        others: pins at the other end.
    """

    name: str
    output: bool
    width: int
    kind: str
    signal: str
    others: tuple[Pin, ...]


@dataclass(frozen=True)
class Interface:
    """A bus interface of a module.

    Attributes:
        name: name of the interface.
        type: INITIATOR or TARGET of a stream, otherwise MASTER or SLAVE.
        protocol: axis for a stream, otherwise aximm.
        bus: name of the connection.
        portmap: {signal: its physical name} of a stream; empty otherwise.
    """

    name: str
    type: str
    protocol: str
    bus: str
    portmap: dict[str, str]


@dataclass(frozen=True)
class Module:
    """One cell as the .hwh describes it.

    Attributes:
        cell: the cell.
        ports: its pins.
        interfaces: its bus interfaces.
        segments: the address ranges that it can reach as a master.
    """

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
    """Make the text of design.hwh for one board.

    Raises:
        UnsupportedError: if the board is not known.
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
    """Physical name of a stream's signal at one of its ends."""
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
    """Refuse a .hwh whose register addresses, DMA version or width of DMA lengths are not those of our block design.

    Args:
        text: contents of the .hwh.
        board: name of the board that it must be for.
        design: the engine in the block design.

    Raises:
        FormatError: if the text is no XML.
        MismatchError: if it describes another block design.
        UnsupportedError: if the board is not known.
    """
    blocks = describe(load_board(board), design.clock_mhz)
    try:
        root = ElementTree.fromstring(text)  # noqa: S314 - a file that Vivado has just written here
    except ElementTree.ParseError as error:
        raise FormatError(f"the .hwh is no XML ({error}); run Vivado again") from error
    ranges = {(item.get("INSTANCE"), item.get("BASEVALUE"), item.get("HIGHVALUE")) for item in root.iter("MEMRANGE")}
    for segment in blocks.segments:
        if not segment.memory:
            expected = (segment.slave.cell, f"0x{segment.base:08X}", f"0x{segment.base + segment.size - 1:08X}")
            if expected not in ranges:
                raise MismatchError(
                    f"the .hwh lacks the address range {expected}; found {sorted(map(str, ranges))}: "
                    "emit the project again"
                )
    dma = root.find(f".//MODULE[@INSTANCE='{processor.DMA_NAME}']")
    vlnv = None if dma is None else dma.get("VLNV")
    if dma is None or vlnv != processor.DMA_VLNV:
        raise MismatchError(
            f"the .hwh's DMA is {vlnv}; pynq's driver is for {processor.DMA_VLNV}: use a Vivado version that has it"
        )
    length = dma.find("PARAMETERS/*[@NAME='c_sg_length_width']")
    if length is None or length.get("VALUE") != str(processor.LENGTH_BITS):
        bits = None if length is None else length.get("VALUE")
        raise MismatchError(
            f"the .hwh's DMA counts lengths in {bits} bits; {processor.LENGTH_BITS} are expected: "
            "emit the project again"
        )
