# SPDX-License-Identifier: Apache-2.0
"""The sweeper: it clears the accumulators that a stage has read, in clocks in which the PEs have no entry."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ese_rtl.sizes import Sizes


class Sweeper(wiring.Component):
    """Gives one row to be cleared in a clock, through the PEs' own pipeline.

    Args:
        sizes: of the engine.
    """

    def __init__(self, sizes: Sizes) -> None:
        self._sizes = sizes
        super().__init__(
            {
                "launch": In(1),  # a stage begins,
                "launched_set": In(1),  # which reads this set
                "drained": In(1),  # it has read all its rows,
                "rows": In(sizes.row_bits + 1),  # which are so many in each PE
                "free": In(1),  # the PEs have no entry in this clock
                "forget": In(1),  # clear all rows of both sets
                "forgotten": Out(1),
                "pending": Out(2),  # by set: it is not yet clear
                "set": Out(1),  # that is to be cleared
                "sweep": Out(1),
                "row": Out(sizes.row_bits),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        """A counter that goes down to row 0. Until the stage has read its rows, it follows their number."""
        m = Module()
        forgetting, ended, some = Signal(), Signal(), Signal()
        follows_stage = self.pending.any() & self.drained
        last = Signal()  # the row is the last one, row 0
        m.d.comb += self.sweep.eq(forgetting | (follows_stage & self.free & ~ended & some))
        with m.If(self.sweep):
            m.d.sync += [self.row.eq(self.row - 1), last.eq(self.row == 1)]
        with m.Elif(~self.drained):
            m.d.sync += [self.row.eq(self.rows - 1), last.eq(self.rows == 1), some.eq(self.rows.any())]
        with m.If(forgetting & last):
            m.d.sync += [self.set.eq(1), forgetting.eq(~self.set), self.row.eq(self._sizes.rows - 1), last.eq(0)]
        m.d.sync += self.forgotten.eq(forgetting & last & self.set)
        with m.If(follows_stage & ((self.sweep & last) | ~some)):
            m.d.sync += ended.eq(1)
        # The set counts as clear a clock after its last row, so that no entry follows so closely that it would have to
        # be told of the clearing in another bank.
        with m.If(ended):
            m.d.sync += [ended.eq(0), self.pending.eq(0)]
        with m.If(self.launch):
            m.d.sync += [self.pending.eq(1 << self.launched_set), self.set.eq(self.launched_set)]
        with m.If(self.forget):
            m.d.sync += [forgetting.eq(1), self.set.eq(0), self.row.eq(self._sizes.rows - 1), last.eq(0)]
        return m
