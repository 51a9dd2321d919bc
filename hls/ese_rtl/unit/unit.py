"""The element-wise unit: an LSTM cell, or one or two rows of another matrix, in every clock."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ese_host.image import CONSTANT_BITS, SUM_BITS, SUM_FRAC, Design
from ese_host.ir import GATES
from ese_rtl.pipeline import later
from ese_rtl.records import Result, Settings, item_layout
from ese_rtl.unit.activation import component_of
from ese_rtl.unit.arithmetic import PRODUCT_CLOCKS, SCALED_CLOCKS, Product, ScaledProduct, only_if
from ese_rtl.unit.cell import CELL_CLOCKS, EXACT_CLOCKS, CellFormats, NewCell
from ese_rtl.unit.hard import Hard
from ese_rtl.unit.lane import Lane, lane_latency
from ese_rtl.unit.leaving import ROWS, Leaving
from ese_rtl.unit.lookup import LOOKUP
from ese_rtl.unit.smooth import Smooth

I, F, G, O = range(GATES)  # noqa: E741
T = GATES
"""Number of the activation of c, behind those of the four rows."""
NAMES = "ifgot"
SEES_OLD_CELL = (I, F)
"""Gates whose peepholes see c of the step before; that of o sees the new one."""

ACTIVATION_CLOCKS = max(Smooth.latency, Hard.latency)
"""Clocks of every activation, so that designs have one latency whatever functions they have."""


class Unit(wiring.Component):
    """The element-wise unit of a design. Times are counted from the clock in which an item is presented.

    An LSTM cell takes all four lanes: i and f with their peepholes, g, and o, whose sum waits for the new c and its
    peephole. Two rows of another matrix take lanes i and f, and leave where h leaves. `settings` does not change while
    an item is in flight, and LSTM cells and other rows are never in flight together.

    Attributes:
        cell_latency: clocks from an LSTM item to its new c, on `cell_new`.
        lstm_latency: clocks from an LSTM item to its result.
        dense_latency: clocks from an item of another matrix to its result.
        looked_up: names of the activations that the ports of `lookups` serve: i, f, g, o, and t for that of c.
    """

    def __init__(self, design: Design) -> None:
        """Make the component.

        Args:
            design: the design.

        Raises:
            UnsupportedError: if formats of the design have binary points that the unit cannot hold.
        """
        self._design, self._formats = design, CellFormats(design)
        functions = [design.cell if number in (G, T) else design.gate for number in range(len(NAMES))]
        kinds = [component_of(function) for function in functions]
        self.looked_up = [name for name, kind in zip(NAMES, kinds, strict=True) if kind is Smooth]
        self._sums_ready = [lane_latency(design.acc_banks, gate in SEES_OLD_CELL) for gate in range(GATES)]
        self._gates_ready = max(self._sums_ready[gate] for gate in (I, F, G)) + ACTIVATION_CLOCKS
        self._exact_ready = self._gates_ready + EXACT_CLOCKS
        self.cell_latency = self._gates_ready + CELL_CLOCKS
        self._o_ready = self.cell_latency + SCALED_CLOCKS + 1
        self._factors_ready = max(self._o_ready, self._exact_ready) + ACTIVATION_CLOCKS
        self.lstm_latency = self._factors_ready + PRODUCT_CLOCKS + Leaving.latency
        self.dense_latency = self._sums_ready[I] + Leaving.latency
        super().__init__(
            {
                "item": In(item_layout(design.acc_bits, design.acc_banks)),
                "settings": In(Settings),
                "lookups": Out(LOOKUP).array(len(self.looked_up)),
                "cell_valid": Out(1),
                "cell_new": Out(signed(CONSTANT_BITS)),
                "next_valid": Out(1),  # a result comes in the next tick,
                "next_pair": Out(1),  # with a second row
                "result": Out(Result),
            }
        )

    def elaborate(self, _platform: Any) -> Module:
        """Lanes, c, h, what leaves; and what of it is valid."""
        m = Module()
        row_sums = [self._lane(m, gate) for gate in range(GATES)]
        cell = self._new_cell(m, row_sums)
        h = self._h(m, cell, row_sums[O])
        self._leave(m, row_sums, h)
        self._follow_items(m)
        return m

    def _lane(self, m: Module, gate: int) -> Any:
        """The sum of a row, from time `_sums_ready` on."""
        m.submodules[f"lane_{NAMES[gate]}"] = lane = Lane(
            self._design.acc_bits, self._design.acc_banks, gate in SEES_OLD_CELL
        )
        m.d.comb += [
            lane.sums.eq(self.item.sums[gate]),
            lane.scales.eq(self.item.scales[gate]),
            lane.bias.eq(self.item.biases[gate]),
            lane.bias_shift.eq(self.settings.bias_shift),
        ]
        for bank in range(self._design.acc_banks):
            m.d.comb += lane.bank_shift[bank].eq(self.settings.bank_shift[bank])
        if gate in SEES_OLD_CELL:
            m.d.comb += [
                lane.peepholes.eq(self.settings.lstm & self.settings.peepholes),
                lane.peephole.eq(self.item.peepholes[gate]),
                lane.cell.eq(self.item.cell),
                lane.peephole_shift.eq(self.settings.peephole_shift),
            ]
        return lane.row_sum

    def _activated(self, m: Module, number: int, x: Any, frac: int, early: int = 0) -> Any:
        """An activation.

        Args:
            m: module that gets its component.
            number: which one.
            x: its input.
            frac: fractional bits of the input.
            early: clocks by which the result would come too early.
        """
        name = NAMES[number]
        function = self._design.cell if number in (G, T) else self._design.gate
        m.submodules[f"activation_{name}"] = activation = component_of(function)(function, len(x), frac)
        m.d.comb += activation.x.eq(x)
        if isinstance(activation, Smooth):
            lookup = self.lookups[self.looked_up.index(name)]
            m.d.comb += [lookup.segment.eq(activation.lookup.segment), activation.lookup.word.eq(lookup.word)]
        else:
            line = self.settings.cell_line if number in (G, T) else self.settings.gate_line
            m.d.comb += activation.line.eq(line)
        return later(m, activation.code, early + ACTIVATION_CLOCKS - activation.latency, name=name)

    def _new_cell(self, m: Module, row_sums: list[Any]) -> NewCell:
        """The new c: unrounded at `_exact_ready`, rounded at `cell_latency`."""
        m.submodules.new_cell = cell = NewCell(self._formats)
        for gate, operand in ((I, cell.i), (F, cell.f), (G, cell.g)):
            early = self._gates_ready - self._sums_ready[gate] - ACTIVATION_CLOCKS
            m.d.comb += operand.eq(self._activated(m, gate, row_sums[gate], SUM_FRAC, early))
        m.d.comb += [
            cell.before.eq(later(m, self.item.cell, self._gates_ready, name="c_before")),
            self.cell_new.eq(cell.rounded),
        ]
        return cell

    def _h(self, m: Module, cell: NewCell, row_sum: Any) -> Any:
        """The unrounded h: o, whose peephole sees the rounded c, times the activation of the unrounded c.

        Args:
            m: module that gets the components.
            cell: gives c.
            row_sum: the sum of the row of o.
        """
        m.submodules.peephole_o = seen = ScaledProduct(CONSTANT_BITS, CONSTANT_BITS)
        m.d.comb += [
            seen.a.eq(later(m, self.item.peepholes[2], self.cell_latency, name="p_o")),
            seen.b.eq(cell.rounded),
            seen.shift.eq(self.settings.peephole_shift),
        ]
        waiting = later(m, row_sum, self._o_ready - 1 - self._sums_ready[O], name="z_o")
        total = waiting + only_if(self.settings.peepholes, seen.scaled)
        total = later(m, total, name="z_o_seen", shape=signed(SUM_BITS))
        early_o = self._factors_ready - self._o_ready - ACTIVATION_CLOCKS
        early_t = self._factors_ready - self._exact_ready - ACTIVATION_CLOCKS
        m.submodules.product_h = product = Product(self._formats.factor_bits, self._formats.gate_bits)
        m.d.comb += [
            product.a.eq(self._activated(m, T, cell.exact, self._formats.c_frac, early_t)),
            product.b.eq(self._activated(m, O, total, SUM_FRAC, early_o)),
        ]
        return product.product

    def _leave(self, m: Module, row_sums: list[Any], h: Any) -> None:
        """Everything of the result but `valid` and `pair`."""
        m.submodules.leaving = leaving = Leaving(self._formats)
        new = later(m, self.cell_new, self.lstm_latency - self.cell_latency, name="c_new")
        m.d.comb += [
            leaving.settings.eq(self.settings),
            leaving.h.eq(h),
            self.result.cell.eq(Mux(self.settings.lstm, new, 0)),
        ]
        for row in range(ROWS):
            m.d.comb += [
                leaving.rows[row].eq(row_sums[row]),
                self.result.exact[row].eq(leaving.exact[row]),
                self.result.stored[row].eq(leaving.stored[row]),
                self.result.output[row].eq(leaving.output[row]),
            ]

    def _follow_items(self, m: Module) -> None:
        """Which items are under way; bit n of a register belongs to time n + 1. LSTM cells have a way of their own."""
        cells, rows = Signal(self.lstm_latency - 1), Signal(self.dense_latency - 1)
        pairs = Signal(self.dense_latency - 1, reset_less=True)
        of_cell = self.item.valid & self.settings.lstm
        of_rows = self.item.valid & ~self.settings.lstm
        for register, first in ((cells, of_cell), (rows, of_rows), (pairs, of_rows & self.item.pair)):
            m.d.sync += register.eq(register << 1 | first)
        m.d.comb += [
            self.cell_valid.eq(cells[self.cell_latency - 1]),
            self.next_valid.eq(cells[-1] | rows[-1]),
            self.next_pair.eq(pairs[-1]),
        ]
        m.d.sync += [self.result.valid.eq(self.next_valid), self.result.pair.eq(self.next_pair)]
