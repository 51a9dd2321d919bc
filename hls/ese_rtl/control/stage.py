# SPDX-License-Identifier: Apache-2.0
"""The element-wise stage: which items are read from which PEs in a tick, and how much of the stage is still to come."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Array, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2, exact_log2

from ese_host.ir import GATES
from ese_rtl.control.phase_table import first_row, phase_layout
from ese_rtl.pipeline import later
from ese_rtl.records import Header, Line, lines_layout, settings_layout
from ese_rtl.sizes import Sizes

DRAINED = 4
"""Ticks, beyond the one in which nothing is left, until all rows of the last item have been read."""


def of_unit(items: Value, sizes: Sizes, unit: int) -> Value:
    """The number of a unit's items, less two, in a stage: item i is that of unit i mod U.

    Args:
        items: of the stage.
        sizes: of the engine.
        unit: number of the unit.
    """
    less: Value = (items - (sizes.units + 1 + unit)) >> exact_log2(sizes.units)
    return less


class Stage(wiring.Component):
    """The stage under way. A tick is a clock with `step`; the stage stands still while the words of a result leave.

    The units go on in lockstep, each through the items of its own PEs: `pe` is a PE's number among those of its unit.
    In the last tick only some of the units may have an item, or a second row; unit 0 has as many as any other.

    Args:
        sizes: of the engine.
    """

    def __init__(self, sizes: Sizes) -> None:
        self._sizes = sizes
        layout = phase_layout(sizes)
        super().__init__(
            {
                "header": In(Header),
                **({"lines": In(lines_layout(sizes.design))} if sizes.design.more_sets else {}),
                "launch": In(1),
                "phase": In(layout),  # whose stage is launched
                "fill_set": In(1),
                "last_step": In(1),
                "zero_state": In(1),
                "step": In(1),
                "valid": Out(sizes.units),  # by unit: it has an item in this tick,
                "pair": Out(sizes.units),  # or two rows of another matrix than an LSTM's
                "pe": Out(sizes.pe_bits),
                "row": Out(sizes.row_bits),  # row that PE 0 shows
                "record": Out(layout),  # of the phase
                "set": Out(1),  # that is read
                "outputs": Out(1),  # second target and output take part in this step
                "zero": Out(1),  # c is zero
                "settings": Out(settings_layout(sizes.design)),
                "drained": Out(1),
                "rows": Out(sizes.row_bits + 1),  # that were read, in each PE
            }
        )

    def elaborate(self, _platform: object) -> Module:
        """Counters of items, PEs and rows."""
        m = Module()
        sizes, record = self._sizes, self.record
        # items of each unit that are not yet read, less two; whether there is none, or only one
        left = [Signal(signed(17), init=-2, name=f"left_{u}") for u in range(sizes.units)]
        # the phase was fetched some clocks before its stage is launched
        counts = [later(m, of_unit(self.phase.items, sizes, u), name=f"count_{u}") for u in range(sizes.units)]
        none, single = Signal(sizes.units), Signal(sizes.units)
        turn = Signal(range(max(2, sizes.cell_period)))
        group, row_of_cell = Signal(sizes.row_bits + 1), Signal(range(GATES))
        ends = Signal(range(DRAINED + 1), init=DRAINED)
        last_turn = record.dense | (turn == sizes.cell_period - 1)
        pairs = record.dense if sizes.paired else 0
        row = Mux(record.dense, group, group << ceil_log2(GATES) | row_of_cell)
        for u, items in enumerate(left):
            m.d.comb += [
                none[u].eq(items[-1] & ~items[0]),
                single[u].eq(items[-1] & items[0]),
                self.valid[u].eq(~none[u] & (turn == 0)),
                self.pair[u].eq(pairs & ~single[u]),
            ]
        m.d.comb += [
            self.row.eq(row + first_row(record) if sizes.skips else row),
            self.drained.eq(ends == DRAINED),
        ]
        wraps = Signal()
        m.d.comb += wraps.eq(last_turn & ((self.pe | pairs) == sizes.unit_pes - 1))
        # The rows of the last cells are shown after its last item, so that PEs and rows go on until they are all read.
        begins = wraps | self.drained
        with m.If(self.step):
            m.d.sync += [
                turn.eq(Mux(last_turn | self.drained, 0, turn + 1)),
                row_of_cell.eq(Mux(begins, 0, Mux(row_of_cell == GATES - 1, row_of_cell, row_of_cell + 1))),
                self.pe.eq(Mux(begins, 0, Mux(last_turn, self.pe + 1 + pairs, self.pe))),
                group.eq(Mux(self.drained, 0, group + wraps)),
            ]
            for u, items in enumerate(left):
                with m.If(self.valid[u]):
                    m.d.sync += items.eq(items - 1 - self.pair[u])
            with m.If(self.valid[0]):
                m.d.sync += self.rows.eq(Mux(record.dense, group + 1, (group + 1) << ceil_log2(GATES)))
            with m.If(none[0] & ~self.drained):
                m.d.sync += ends.eq(ends + 1)
        with m.If(self.launch):
            m.d.sync += [
                record.eq(self.phase),
                self.set.eq(self.fill_set),
                self.outputs.eq(~self.phase.output_last_only | self.last_step),
                self.zero.eq(self.zero_state),
                *(items.eq(count) for items, count in zip(left, counts, strict=True)),
                ends.eq(0),
                self.rows.eq(0),
            ]
        self._settings(m)
        return m

    def _lines(self, m: Module) -> list[Any]:
        """The lines of the format set, which stand long before the first item reaches its activations."""
        header, settings = self.header, self.settings
        if not self._sizes.design.more_sets:
            return [settings.gate_line.eq(header.gate_line), settings.cell_line.eq(header.cell_line)]
        number = self.record.format_set
        gates = [header.gate_line, *(self.lines[at][0] for at in range(len(self._sizes.design.more_sets)))]
        cells = [header.cell_line, *(self.lines[at][1] for at in range(len(self._sizes.design.more_sets)))]
        return [
            settings.format_set.eq(number),
            settings.gate_line.eq(later(m, Array(gates)[number], name="gate_line", shape=Line)),
            settings.cell_line.eq(later(m, Array(cells)[number], name="cell_line", shape=Line)),
        ]

    def _settings(self, m: Module) -> None:
        record, settings = self.record, self.settings
        m.d.comb += [
            settings.lstm.eq(record.lstm),
            settings.bias_shift.eq(record.bias_shift),
            settings.peephole_shift.eq(record.peephole_shift),
            settings.stored_shift.eq(record.stored_shift),
            settings.relu.eq(record.relu),
            settings.peepholes.eq(record.peepholes),
            settings.stores_output.eq(record.stores_output),
            settings.low.eq(record.low),
            settings.high.eq(record.high),
        ]
        m.d.comb += self._lines(m)
        if "gru" in self._sizes.design.cells:
            m.d.comb += settings.cell_kind.eq(record.cell_kind)
        shifts = record.bank_shift
        banks = self._sizes.design.acc_banks
        m.d.comb += [settings.bank_shift[b].eq(shifts[b] if banks > 1 else shifts) for b in range(banks)]
