# SPDX-License-Identifier: Apache-2.0
"""The beats of the PEs: the entries of a matrix one after the other, or rows to be cleared.

In skip mode every PE has entries of its own (`ese_rtl.skip`); a beat says which accumulators they belong to.
"""

from __future__ import annotations

from amaranth.hdl import Const, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ese_rtl.array import beat_layout
from ese_rtl.control.phase_table import first_row, phase_layout
from ese_rtl.sizes import Sizes


class Beats(wiring.Component):
    """Walks through the entries of a phase; what it asks of the PEs leaves it through registers.

    Args:
        sizes: of the engine.
    """

    def __init__(self, sizes: Sizes) -> None:
        self._sizes = sizes
        super().__init__(
            {
                "phase": In(phase_layout(sizes)),
                "set": In(1),  # that the phase fills
                "prepare": In(1),  # the phase may begin in the next clock
                "run": In(1),  # one entry in this clock
                "last": Out(1),  # this is the last one
                "sweep": In(1),  # clear a row in this clock, in which there is no entry
                "sweep_row": In(sizes.row_bits),
                "sweep_set": In(1),
                "beat": Out(beat_layout(sizes)),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        """Counters of entries, and the registers of a beat."""
        m = Module()
        sizes, design, phase = self._sizes, self._sizes.design, self.phase
        widths = design.widths
        left, first = Signal(signed(17)), Signal()  # entries that are left, less two
        address, slot = Signal(sizes.entry_address_bits), Signal(max(1, widths.slot_bits))
        start = Signal(sizes.position_bits)
        full = Signal() if design.full_phases else Const(0, 1)
        last_slot = slot == Mux(full, widths.per_word(True) - 1, widths.per_word(False) - 1)
        m.d.comb += self.last.eq(left[-1])
        with m.If(self.prepare):
            if sizes.skips:  # positions are counted within a column, and are rows
                m.d.sync += start.eq(first_row(phase))
            else:
                m.d.sync += [
                    left.eq(phase.entry_count - 2),
                    first.eq(1),
                    address.eq(phase.entry_base),
                    slot.eq(0),
                    start.eq(phase.source_base << phase.stride_log2),
                ]
            if design.full_phases:
                m.d.sync += full.eq(phase.rows.any())
        with m.If(self.run):
            m.d.sync += [
                left.eq(left - 1),
                first.eq(0),
                address.eq(address + last_slot),
                slot.eq(Mux(last_slot, 0, slot + 1)),
            ]
        beat = Signal(beat_layout(sizes), reset_less=True)
        run, sweep = Signal(), Signal()
        m.d.comb += [self.beat.eq(beat), self.beat.run.eq(run), self.beat.sweep.eq(sweep)]
        m.d.sync += [
            run.eq(self.run),
            sweep.eq(self.sweep),
            beat.set.eq(Mux(self.sweep, self.sweep_set, self.set)),
            beat.first.eq(first | self.sweep),
            beat.start.eq(Mux(self.sweep, self.sweep_row, start)),
            beat.address.eq(address),
            beat.slot.eq(slot),
            beat.stride.eq(sizes.row_bits if sizes.skips else Mux(self.sweep, sizes.row_bits, phase.stride_log2)),
            beat.source_ram.eq(phase.source_ram),
            beat.full.eq(full & ~self.sweep),  # a row to be cleared has no gap
        ]
        if design.window:
            m.d.sync += beat.base.eq(phase.source_base)
        if design.weights == "codebook4":
            m.d.sync += beat.book.eq(phase.codebook)
        if design.acc_banks > 1:
            m.d.sync += [beat.bank_positive.eq(phase.bank_positive), beat.bank_negative.eq(phase.bank_negative)]
        if design.full_phases and not sizes.skips:
            self._jumps(m, beat.jump)
        return m

    def _jumps(self, m: Module, jump: Signal) -> None:
        """In a full phase, the positions that are passed before the first row of every column but the first one."""
        phase = self.phase
        rows_left, begins_column = Signal(self._sizes.row_bits + 1), Signal()
        virtual = Signal(self._sizes.row_bits)  # rows between the last one and the stride
        with m.If(self.prepare):
            m.d.sync += [
                rows_left.eq(phase.rows),
                begins_column.eq(0),
                virtual.eq((1 << phase.stride_log2) - phase.rows),
            ]
        with m.If(self.run):
            m.d.sync += [
                rows_left.eq(Mux(rows_left == 1, phase.rows, rows_left - 1)),
                begins_column.eq(rows_left == 1),
            ]
        m.d.sync += jump.eq(Mux(begins_column, virtual, 0))
