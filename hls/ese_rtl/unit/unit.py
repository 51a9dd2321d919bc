# SPDX-License-Identifier: Apache-2.0
"""The element-wise unit: a cell of an LSTM or a GRU, or one or two rows of another matrix, in every clock."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ese_host.image import CONSTANT_BITS, SUM_BITS, SUM_FRAC, Design
from ese_host.ir import GATES
from ese_rtl.pipeline import later
from ese_rtl.records import Result, is_kind, item_layout, settings_layout
from ese_rtl.unit.activation import activation_clocks, activation_of
from ese_rtl.unit.arithmetic import PRODUCT_CLOCKS, SCALED_CLOCKS, Product, ScaledProduct, only_if
from ese_rtl.unit.cell import CELL_CLOCKS, EXACT_CLOCKS, GruFormats, NewCell, cell_formats
from ese_rtl.unit.gru import GruCell, gru_clocks, reset_clocks
from ese_rtl.unit.lane import Lane, lane_latency
from ese_rtl.unit.leaving import ROWS, Leaving
from ese_rtl.unit.lookup import LOOKUP
from ese_rtl.unit.sets import choice_clocks, set_of

I, F, G, O = range(GATES)  # noqa: E741
T = GATES
"""Number of the activation of c, behind those of the four rows."""
NAMES = "ifgot"
Z, R, X, U = I, F, G, O
"""What the four rows are in a GRU: gates z and r, the candidate's input part, and its recurrent part."""
CANDIDATE = "n"
"""Name of the activation of a GRU's candidate."""
SEES_OLD_CELL = (I, F)
"""Gates whose peepholes see c of the step before; that of o sees the new one."""


class Unit(wiring.Component):
    """The element-wise unit of a design. Times are counted from the clock in which an item is presented.

    An LSTM cell takes all four lanes: i and f with their peepholes, g, and o, whose sum waits for the new c and its
    peephole. A GRU's cell takes the lanes too: those of i and f, with their activations, for z and r, and that of o for
    the candidate's recurrent part, whose accumulators have a shift of their own, in place of the peepholes'. Two rows
    of another matrix take lanes i and f, and leave where h leaves. `settings` does not change while an item is in
    flight, so that items of different kinds, or of different format sets, are never in flight together.

    Attributes:
        cell_latencies: by kind of cell, clocks from an item to its new c on `cell_new`, or a GRU's new h as stored.
        latencies: by kind of item, clocks from an item to its result: "lstm", "gru" (with `reset_after` or without it),
            "reset" (r * h), of those that the design has, and "dense" for rows of another matrix.
        looked_up: names of the activations that the ports of `lookups` serve: i, f, g, o, t for that of c, and n for a
            GRU's candidate.
    """

    def __init__(self, design: Design) -> None:
        """Make the component.

        Args:
            design: the design.

        Raises:
            UnsupportedError: if formats of the design have binary points that the unit cannot hold.
        """
        self._design, self._formats = design, cell_formats(design)
        lstm = "lstm" in self._formats
        gates, cells = ([getattr(formats, of) for formats in design.sets] for of in ("gate", "cell"))
        self._functions = {name: cells if name in "gt" else gates for name in (NAMES if lstm else NAMES[:G])}
        if gru := "gru" in self._formats:
            self._functions[CANDIDATE] = cells
        self.looked_up = [name for name, of in self._functions.items() if not all(function.hard for function in of)]
        self._peephole = [lstm and gate in SEES_OLD_CELL for gate in range(GATES)]
        self._sums_ready = [lane_latency(design.acc_banks, peephole) for peephole in self._peephole]
        # as with peepholes, so that designs have one latency whatever cells they have
        self._rows_ready = lane_latency(design.acc_banks, peephole=True)
        self._activation_clocks = activation_clocks(design)
        self._gates_ready = self._rows_ready + self._activation_clocks
        self._exact_ready = self._gates_ready + EXACT_CLOCKS
        self._c_ready = self._gates_ready + CELL_CLOCKS + choice_clocks(design)
        self._o_ready = self._c_ready + SCALED_CLOCKS + 1
        self._factors_ready = max(self._o_ready, self._exact_ready) + self._activation_clocks
        self.cell_latencies: dict[str, int] = {}
        self.latencies = {"dense": self._rows_ready + Leaving.latency}
        if lstm:
            self.cell_latencies["lstm"] = self._c_ready
            self.latencies["lstm"] = self._factors_ready + PRODUCT_CLOCKS + Leaving.latency
        if gru:
            self.latencies["gru"] = self._gates_ready + gru_clocks(design) + Leaving.latency
            self.cell_latencies["gru"] = self.latencies["gru"]
            self.latencies["reset"] = self._gates_ready + reset_clocks(design) + Leaving.latency
        super().__init__(
            {
                "item": In(item_layout(design)),
                "settings": In(settings_layout(design)),
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
        gates: dict[int, Any] = {}
        of_cells: dict[str, Any] = {}
        if "lstm" in self._formats:
            cell = self._new_cell(m, row_sums, gates)
            m.d.comb += self.cell_new.eq(self._of_kind(cell.rounded, self.result.stored[0]))
            of_cells["h"] = self._h(m, cell, row_sums[O])
        else:
            m.d.comb += self.cell_new.eq(self.result.stored[0])
        if "gru" in self._formats:
            gru = self._gru(m, row_sums, gates)
            of_cells |= {"gru_h": gru.exact, "reset": gru.reset}
        self._leave(m, row_sums, of_cells)
        self._follow_items(m)
        return m

    def _is(self, kind: str) -> Any:
        """Whether the items in flight are cells of a kind: "lstm", "gru" (with a new h, in either form) or "reset"."""
        if "gru" not in self._formats:
            return self.settings.lstm
        if kind != "gru":
            return is_kind(self.settings, kind)
        others = is_kind(self.settings, "reset")
        if "lstm" in self._formats:
            others |= is_kind(self.settings, "lstm")
        return self.settings.lstm & ~others

    def _of_kind(self, of_lstm: Any, of_gru: Any) -> Any:
        """The value that belongs to the cells in flight; a design has an LSTM's cells, a GRU's, or both."""
        if len(self._formats) > 1:
            return Mux(self._is("lstm"), of_lstm, of_gru)
        return of_lstm if "lstm" in self._formats else of_gru

    def _lane(self, m: Module, gate: int) -> Any:
        """The sum of a row, from time `_sums_ready` on."""
        m.submodules[f"lane_{NAMES[gate]}"] = lane = Lane(
            self._design.acc_bits, self._design.acc_banks, self._peephole[gate]
        )
        m.d.comb += [
            lane.sums.eq(self.item.sums[gate]),
            lane.scales.eq(self.item.scales[gate]),
            lane.bias.eq(self.item.biases[gate]),
            lane.bias_shift.eq(self.settings.bias_shift),
        ]
        for bank in range(self._design.acc_banks):
            shift = self.settings.bank_shift[bank]
            if gate == U and "gru" in self._formats:
                shift = self._of_kind(shift, self.settings.peephole_shift)
            m.d.comb += lane.bank_shift[bank].eq(shift)
        if self._peephole[gate]:
            m.d.comb += [
                lane.peepholes.eq(self._is("lstm") & self.settings.peepholes),
                lane.peephole.eq(self.item.peepholes[gate]),
                lane.cell.eq(self.item.cell),
                lane.peephole_shift.eq(self.settings.peephole_shift),
            ]
        return lane.row_sum

    def _gate(self, m: Module, gate: int, row_sum: Any) -> Any:
        """The activation of a row's sum, at `_gates_ready`."""
        early = self._gates_ready - self._sums_ready[gate] - self._activation_clocks
        return self._activated(m, gate, row_sum, SUM_FRAC, early)

    def _activated(self, m: Module, number: int, x: Any, frac: int, early: int) -> Any:
        """An activation.

        Args:
            m: module that gets its component.
            number: which one.
            x: its input.
            frac: fractional bits of the input.
            early: clocks by which the result would come too early.
        """
        name = NAMES[number]
        functions = self._functions[name]
        m.submodules[f"activation_{name}"] = activation = activation_of(functions, len(x), frac)
        m.d.comb += activation.x.eq(x)
        if name in self.looked_up:
            lookup = self.lookups[self.looked_up.index(name)]
            m.d.comb += [lookup.segment.eq(activation.lookup.segment), activation.lookup.word.eq(lookup.word)]
        if any(function.hard for function in functions):
            line = self.settings.cell_line if number in (G, T) else self.settings.gate_line
            m.d.comb += activation.line.eq(line)
        if self._design.more_sets:
            m.d.comb += activation.format_set.eq(self.settings.format_set)
        return later(m, activation.code, early + self._activation_clocks - activation.latency, name=name)

    def _new_cell(self, m: Module, row_sums: list[Any], gates: dict[int, Any]) -> NewCell:
        """An LSTM's new c: unrounded at `_exact_ready`, rounded at `_c_ready`.

        Args:
            m: module that gets the components.
            row_sums: the sums of all rows.
            gates: gets i, f and g, by the number of the row.
        """
        m.submodules.new_cell = cell = NewCell(self._formats["lstm"])
        for gate, operand in ((I, cell.i), (F, cell.f), (G, cell.g)):
            gates[gate] = self._gate(m, gate, row_sums[gate])
            m.d.comb += operand.eq(gates[gate])
        if self._design.more_sets:
            m.d.comb += cell.format_set.eq(self.settings.format_set)
        before = self._formats["lstm"].aligned_state(set_of(self._design, self.settings), self.item.cell)
        m.d.comb += cell.before.eq(later(m, before, self._gates_ready, name="c_before"))
        return cell

    def _gru(self, m: Module, row_sums: list[Any], gates: dict[int, Any]) -> GruCell:
        """A GRU's cell: the new h and r * h.

        Args:
            m: module that gets the components.
            row_sums: the sums of all rows.
            gates: activations of rows that there are already.
        """
        m.submodules.gru = cell = GruCell(GruFormats(self._design))
        for gate, operand in ((Z, cell.z), (R, cell.r)):
            m.d.comb += operand.eq(gates[gate] if gate in gates else self._gate(m, gate, row_sums[gate]))
        for row, operand in ((X, cell.x), (U, cell.u)):
            waits = self._gates_ready - self._sums_ready[row]
            m.d.comb += operand.eq(later(m, row_sums[row], waits, name=f"kept_{NAMES[row]}"))
        m.d.comb += [
            cell.before.eq(~is_kind(self.settings, "gru")),
            cell.line.eq(self.settings.cell_line),
            cell.h.eq(later(m, self.item.cell, self._gates_ready, name="h_before")),
        ]
        if self._design.more_sets:
            m.d.comb += cell.format_set.eq(self.settings.format_set)
        if cell.smooth:
            lookup = self.lookups[self.looked_up.index(CANDIDATE)]
            m.d.comb += [lookup.segment.eq(cell.lookup.segment), cell.lookup.word.eq(lookup.word)]
        return cell

    def _h(self, m: Module, cell: NewCell, row_sum: Any) -> Any:
        """An LSTM's unrounded h: o, whose peephole sees the rounded c, times the activation of the unrounded c.

        Args:
            m: module that gets the components.
            cell: gives c.
            row_sum: the sum of the row of o.
        """
        m.submodules.peephole_o = seen = ScaledProduct(CONSTANT_BITS, CONSTANT_BITS)
        m.d.comb += [
            seen.a.eq(later(m, self.item.peepholes[2], self._c_ready, name="p_o")),
            seen.b.eq(cell.rounded),
            seen.shift.eq(self.settings.peephole_shift),
        ]
        waiting = later(m, row_sum, self._o_ready - 1 - self._sums_ready[O], name="z_o")
        total = waiting + only_if(self.settings.peepholes, seen.scaled)
        total = later(m, total, name="z_o_seen", shape=signed(SUM_BITS))
        early_o = self._factors_ready - self._o_ready - self._activation_clocks
        early_t = self._factors_ready - self._exact_ready - self._activation_clocks
        formats = self._formats["lstm"]
        m.submodules.product_h = product = Product(formats.factor_bits, formats.gate_bits)
        m.d.comb += [
            product.a.eq(self._activated(m, T, cell.exact, formats.c_frac, early_t)),
            product.b.eq(self._activated(m, O, total, SUM_FRAC, early_o)),
        ]
        return product.product

    def _leave(self, m: Module, row_sums: list[Any], of_cells: dict[str, Any]) -> None:
        """Everything of the result but `valid` and `pair`.

        Args:
            m: module that gets the components.
            row_sums: the sums of all rows.
            of_cells: what leaves of cells, by the ports of `Leaving`.
        """
        m.submodules.leaving = leaving = Leaving(self._design)
        lstm, gru = ("lstm" in self._formats, "gru" in self._formats)
        new = later(m, self.cell_new, self.latencies["lstm"] - self._c_ready, name="c_new") if lstm else 0
        has_cell = self.settings.lstm & ~self._is("reset") if gru else self.settings.lstm
        m.d.comb += [
            leaving.settings.eq(self.settings),
            *(getattr(leaving, name).eq(value) for name, value in of_cells.items()),
            self.result.cell.eq(Mux(has_cell, self._of_kind(new, leaving.stored[0]), 0)),
        ]
        for row in range(ROWS):
            waits = self._rows_ready - self._sums_ready[row]
            m.d.comb += [
                leaving.rows[row].eq(later(m, row_sums[row], waits, name=f"row_{row}")),
                self.result.exact[row].eq(leaving.exact[row]),
                self.result.stored[row].eq(leaving.stored[row]),
                self.result.output[row].eq(leaving.output[row]),
            ]

    def _follow_items(self, m: Module) -> None:
        """Which items are under way; bit n of a register belongs to time n + 1. Cells have a way of their own.

        Cells whose latency is shorter than that of others enter further on.
        """
        dense, longest = self.latencies["dense"], max(self.latencies.values())
        head = {kind: longest - latency for kind, latency in self.latencies.items()}
        cells, rows = Signal(longest - 1), Signal(dense - 1)
        pairs = Signal(dense - 1, reset_less=True)
        of_cell: Any = self.item.valid & self.settings.lstm
        if "gru" in self._formats:
            of_cell = 0
            for kind in head:
                if kind != "dense":
                    of_cell |= (self.item.valid & self._is(kind)) << head[kind]
        of_rows = self.item.valid & ~self.settings.lstm
        for register, first in ((cells, of_cell), (rows, of_rows), (pairs, of_rows & self.item.pair)):
            m.d.sync += register.eq(register << 1 | first)
        of_lstm = cells[head["lstm"] + self._c_ready - 1] if "lstm" in head else None
        of_gru = self.result.valid & self._is("gru") if "gru" in head else None
        m.d.comb += [
            self.cell_valid.eq(self._of_kind(of_lstm, of_gru)),
            self.next_valid.eq(cells[-1] | rows[-1]),
            self.next_pair.eq(pairs[-1]),
        ]
        m.d.sync += [self.result.valid.eq(self.next_valid), self.result.pair.eq(self.next_pair)]
