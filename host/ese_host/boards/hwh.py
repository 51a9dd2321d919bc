# SPDX-License-Identifier: Apache-2.0
"""The hardware handoff file (.hwh) that pynq reads beside a bitstream, for the block design of `block_design.py`.

`render` writes it for an emulated bitstream; `check` refuses one that Vivado wrote for another block design.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree
from xml.parsers import expat

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

MAX_ELEMENTS = 100_000
"""Most elements of a .hwh; that of our block design has some hundreds, one of Vivado some thousands."""
MAX_DEPTH = 32
ATTRIBUTES = {
    "MODULE": ("INSTANCE", "FULLNAME", "MODTYPE", "VLNV"),
    "PARAMETER": ("NAME", "VALUE"),
    "PORT": ("NAME", "DIR"),
    "CONNECTION": ("INSTANCE", "PORT"),
    "BUSINTERFACE": ("NAME", "TYPE"),
    "MEMRANGE": ("INSTANCE", "BASEVALUE", "HIGHVALUE", "MEMTYPE", "MASTERBUSINTERFACE", "SLAVEBUSINTERFACE"),
    "REGISTER": ("NAME",),
    "FIELD": ("NAME",),
    "PROPERTY": ("NAME", "VALUE"),
}
"""{element: attributes that pynq reads from it}."""
PROPERTIES = ("ADDRESS_OFFSET", "SIZE", "BIT_OFFSET", "BIT_WIDTH")
"""Properties of registers and their fields that are numbers."""
NUMBER = re.compile(r"0[xX][0-9a-fA-F]{1,16}|\d{1,9}(\.\d{1,9})?")
ADVICE = "build the design again"


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


def check(data: str | bytes, board: str, design: Design, name: str = "the .hwh") -> None:
    """Refuse a .hwh that pynq cannot read, or that is of another block design than ours.

    Args:
        data: contents of the .hwh.
        board: name of the board that it must be for.
        design: the engine in the block design.
        name: name of the file in error messages.

    Raises:
        FormatError: if it is no XML, too large, or lacks an attribute or number that pynq reads.
        MismatchError: if it describes another block design.
        UnsupportedError: if the board is not known.
    """
    known = load_board(board)
    blocks = describe(known, design.clock_mhz)
    root = _parse(data, name)
    modules = _check_modules(root, name)
    for cell in blocks.cells:
        found = modules[cell.name].attrib if cell.name in modules else {}
        core = found.get("VLNV", "absent").rpartition(":")[0]
        if core != cell.vlnv.rpartition(":")[0] or found["FULLNAME"] != f"/{cell.name}":
            raise MismatchError(
                f"{name}: the cell {cell.name} is {found.get('FULLNAME')} of core {core or 'absent'}; "
                f"/{cell.name} of {cell.vlnv} is expected: {ADVICE}"
            )
    clocks = {key for key in blocks.processor.derived(known) if not key.endswith(("CLKSRC", "SRCSEL"))}
    _check_numbers(root, clocks, name)
    ranges = {(item.get("INSTANCE"), item.get("BASEVALUE"), item.get("HIGHVALUE")) for item in root.iter("MEMRANGE")}
    for segment in blocks.segments:
        if not segment.memory:
            expected = (segment.slave.cell, f"0x{segment.base:08X}", f"0x{segment.base + segment.size - 1:08X}")
            if expected not in ranges or sum(item[0] == segment.slave.cell for item in ranges) > 1:
                raise MismatchError(
                    f"{name}: expected the address range {expected} and no other of that cell; "
                    f"found {sorted(map(str, ranges))}: {ADVICE}"
                )
    dma = modules[processor.DMA_NAME]
    if dma.get("VLNV") != processor.DMA_VLNV:
        raise MismatchError(
            f"{name}: the DMA is {dma.get('VLNV')}; pynq's driver is for {processor.DMA_VLNV}: "
            "use a Vivado version that has it"
        )
    length = dma.find("PARAMETERS/*[@NAME='c_sg_length_width']")
    if length is None or length.get("VALUE") != str(processor.LENGTH_BITS):
        bits = None if length is None else length.get("VALUE")
        raise MismatchError(
            f"{name}: the DMA counts lengths in {bits} bits; {processor.LENGTH_BITS} are expected: {ADVICE}"
        )


def _parse(data: str | bytes, name: str) -> ElementTree.Element:
    """Parse XML that has no document type, and with it no entities that could grow, and not too many elements."""
    builder, parser = ElementTree.TreeBuilder(), expat.ParserCreate()
    open_elements, elements = 0, 0

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal open_elements, elements
        open_elements, elements = open_elements + 1, elements + 1
        if open_elements > MAX_DEPTH or elements > MAX_ELEMENTS:
            raise FormatError(
                f"{name}: has more than {MAX_ELEMENTS} elements, or they are nested more than {MAX_DEPTH} deep: "
                f"{ADVICE}"
            )
        builder.start(tag, attributes)

    def end(tag: str) -> None:
        nonlocal open_elements
        open_elements -= 1
        builder.end(tag)

    def refuse(*_: Any) -> None:
        raise FormatError(f"{name}: has a document type; a .hwh has none: {ADVICE}")

    parser.StartElementHandler, parser.EndElementHandler, parser.StartDoctypeDeclHandler = start, end, refuse
    try:
        parser.Parse(data, True)
        return builder.close()
    except (expat.ExpatError, ValueError, LookupError, AssertionError) as error:
        raise FormatError(f"{name}: is no XML ({error}); {ADVICE}") from error


def _check_modules(root: ElementTree.Element, name: str) -> dict[str, ElementTree.Element]:
    """The cells by their names, each of which pynq must be able to tell from the others."""
    modules: dict[str, ElementTree.Element] = {}
    for tag, attributes in ATTRIBUTES.items():
        for item in root.iter(tag):
            missing = [attribute for attribute in attributes if attribute not in item.attrib]
            if missing:
                raise FormatError(f"{name}: a {tag} has {sorted(item.attrib)} and lacks {missing}: {ADVICE}")
    for item in root.iter("MODULE"):
        cell = item.attrib["INSTANCE"]
        if cell in modules:
            raise FormatError(f"{name}: has the cell {cell!r} twice; one is expected: {ADVICE}")
        modules[cell] = item
    return modules


def _check_numbers(root: ElementTree.Element, parameters: Collection[str], name: str) -> None:
    """Refuse addresses, sizes and clocks that are no numbers.

    Args:
        root: the outermost element.
        parameters: names of the parameters that must be numbers.
        name: name of the file in error messages.
    """
    numbers = [(item, key, "0x") for item in root.iter("MEMRANGE") for key in ("BASEVALUE", "HIGHVALUE")]
    numbers += [(item, "VALUE", "") for item in root.iter("PROPERTY") if item.get("NAME") in PROPERTIES]
    numbers += [(item, "VALUE", "") for item in root.iter("PARAMETER") if item.get("NAME") in parameters]
    for item, key, prefix in numbers:
        text = item.get(key, "")
        if not NUMBER.fullmatch(text) or not text.startswith(prefix):
            raise FormatError(
                f"{name}: {key} of the {item.tag} {item.get('NAME') or item.get('INSTANCE')} is {text[:40]!r}; "
                f"a number is expected: {ADVICE}"
            )
