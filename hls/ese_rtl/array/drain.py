# SPDX-License-Identifier: Apache-2.0
"""The drain: it brings the sums of an item from the accumulators of its PE to the element-wise unit."""

from __future__ import annotations

from amaranth.hdl import Array, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from ese_host.ir import GATES
from ese_rtl.pipeline import later
from ese_rtl.sizes import Sizes

DRAIN_LATENCY = 7
"""Ticks from an item at the drain's port to its sums."""
GROUP = 16
"""PEs among which the first stage of a multiplexer chooses."""


class Drain(wiring.Component):
    """Row addresses for all PEs of a unit, and four multiplexers of their accumulators, in stages.

    A PE shows the four rows of a cell in successive ticks. From PE to PE the rows come `cell_period` ticks later, by a
    chain of registers, so that with four PEs or more a cell leaves in every tick, and no multiplexer takes two rows in
    one. A tick is a clock in which the element-wise stage goes on.

    Rows of other matrices are shown by all PEs at once, by those of odd number a tick later; multiplexers 0 and 1 take
    them from two neighbours.

    Args:
        sizes: of the engine.
    """

    def __init__(self, sizes: Sizes) -> None:
        self._sizes = sizes
        acc = data.ArrayLayout(signed(sizes.design.acc_bits), sizes.design.acc_banks)
        super().__init__(
            {
                "dense": In(1),  # the items are rows of other matrices than an LSTM's
                "pe": In(sizes.pe_bits),  # of the item
                "row": In(sizes.row_bits),  # row that PE 0 shows in the next tick
                "rows": Out(data.ArrayLayout(sizes.row_bits, sizes.unit_pes)),
                "drained": In(data.ArrayLayout(acc, sizes.unit_pes)),
                "sums": Out(data.ArrayLayout(acc, GATES)),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        """The chain of rows and the four multiplexers."""
        m = Module()
        sizes = self._sizes
        rows = [later(m, self.row, name="row_0")]
        for p in range(1, sizes.unit_pes):
            rows.append(later(m, rows[-1], sizes.cell_period, name=f"row_{p}"))
        odd = later(m, rows[0], name="row_odd")
        m.d.comb += [self.rows[p].eq(Mux(self.dense, odd if p % 2 else rows[0], row)) for p, row in enumerate(rows)]
        pe = later(m, self.pe, 2, name="pe_2")
        for gate in range(GATES):
            # of two rows of another matrix, the second belongs to the next PE
            chosen = pe | (self.dense if sizes.paired else 0) if gate == 1 else pe
            total = self._chosen(m, chosen[: sizes.pe_bits], gate)
            m.d.comb += self.sums[gate].eq(later(m, total, GATES - 1 - gate, name=f"aligned_{gate}"))
            if gate + 1 < GATES:
                pe = later(m, pe, name=f"pe_{3 + gate}")
        return m

    def _chosen(self, m: Module, pe: Value, gate: int) -> Value:
        """The sums of one PE, two ticks after its number is given."""
        acc = self.drained.shape().elem_shape
        parts = []
        pes = self._sizes.unit_pes
        for group in range(0, pes, GROUP):
            members = Array(self.drained[p] for p in range(group, min(group + GROUP, pes)))
            part = Signal(acc, name=f"part_{gate}_{group}", reset_less=True)
            m.d.sync += part.eq(members[pe[: ceil_log2(len(members))]] if len(members) > 1 else members[0])
            parts.append(part)
        group = later(m, pe[ceil_log2(GROUP) :], name=f"group_{gate}")
        total = Signal(acc, name=f"total_{gate}", reset_less=True)
        m.d.sync += total.eq(Array(parts)[group] if len(parts) > 1 else parts[0])
        return total
