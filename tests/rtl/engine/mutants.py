# SPDX-License-Identifier: Apache-2.0
"""Engines with a fault that can be switched on: what a wrong line of the RTL would do, for tests that must find it.

A mutation stands at a port of a component: what passes there is something else while the mutation is on. All mutations
are built into one engine, so that it is compiled once.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from amaranth.back import rtlil
from amaranth.hdl import Module, Mux, Shape, Signal, Value, ValueCastable
from amaranth.lib import wiring
from amaranth.utils import ceil_log2

from ese_host.image import CELL_KINDS, Design
from ese_rtl.pipeline import later
from ese_rtl.simulate import TOP
from ese_rtl.top import CONTROL, Top
from ese_rtl.unit import Unit

Change = Callable[[Module, Any], Any]
"""What passes at a port instead: a value, from the module around the component and from its ports as seen outside."""
MADE: dict[str, Any] = {}
"""Components by name of their class, for mutations that look into another component."""


@dataclass(frozen=True)
class Mutation:
    """A fault.

    Attributes:
        module: name of the module in which a component is made.
        component: name of its class there.
        port: the port.
        change: what passes at it while the fault is on.
        sign: what the failure says by which a test finds the fault.
    """

    module: str
    component: str
    port: str
    change: Change
    sign: str


def _with(port: str, **fields: int) -> Change:
    """A record with some fields changed.

    Args:
        port: the port that has the record.
        fields: the fields.
    """

    def change(m: Module, ports: Any) -> Any:
        before = getattr(ports, port)
        after = Signal(before.shape(), name=f"mutated_{port}")
        m.d.comb += [after.eq(before), *(getattr(after, name).eq(value) for name, value in fields.items())]
        return after

    return change


def _rows_of_one_pe(m: Module, ports: Any) -> Any:
    sums = Signal(ports.inner.sums.shape(), name="mutated_sums")
    m.d.comb += sums.eq(ports.inner.sums)
    with m.If(ports.dense):
        m.d.comb += sums[1].eq(sums[0])
    return sums


def _old_cell(m: Module, _ports: Any) -> Any:
    return later(m, MADE["Unit"].item.cell, MADE["Unit"].cell_latencies["lstm"], name="old")


def _other_unit_first(m: Module, ports: Any) -> Any:
    results = Signal(ports.results.shape(), name="mutated_results")
    m.d.comb += results.eq(ports.results)
    for unit in range(2):
        for name in ("exact", "stored", "output"):
            m.d.comb += results[unit][name].eq(ports.results[1 - unit][name])
    return results


def _of_first_unit(m: Module, ports: Any) -> Any:
    load = Signal(ports.load.shape(), name="mutated_load")
    m.d.comb += [load.eq(ports.load), load.address.eq(ports.load.address ^ ports.inner._unit)]
    return load


def _no_reset(m: Module, ports: Any) -> Any:
    record = Signal(ports.record.shape(), name="mutated_record")
    m.d.comb += [record.eq(ports.inner.record), record.cell_kind.eq(CELL_KINDS.index("gru"))]
    return record


VALUE, CRC = "Arrays are not equal", "the answer's CRC is"
MUTATIONS = {
    "no forwarding from the entry before": Mutation("array.pe", "Mac", "feedback8", lambda _m, _p: 0, VALUE),
    "no forwarding from two entries before": Mutation(
        "array.array", "PE", "shared", _with("shared", two_ahead7=0), VALUE
    ),
    "no sweep": Mutation("control.core", "Beats", "sweep", lambda _m, _p: 0, VALUE),
    "a sweep that begins with the first item": Mutation(
        "control.core", "Stage", "drained", lambda _m, p: p.inner.drained | p.inner.rows.any(), VALUE
    ),
    "rows that are read a tick late": Mutation(
        "array.array", "Drain", "row", lambda m, p: later(m, p.row, name="late"), VALUE
    ),
    "both rows of a pair from one PE": Mutation("array.array", "Drain", "sums", _rows_of_one_pe, VALUE),
    "a wrong bit of the CRC": Mutation("packet.packets", "Checksum", "crc", lambda _m, p: p.inner.crc ^ 1 << 13, CRC),
    "rounding half up": Mutation("unit.leaving", "VariableRounding", "value", lambda _m, p: p.value | 1, VALUE),
    "an input word that is written a clock late, while the PEs read": Mutation(
        "array.array", "Copies", "writes", lambda m, p: later(m, p.writes, name="late"), VALUE
    ),
    "a peephole of o that sees the old c": Mutation("unit.unit", "ScaledProduct", "b", _old_cell, VALUE),
    "a stage that begins a clock early": Mutation("control.sequencer", "SETTLE", "", lambda _m, _p: None, VALUE),
}
"""By name; the last one changes a constant instead of a port."""
OF_TWO_UNITS_AND_WINDOW = {
    "elements in the order of the units": Mutation("control.core", "Retire", "results", _other_unit_first, VALUE),
    "parameters of the first unit's items in both units": Mutation(
        "control.core", "Parameters", "load", _of_first_unit, VALUE
    ),
    "a second unit that has as many items as the first": Mutation(
        "control.core", "Stage", "valid", lambda _m, p: p.inner.valid[0].replicate(2), "words"
    ),
    "a matrix that begins before half of its vector is written": Mutation(
        "control.core", "Retire", "readable", lambda _m, _p: 1, VALUE
    ),
    "a window that goes on as in the first slot of a word": Mutation(
        "array.array", "Window", "beat", _with("beat", slot=0), VALUE
    ),
    "columns that enter a clock late": Mutation(
        "vectors.window", "BankedVectors", "values", lambda m, p: later(m, p.inner.values, name="late"), VALUE
    ),
}
"""Mutations of engines with two units and a window."""
OF_GRU = {
    "sums that are cleared behind a reset stage": Mutation("control.core", "Stage", "record", _no_reset, VALUE),
    "r * h in the place of h": Mutation(
        "control.core", "Parameters", "cell_valid", lambda _m, p: p.cell_valid | MADE["Unit"].result.valid, VALUE
    ),
    "a reset gate that multiplies twice, or never": Mutation(
        "unit.unit", "GruCell", "before", lambda _m, p: ~p.before, VALUE
    ),
    "h of the cell before": Mutation("unit.unit", "GruCell", "h", lambda m, p: later(m, p.h, name="late"), VALUE),
}
"""Mutations of engines with GRU cells."""
TABLES = (MUTATIONS, OF_TWO_UNITS_AND_WINDOW, OF_GRU)
NUMBERS = {name: number for names in TABLES for number, name in enumerate(names, 1)}


class _Wrapped(wiring.Component):
    """A component with a mutation at one of its ports."""

    def __init__(self, inner: Any, mutation: Mutation, on: Value) -> None:
        self.inner, self._mutation, self._on = inner, mutation, on
        super().__init__(dict(inner.signature.members))

    def __getattr__(self, name: str) -> Any:
        """What is no port, a latency for instance, is the component's."""
        inner = self.__dict__["inner"]
        if name in inner.signature.members:
            raise AttributeError(name)
        return getattr(inner, name)

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        m.submodules.inner = inner = self.inner
        for name, member in inner.signature.members.items():
            outside, inside = getattr(self, name), getattr(inner, name)
            if member.is_signature:
                wiring.connect(m, wiring.flipped(outside), inside)
                continue
            target, value = (inside, outside) if member.flow is wiring.In else (outside, inside)
            if name == self._mutation.port:
                changed = Value.cast(self._mutation.change(m, self))
                value = Mux(self._on, changed, Value.cast(value))
            m.d.comb += Value.cast(target).eq(value)
        return m


class _OneLess(ValueCastable):
    """A number of clocks that is one less while a mutation is on."""

    def __init__(self, number: int, on: Value) -> None:
        self._number, self._on = number, on

    def __add__(self, other: int) -> int:
        return self._number + other

    def shape(self) -> Shape:
        return Shape(self._number.bit_length())

    def as_value(self) -> Value:
        return Mux(self._on, self._number - 1, self._number)


class MutantTop(Top):
    """The engine with all mutations; a read of register 2 * n + 1 switches on number n, or with 0 all off."""

    def __init__(self, design: Design, switch: Signal) -> None:
        super().__init__(design)
        self._switch = switch

    def elaborate(self, platform: object) -> Module:
        m = super().elaborate(platform)
        address = getattr(self, f"{CONTROL}_ARADDR")
        with m.If(getattr(self, f"{CONTROL}_ARVALID") & address[0]):
            m.d.sync += self._switch.eq(address[1:])
        return m


def mutants(design: Design) -> str:
    """The engine with all mutations of engines with GRU cells, with a window or with neither, as RTLIL."""
    mutations = OF_GRU if "gru" in design.cells else OF_TWO_UNITS_AND_WINDOW if design.window else MUTATIONS
    switch = Signal(ceil_log2(len(mutations) + 1))

    def wrapped(original: Callable[..., Any], mutation: Mutation, on: Value) -> Callable[..., Any]:
        def make(*arguments: Any, **named: Any) -> Any:
            return _Wrapped(original(*arguments, **named), mutation, on)

        return make

    with pytest.MonkeyPatch.context() as patch:
        for name, mutation in mutations.items():
            module, on = importlib.import_module(f"ese_rtl.{mutation.module}"), switch == NUMBERS[name]
            original = getattr(module, mutation.component)
            fault = wrapped(original, mutation, on) if mutation.port else _OneLess(original, on)
            patch.setattr(module, mutation.component, fault)

        def recorded(*arguments: Any) -> Any:
            MADE["Unit"] = Unit(*arguments)
            return MADE["Unit"]

        patch.setattr("ese_rtl.control.core.Unit", recorded)
        return str(rtlil.convert(MutantTop(design, switch), name=TOP, emit_src=False))
