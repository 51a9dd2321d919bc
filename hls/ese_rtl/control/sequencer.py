# SPDX-License-Identifier: Apache-2.0
"""The sequencer: it decides which phase the PEs run, and when an element-wise stage begins."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ese_rtl.array import FILL_LATENCY
from ese_rtl.control.phase_table import phase_layout
from ese_rtl.control.retire import overtaking_ports
from ese_rtl.records import Header
from ese_rtl.sizes import Sizes
from ese_rtl.states import States

SETTLE = FILL_LATENCY - 2
"""Clocks from the last entry of a matrix to the launch of its stage, whose first read comes two clocks later."""

_SKIP_PORTS: dict[str, Any] = {
    "number": Out(7),  # of the phase
    "persistent": In(1),  # sums of some phases stay from step to step
    "forget": Out(1),  # clear all accumulators,
    "forgotten": In(1),  # which is done
}


class Sequencer(wiring.Component):
    """Runs the phases of a sequence, in the order of the table, step by step.

    Args:
        sizes: of the engine.
    """

    def __init__(self, sizes: Sizes) -> None:
        self._sizes = sizes
        super().__init__(
            {
                "header": In(Header),
                "start": In(1),
                "steps": In(17),
                "zero": In(1),  # h and c are zero at the start
                "done": Out(1),
                "active": Out(1),  # a sequence is being run
                "index": Out(7),
                "record": In(phase_layout(sizes)),  # of the phase with this index
                "phase": Out(phase_layout(sizes)),  # the one that was fetched last
                "fill_set": Out(1),  # accumulator set that it fills
                "frame_begin": Out(1),
                "frame_next": Out(1),  # the frame is no longer needed
                "frame_comes": In(1),  # a frame is being stored
                "prepare": Out(1),  # a matrix may begin in the next clock
                "run": Out(1),  # the PEs execute an entry,
                "last_entry": In(1),  # and it is the last one
                "launch": Out(1),  # a stage begins
                "last_step": Out(1),
                "zero_state": Out(1),
                "stage_busy": In(1),
                "stage_targets": In(data.ArrayLayout(1, 2)),  # vector RAMs that the stage still writes
                "sweep_pending": In(2),  # by set: it is not yet clear
                **overtaking_ports(sizes, In),
                **(_SKIP_PORTS if sizes.skips else {}),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        """One state machine."""
        m = Module()
        phase = self.phase
        prologue, odd_step = Signal(), Signal()
        steps_left = Signal(signed(18))  # less two
        some = Signal(2)  # a half of the number of the phase's entries is not zero
        zero = Signal()  # all that the phase would multiply by is zero
        ends_stage = Signal()  # its sums are complete, and its stage follows
        phases_left = Signal(signed(8))  # less one
        settle = Signal(range(SETTLE + 1))
        left_out = Signal()  # the phase is not run in this step
        same, compared = Signal(2), Signal()  # by vector RAM: the phase reads from where the stage writes
        follows = Signal()  # so does it, and the stage is far enough ahead
        forgets = ("forget",) if self._sizes.skips else ()
        states = States(m, ("idle", *forgets, "fetch", "check", "matrix", "settle", "launch", "finish"))
        m.d.comb += self.last_step.eq(steps_left[-1])

        def first_phase() -> None:
            m.d.sync += [self.index.eq(0), phases_left.eq(self.header.phases - 1)]

        def end_of_matrix() -> None:
            m.d.sync += self.frame_next.eq(phase.frees_frame)
            with m.If(ends_stage):
                m.d.sync += settle.eq(SETTLE)
                states.go("settle")
            with m.Else():
                states.go("fetch")

        m.d.sync += self.frame_next.eq(0)
        m.d.comb += self.active.eq(~states.within("idle"))
        with states.state("idle"), m.If(self.start):
            m.d.comb += self.frame_begin.eq(1)
            first_phase()
            m.d.sync += [
                prologue.eq(1),
                odd_step.eq(0),
                self.zero_state.eq(self.zero),
                steps_left.eq(self.steps - 2),
            ]
            if forgets:
                with m.If(self.persistent & self.zero):
                    m.d.sync += self.forget.eq(1)
                    states.go("forget")
                with m.Else():
                    states.go("fetch")
            else:
                states.go("fetch")
        if forgets:
            with states.state("forget"):
                m.d.sync += self.forget.eq(0)
                with m.If(self.forgotten):
                    states.go("fetch")
        with states.state("fetch"):
            record = self.record
            m.d.sync += [
                phase.eq(record),
                compared.eq(0),
                follows.eq(0),
                some.eq(Cat(record.entry_count[:8].any(), record.entry_count[8:].any())),
                zero.eq(record.zero_state & self.zero_state),
                ends_stage.eq(record.lstm | record.dense),
                left_out.eq(Mux(prologue, ~record.ahead, Mux(self.last_step, record.ahead, record.last_only))),
                self.fill_set.eq(record.set ^ (self.header.alternate & (odd_step ^ (record.ahead & ~prologue)))),
            ]
            if self._sizes.skips:
                m.d.sync += self.number.eq(self.index)
            with m.If(~phases_left[-1]):
                m.d.sync += [self.index.eq(self.index + 1), phases_left.eq(phases_left - 1)]
                states.go("check")
            with m.Else():
                first_phase()
                m.d.sync += prologue.eq(0)
                with m.If(~prologue):
                    m.d.sync += [
                        self.zero_state.eq(0),
                        odd_step.eq(~odd_step),
                        steps_left.eq(steps_left - 1),
                    ]
                    with m.If(self.last_step):
                        states.go("finish")
        with states.state("check"):
            m.d.comb += self.prepare.eq(1)
            written = Mux(phase.source_ram, self.stage_targets[1], self.stage_targets[0])
            if self._sizes.design.window:
                m.d.sync += [
                    *(same[r].eq(phase.source_base == self.bases[r]) for r in range(2)),
                    compared.eq(1),
                    follows.eq(compared & self.readable & Mux(phase.source_ram, same[1], same[0])),
                ]
                written &= ~follows
            not_clear = Mux(self.fill_set, self.sweep_pending[1], self.sweep_pending[0])
            # A frame is waited for only while one is being stored, because a hostile image may ask for more than
            # there are.
            with m.If(left_out):
                states.go("fetch")
            with m.Elif(~written & ~not_clear & ~(phase.waits_frame & self.frame_comes)):
                with m.If(~some.any() | zero):
                    end_of_matrix()
                with m.Else():
                    states.go("matrix")
        with states.state("matrix"):
            m.d.comb += self.run.eq(1)
            with m.If(self.last_entry):
                end_of_matrix()
        with states.state("settle"):
            m.d.sync += settle.eq(settle - 1)
            with m.If(settle == 1):
                states.go("launch")
        with states.state("launch"), m.If(~self.stage_busy & ~self.sweep_pending.any()):
            m.d.comb += self.launch.eq(1)
            states.go("fetch")
        # A frame that is being stored is stored to its end, although no phase of a hostile image may wait for it.
        with states.state("finish"), m.If(~self.stage_busy & ~self.sweep_pending.any() & ~self.frame_comes):
            m.d.comb += self.done.eq(1)
            states.go("idle")
        return m
