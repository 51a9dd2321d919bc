"""The sequencer: it decides which phase the PEs run, and when an element-wise stage begins."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ese_rtl.array import FILL_LATENCY
from ese_rtl.control.phase_table import phase_layout
from ese_rtl.records import Header
from ese_rtl.sizes import Sizes

SETTLE = FILL_LATENCY - 2
"""Clocks from the last entry of a matrix to the launch of its stage, whose first read comes two clocks later."""


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
                "frame_next": Out(1),
                "frame_storing": In(1),
                "frame_ready": In(1),
                "prepare": Out(1),  # a matrix may begin in the next clock
                "run": Out(1),  # the PEs execute an entry,
                "last_entry": In(1),  # and it is the last one
                "launch": Out(1),  # a stage begins
                "last_step": Out(1),
                "zero_state": Out(1),
                "stage_busy": In(1),
                "stage_targets": In(data.ArrayLayout(1, 2)),  # vector RAMs that the stage still writes
                "sweep_pending": In(1),  # a set is not yet clear
                "sweep_set": In(1),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        """One state machine."""
        m = Module()
        phase = self.phase
        prologue, odd_step, steps_left = Signal(), Signal(), Signal(17)
        settle = Signal(range(SETTLE + 1))
        m.d.comb += [
            self.last_step.eq(steps_left == 1),
            self.fill_set.eq(phase.set ^ (self.header.alternate & (odd_step ^ (phase.ahead & ~prologue)))),
        ]

        def next_phase() -> None:
            m.d.sync += self.index.eq(self.index + 1)
            m.next = "fetch"

        def end_of_matrix() -> None:
            m.d.comb += self.frame_next.eq(phase.frees_frame)
            with m.If(phase.lstm | phase.dense):
                m.d.sync += settle.eq(SETTLE)
                m.next = "settle"
            with m.Else():
                next_phase()

        with m.FSM(name="state", init="idle") as states:
            m.d.comb += self.active.eq(~states.ongoing("idle"))
            with m.State("idle"), m.If(self.start):
                m.d.comb += self.frame_begin.eq(1)
                m.d.sync += [
                    self.index.eq(0),
                    prologue.eq(1),
                    odd_step.eq(0),
                    self.zero_state.eq(self.zero),
                    steps_left.eq(self.steps),
                ]
                m.next = "fetch"
            with m.State("fetch"):
                m.d.sync += phase.eq(self.record)
                with m.If(self.index != self.header.phases):
                    m.next = "check"
                with m.Else():
                    m.d.sync += [self.index.eq(0), prologue.eq(0)]
                    with m.If(~prologue):
                        m.d.sync += [
                            self.zero_state.eq(0),
                            odd_step.eq(~odd_step),
                            steps_left.eq(steps_left - 1),
                        ]
                        with m.If(self.last_step):
                            m.next = "finish"
            with m.State("check"):
                m.d.comb += self.prepare.eq(1)
                left_out = Mux(prologue, ~phase.ahead, Mux(self.last_step, phase.ahead, phase.last_only))
                written = Mux(phase.source_ram, self.stage_targets[1], self.stage_targets[0])
                not_clear = self.sweep_pending & (self.sweep_set == self.fill_set)
                # A frame is waited for only while one is being stored, because a hostile image may ask for more than
                # there are.
                frame_comes = phase.waits_frame & ~self.frame_ready & self.frame_storing
                with m.If(left_out):
                    next_phase()
                with m.Elif(~written & ~not_clear & ~frame_comes):
                    with m.If((phase.entry_count == 0) | (phase.zero_state & self.zero_state)):
                        end_of_matrix()
                    with m.Else():
                        m.next = "matrix"
            with m.State("matrix"):
                m.d.comb += self.run.eq(1)
                with m.If(self.last_entry):
                    end_of_matrix()
            with m.State("settle"):
                m.d.sync += settle.eq(settle - 1)
                with m.If(settle == 1):
                    m.next = "launch"
            with m.State("launch"), m.If(~self.stage_busy & ~self.sweep_pending):
                m.d.comb += self.launch.eq(1)
                next_phase()
            with m.State("finish"), m.If(~self.stage_busy & ~self.sweep_pending):
                m.d.comb += self.done.eq(1)
                m.next = "idle"
        return m
