# SPDX-License-Identifier: Apache-2.0
"""Levels of logic: what a signal passes through between two registers of a module that Yosys has mapped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from graphlib import TopologicalSorter
from typing import Any, NamedTuple

from ese_rtl.count.statistics import LUTRAM, LUTS

LUT = 1.0
CARRY = 0.25
"""Of a CARRY4: sixteen bits of a carry chain are about as slow as a LUT with the wires to it."""
DSP = 2.0
"""Of a DSP48E1's multiplier whose input is not registered, and of its adder whose sum is not registered."""

_OTHERS = {"INV": LUT, "CARRY4": CARRY, "MUXF7": 0.0, "MUXF8": 0.0}
"""Logic of a slice beside its LUTs; the delay of a multiplexer counts with the LUT before it."""
_OPTIONAL_REGISTERS = {"A": "AREG", "B": "BREG", "P": "PREG"}
"""Parameters of a DSP48E1 that say whether a port has a register."""

Json = Mapping[str, Any]


class LogicPath(NamedTuple):
    """The longest path to an input of a register, of another cell that a clock drives, or to an output of the module.

    Attributes:
        levels: LUTs on the path; a CARRY4 counts a quarter, a multiplexer of the slice nothing.
        begin: the register or the input of the module that it comes from; empty if Yosys has left it no name.
        end: the input.
    """

    levels: float
    begin: str
    end: str


class _Netlist:
    """The cells of a module as a graph of wires.

    Args:
        module: of a netlist in the form of Yosys's `write_json`.
    """

    def __init__(self, module: Json) -> None:
        self.names = dict(_named_wires(module))
        self.sources: dict[int, tuple[float, list[int]]] = {}
        """By wire, the levels of the cell that drives it without a clock, and the wires on which it depends."""
        self.ends: list[tuple[float, int, str]] = []
        """Levels within the cell that a path ends at, the wire to it and its name."""
        for name, port in module["ports"].items():
            if port["direction"] == "output":
                self.ends += [(0.0, bit, f"output {name}") for bit in port["bits"] if isinstance(bit, int)]
        for name, cell in module["cells"].items():
            self._add(name, cell)

    def _add(self, name: str, cell: Json) -> None:
        kind = cell["type"]
        passed = LUT if LUTS.fullmatch(kind) else _OTHERS.get(kind)
        outputs = list(_wires(cell, "output"))
        for port, bit in outputs:
            if passed is not None:
                self.sources[bit] = (passed, [wire for _, wire in _wires(cell, "input")])
            elif kind in LUTRAM:
                self.sources[bit] = (LUT, _read_address(cell, port))
            elif _lacks_register(cell, port):
                self.sources[bit] = (DSP, [])
        if passed is None:
            register = next((self.names[bit] for _, bit in outputs if bit in self.names), name)
            for port, bit in _wires(cell, "input"):
                self.ends.append((DSP if _lacks_register(cell, port) else 0.0, bit, f"{kind} {register} {port}"))


def paths_of(module: Json) -> list[LogicPath]:
    """The longest path to each input of each register of a module, the longest one first.

    Args:
        module: flattened, and mapped to a 7-series FPGA, in the form of Yosys's `write_json`.

    Raises:
        graphlib.CycleError: if the logic has a loop.
    """
    netlist = _Netlist(module)
    levels: dict[int, float] = {}
    begins: dict[int, int] = {}
    for wire in TopologicalSorter({wire: inputs for wire, (_, inputs) in netlist.sources.items()}).static_order():
        weight, inputs = netlist.sources.get(wire, (0.0, []))
        slowest = max(inputs, key=levels.__getitem__, default=wire)
        levels[wire] = weight + levels.get(slowest, 0.0)
        begins[wire] = begins.get(slowest, slowest)
    longest: dict[str, LogicPath] = {}
    for weight, wire, end in netlist.ends:
        path = LogicPath(levels.get(wire, 0.0) + weight, netlist.names.get(begins.get(wire, wire), ""), end)
        longest[end] = max(longest.get(end, path), path)
    return sorted(longest.values(), key=lambda path: (-path.levels, path.end))


def _named_wires(module: Json) -> Iterable[tuple[int, str]]:
    """Wires with their names, of several the longest one: it is the one within the component that drives the wire."""
    for name, net in sorted(module["netnames"].items(), key=lambda named: len(named[0])):
        if not name.startswith("$"):
            yield from ((bit, f"{name}[{place}]") for place, bit in enumerate(net["bits"]) if isinstance(bit, int))


def _wires(cell: Json, direction: str) -> Iterable[tuple[str, int]]:
    """Ports of a cell in a direction with their wires, but for constants."""
    for port, bits in cell["connections"].items():
        if cell["port_directions"][port] == direction:
            yield from ((port, bit) for bit in bits if isinstance(bit, int))


def _read_address(cell: Json, port: str) -> list[int]:
    """The wires of the address at which a port of a LUTRAM is read."""
    own = f"ADDR{port[-1]}"
    names = {own} if own in cell["connections"] else {"A", "DPRA"}
    return [bit for name, bit in _wires(cell, "input") if name.rstrip("0123456789") in names]


def _lacks_register(cell: Json, port: str) -> bool:
    """Whether a port of a DSP48E1 may have a register and has none."""
    parameter = _OPTIONAL_REGISTERS.get(port)
    return cell["type"] == "DSP48E1" and parameter is not None and int(cell["parameters"].get(parameter, "1"), 2) == 0
