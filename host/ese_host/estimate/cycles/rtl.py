# SPDX-License-Identifier: Apache-2.0
"""The cycle model of the RTL engine: its schedule in Python, phase by phase, equal to its own counter.

It follows rtl-engine.md. A clock is counted unless the engine waits for an input word that is not there, or for
the output stream.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from math import inf

from ese_host.estimate.cycles.schedule import CycleModel, no_frame
from ese_host.image import Phase
from ese_host.ir import GATES
from ese_host.protocol import OUTPUT_WORDS, TRACE_WORDS

SETTLE = 9
"""Clocks from the last entry of a matrix to the first in which its stage may be launched."""
DRAIN = 7
"""Ticks from an item to its sums."""
CELL_LATENCIES, DENSE_LATENCY = {"lstm": 39, "gru": 34, "gru_before": 34, "reset": 22}, 12
"""Ticks from the sums of a cell, by its kind, or of another matrix's row, to the result; one more with four banks."""
CHOICES = {"lstm": 3, "gru": 2, "gru_before": 2, "reset": 2}
"""Ticks that a cell takes longer in a design of several format sets, between whose codes it chooses."""
HALVES = 2
"""Outputs as stored that share a word."""
DRAINED = 5
"""Ticks from the last item to the first in which its accumulators may be cleared."""
FOLLOWS = 2
"""Clocks from the result that is half of a stage's to the first in which a phase that reads them may begin."""
COMPARED = 2
"""Clocks of a check until it is known that a phase reads from where a stage writes."""
READ_AHEAD = 6
"""Clocks from an entry to the one in which its activation is read, less those from an input word to its write."""


@dataclass
class RtlStage:
    """An element-wise stage under way. Its results leave at `first`, `first` + `period`, ...

    Attributes:
        results: number of results; what all units give at once is one: cells, or one or two rows of each.
        first: clock in which the first result is written.
        period: clocks from one result to the next.
        last: clock in which the last result is written.
        issued: clock in which the last item is read.
        drained: clock from which its accumulators may be cleared.
        period_words: words that leave for each result, if more than one.
        set: accumulator set that it reads.
        targets: for each vector RAM that it writes, the first element that is written.
        readable: first clock in which a window may begin to read what the stage writes.
    """

    results: int = 0
    first: int = 0
    period: int = 1
    last: int = -1
    issued: int = -1
    drained: int = 0
    period_words: int = 1
    set: bool = False
    targets: dict[int, int] = field(default_factory=dict)
    readable: float = inf

    def writes(self, begin: int, end: int) -> int:
        """Results written in the clocks from `begin` to `end`, `end` not included."""
        return self._before(end) - self._before(begin)

    def _before(self, end: int) -> int:
        if end > self.last:
            return self.results
        return min(max(0, self.results - 1), max(0, -(-(end - self.first) // self.period)))


@dataclass
class Sweep:
    """Rows that are still to be cleared; `clear` is the clock from which the set counts as clear, once it is known."""

    left: int = 0
    ready: int = 0
    clear: int | None = 0
    set: bool = False

    def advance(self, begin: int, end: int) -> None:
        """Clear a row in each clock from `begin` to `end`, `end` not included, as soon as it may be."""
        begin = max(begin, self.ready)
        if self.clear is None and begin < end:
            done = min(self.left, end - begin)
            self.left -= done
            if not self.left:
                self.clear = begin + max(done, 1) + 1

    def clear_at(self, now: int) -> int:
        """The clock from which the set counts as clear, if there is no entry from `now` on."""
        return self.clear if self.clear is not None else max(now, self.ready) + max(self.left, 1) + 1


@dataclass
class RtlFrames:
    """Input frames on their way into vector RAM A.

    Attributes:
        frame_words: words of a frame.
        left: frames not yet begun.
        words: words of the current frame that are not yet stored.
        ready: whether the current frame is stored.
        at: clock up to which words have been stored.
        begun: clock from which words of the current frame are stored.
        stored: clock up to which they have been stored, once all are, if it is `timed`.
        timed: whether that clock is found too, which takes time.
        reads: clocks in which vector RAM A is read, as (first, behind the last).
    """

    frame_words: int
    left: int
    words: int = 0
    ready: bool = False
    at: int = 0
    begun: int = 0
    stored: int = 0
    timed: bool = False
    reads: list[tuple[int, int]] = field(default_factory=list)

    def next(self, now: int) -> None:
        """Begin the next frame, whose words are stored from clock `now` on, if there is one."""
        self.ready, self.at, self.begun = False, now, now
        self.words = self.frame_words if self.left else 0
        self.left = max(0, self.left - 1)

    def advance(self, end: int, stage: RtlStage) -> None:
        """Store words in the clocks up to `end`, `end` not included."""
        if self.words and end > self.at:
            free = self._free(end, stage)
            if self.timed and free >= self.words:
                self.stored = self.complete_at(stage)
            self.words = max(0, self.words - free)
            self.ready = not self.words
        self.at = max(self.at, end)
        self.reads = [interval for interval in self.reads if interval[1] > self.at]

    def complete_at(self, stage: RtlStage) -> int:
        """The first clock in which the frame is ready."""
        latest = self.at + self.words + stage.results + sum(b - a for a, b in self.reads)
        return self.at + bisect_left(range(self.at, latest), self.words, key=lambda end: self._free(end, stage))

    def _free(self, end: int, stage: RtlStage) -> int:
        free = end - self.at - (stage.writes(self.at, end) if 0 in stage.targets else 0)
        for first, last in self.reads:
            begin, behind = max(self.at, first), min(end, last)
            if begin < behind:
                free -= behind - begin - (stage.writes(begin, behind) if 0 in stage.targets else 0)
        return free


class RtlCycleModel(CycleModel):
    """The schedule of a step's phases on the RTL engine, clock by clock."""

    def _begin(self, steps: int) -> None:
        self.rtl_stage, self.sweep = RtlStage(), Sweep()
        self.rtl_frames = RtlFrames(self.frame_words, steps, timed=self.spans is not None)
        self.rtl_frames.next(0)

    def _finish(self) -> None:
        self._stage_written()
        self._sweep_over()
        self._spend("fill", 1)

    def _phase(self, number: int, phase: Phase, accumulator_set: bool, last: bool, zero: bool) -> None:
        source = int(phase.has("source_ram"))
        self._spend("fill", 1)  # fetched
        if source in self.rtl_stage.targets:
            follows = phase.window and phase.source_base == self.rtl_stage.targets[source]
            self._stage_written(max(self.now + COMPARED, self.rtl_stage.readable) if follows else inf)
        if self.sweep.set == accumulator_set:
            self._sweep_over()
        if phase.has("waits_frame"):
            self._frame_ready(number)
        self._spend("fill", 1)  # checked
        if phase.entry_count and not (phase.has("zero_state") and zero):
            if source == 0:
                begin = self.now + READ_AHEAD
                self.rtl_frames.reads.append((begin, begin + phase.entry_count))
            self._execute(number, phase)
            self.rtl_frames.advance(self.now, self.rtl_stage)
        if phase.has("frees_frame"):
            if self.rtl_frames.ready:
                self._record("input", self.rtl_frames.begun, self.rtl_frames.stored)
            self.rtl_frames.next(self.now + READ_AHEAD - 1)
        if phase.computes:
            self._spend("fill", SETTLE)
            self._stage_written()
            self._sweep_over()
            self._spend("fill", 1)
            begin = self.now
            self._launch(phase, accumulator_set, last)
            self._record("element-wise", begin, self.rtl_stage.last + 1, phase=number)

    def _skip(self) -> None:
        self._spend("fill", 2)

    def _end_of_table(self) -> None:
        self._spend("fill", 1)

    def _launch(self, phase: Phase, accumulator_set: bool, last: bool) -> None:
        outputs = last or not phase.has("output_last_only")
        cells = phase.has("lstm")
        pes = self.pes // self.units  # of a unit
        items = self.units * (1 if cells or pes % 2 else 2)  # of a result
        results = -(-phase.items // items)
        words, last_words = (self._words(phase, outputs, n) for n in (items, phase.items - (results - 1) * items))
        period = -(-GATES // pes) if cells else 1
        targets = {}
        if phase.has("second_enabled") and outputs:
            targets[int(phase.has("second_ram"))] = phase.second_base
        if phase.has("first_enabled"):
            targets[int(phase.has("first_ram"))] = phase.first_base
        begin = self.now  # the clock of the first tick
        latency = DRAIN + (CELL_LATENCIES[phase.kind] if cells else DENSE_LATENCY) + (self.banks == 4)
        if cells and self.sets > 1:
            latency += CHOICES[phase.kind]
        stage = RtlStage(set=accumulator_set)
        if results:
            apart = period + words - 1
            stage.results, stage.period, stage.period_words = results, apart, words
            stage.first = begin + latency + words - 1
            before = begin + latency + (results - 1) * apart
            stage.last = before + last_words - 1
            if results == 1:
                stage.first = stage.last
            stage.targets = targets
            if not (self.trace or (phase.has("emits") and outputs and not phase.has("emits_stored")) or period > 1):
                of_unit = -(-phase.items // self.units)
                half = -(-of_unit // 2)  # results of a unit that come before
                stage.readable = begin + latency + (-(-half // (items // self.units)) - 1) * apart + FOLLOWS

        def clock(tick: int) -> int:
            """The clock of a tick: while its words leave, a result holds the stage."""
            passed = min(max(0, -(-(tick - latency) // period)), results)
            held = passed * (words - 1) - (words - last_words if passed == results and results else 0)
            return begin + tick + held

        last_item = (results - 1) * period
        stage.issued = clock(last_item) if results else begin
        stage.drained = clock(last_item + DRAINED) if results else begin + DRAINED - 1
        groups = -(-phase.items // self.pes)
        rows = 0 if phase.resets else groups * (GATES if cells else 1)
        self.sweep = Sweep(rows, stage.drained, None if rows else stage.drained + 2, accumulator_set)
        self.rtl_stage = stage

    def _words(self, phase: Phase, outputs: bool, items: int) -> int:
        """Clocks of a result: the words that leave for it, or one.

        Args:
            phase: whose stage it is of.
            outputs: whether outputs leave in this step.
            items: of the result.
        """
        if self.trace:
            return TRACE_WORDS * items
        if not (phase.has("emits") and outputs):
            return 1
        return -(-items // HALVES) if phase.has("emits_stored") else OUTPUT_WORDS * items

    def _spend(self, cause: str, clocks: int, shown: str | None = None) -> None:
        """Spend clocks in which the PEs have no entry; a timeline shows another cause if `shown` is given."""
        if clocks > 0:
            self.account.spend(cause, clocks)
            if self.spans is not None:
                self._record("PEs", self.now, self.now + clocks, cause=shown or cause)
            self.sweep.advance(self.now, self.now + clocks)
            self.now += clocks
            self.rtl_frames.advance(self.now, self.rtl_stage)

    def _stage_written(self, enough: float = inf) -> None:
        """Wait until the last result of the stage has been written.

        Args:
            enough: clock at which the wait ends in any case.
        """
        stage = self.rtl_stage
        end = int(min(enough, stage.last + 1))
        working = min(stage.issued + 1, end) - self.now
        if working > 0:
            leaving = working * (stage.period_words - 1) // max(1, stage.period)
            self._spend("element-wise", working - leaving)
            self._spend("output", leaving, shown="element-wise")
        self._spend("fill", end - self.now)

    def _sweep_over(self) -> None:
        self._spend("fill", self.sweep.clear_at(self.now) - self.now)

    def _frame_ready(self, number: int) -> None:
        if not self.rtl_frames.ready and not self.rtl_frames.words:
            raise no_frame(number)
        if not self.rtl_frames.ready:
            self._spend("input", self.rtl_frames.complete_at(self.rtl_stage) - self.now)
