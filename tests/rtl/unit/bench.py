# SPDX-License-Identifier: Apache-2.0
"""Several components side by side in one simulation, so that they are compiled together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from amaranth.hdl import Cat, Module
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ese_host.ir import Codes
from ese_rtl.unit.smooth import Smooth
from support.simulated_component import SimulatedComponent


class Together(wiring.Component):
    """Components whose ports are those of one; activations all read the table that `table` selects."""

    def __init__(self, parts: Mapping[str, wiring.Component], tables: Sequence[Codes]) -> None:
        self._parts, self._tables = parts, tables
        super().__init__({"table": In(1), **{name: Out(self._outside(part)) for name, part in parts.items()}})

    def _outside(self, part: wiring.Component) -> wiring.Signature:
        return wiring.Signature({name: member for name, member in part.signature.members.items() if name != "lookup"})

    def elaborate(self, _platform: Any) -> Module:
        m = Module()
        words = [int(value) | int(step) << 19 for table in self._tables for value, step in table.T]
        if words:
            m.submodules.memory = memory = Memory(shape=32, depth=len(words), init=words)
        for name, part in self._parts.items():
            m.submodules[name] = part
            if isinstance(part, Smooth):
                port = memory.read_port()
                m.d.comb += [port.addr.eq(Cat(part.lookup.segment, self.table)), part.lookup.word.eq(port.data)]
            for port_name, member in self._outside(part).members.items():
                outer, inner = getattr(getattr(self, name), port_name), getattr(part, port_name)
                m.d.comb += inner.eq(outer) if member.flow == In else outer.eq(inner)
        return m


class SideBySide:
    """A simulation of components side by side.

    Attributes:
        parts: the components.
    """

    def __init__(self, parts: Mapping[str, wiring.Component], tables: Sequence[Codes] = ()) -> None:
        self.parts: Mapping[str, Any] = parts
        self._simulated = SimulatedComponent(Together(parts, tables), optimize=False)

    def stream(
        self, name: str, latency: int, rows: Sequence[Mapping[str, Any]], table: int = 0, **constant: Any
    ) -> list[dict[str, Any]]:
        """Send inputs to a component, one row in each clock, and give its outputs `latency` clocks later.

        Args:
            name: of the component.
            latency: clocks from inputs to outputs.
            rows: the inputs.
            table: which of the tables is read.
            constant: inputs that are the same in all clocks, beginning well before the first row.
        """
        fixed = {"table": table, **{f"{name}__{port}": value for port, value in constant.items()}}
        clocks = [fixed] * 3
        clocks += [{**fixed, **{f"{name}__{port}": value for port, value in row.items()}} for row in rows]
        shown = self._simulated.run(clocks + [fixed] * latency)[3 + latency :]
        cut = len(name) + 2
        return [{port[cut:]: value for port, value in row.items() if port.startswith(f"{name}__")} for row in shown]
