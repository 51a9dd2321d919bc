# SPDX-License-Identifier: Apache-2.0
"""The cycle model of the engine in HLS (csrc): its schedule in Python, phase by phase, equal to its own counter.

It follows engine.md, "Schedule". The engine fetches a phase, runs its matrix, and launches its element-wise stage.
The stage issues one item per unit and iteration, or two rows for a single unit, and writes each result WRITEBACK
iterations later. An input word is stored in every iteration in which nothing else uses vector RAM A. An iteration is a
clock cycle if the loop's initiation interval is 1. The depth of the hardware pipeline, paid once per sequence, is not
counted.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass

from ese_host.estimate.cycles.schedule import CycleModel, no_frame
from ese_host.image import ADD_DISTANCE, WRITEBACK, Phase
from ese_host.ir import GATES
from ese_host.protocol import OUTPUT_WORDS, TRACE_WORDS

LAUNCHED = ADD_DISTANCE - 2
"""Iterations between the launch of a stage and its first issue, in which the PEs add what they executed last."""
DRAINED = GATES + ADD_DISTANCE - 2
"""Iterations from the last issue until a phase may be fetched that fills the same accumulator set."""


def pairs_rows(units: int, pes: int) -> bool:
    """Whether an element-wise unit takes two rows of a matrix that is no LSTM's at once, from neighbouring PEs.

    The vector RAMs take two elements in an iteration, which are one of each unit if there are two of them.

    Args:
        units: number of element-wise units.
        pes: number of processing elements.
    """
    return units == 1 and pes % 2 == 0


@dataclass
class ElementwiseStage:
    """An element-wise stage under way.

    Attributes:
        first: iteration of the first issue.
        period: iterations from one issue to the next.
        issues: number of issues.
        words: output words that leave for each item.
        last_words: output words that leave for the items of the last issue.
        set: accumulator set that the stage drains.
        targets: numbers of the vector RAMs that the stage writes.
    """

    first: int = 0
    period: int = 1
    issues: int = 0
    words: int = 0
    last_words: int = 0
    set: bool = False
    targets: frozenset[int] = frozenset()

    @property
    def issued(self) -> int:
        """Iteration of the last issue."""
        return self.first + (self.issues - 1) * self.period

    @property
    def written(self) -> int:
        """Iteration of the last write."""
        return self.issued + WRITEBACK

    def writes_before(self, end: int) -> int:
        """Number of results that are written before iteration `end`."""
        return min(self.issues, max(0, -(-(end - self.first - WRITEBACK) // self.period)))


@dataclass
class Frames:
    """Input frames on their way into vector RAM A.

    Attributes:
        frame_words: 32-bit words of a frame.
        left: frames that have not begun yet.
        words: words of the current frame that are not yet stored.
        ready: whether the current frame is stored completely.
        at: iteration up to which words have been stored.
        begun: iteration from which words of the current frame are stored.
        stored: iteration up to which they have been stored, once all are, if it is `timed`.
        timed: whether that iteration is found too, which takes time.
    """

    frame_words: int
    left: int
    words: int = 0
    ready: bool = False
    at: int = 0
    begun: int = 0
    stored: int = 0
    timed: bool = False

    def next(self) -> None:
        """Begin the next frame if there is one."""
        self.ready, self.begun = False, self.at
        self.words = self.frame_words if self.left else 0
        self.left = max(0, self.left - 1)

    def advance(self, end: int, reading: bool, stage: ElementwiseStage) -> None:
        """Store words in the iterations from `at` to `end`, `end` not included.

        Args:
            end: the first iteration after these.
            reading: whether the PEs read vector RAM A in these iterations.
            stage: the element-wise stage, which may write vector RAM A.
        """
        free = 0 if reading else self._free(end, stage)
        if self.words:
            if self.timed and free >= self.words:
                self.stored = self.complete_at(stage)
            self.words = max(0, self.words - free)
            self.ready = self.words == 0
        self.at = end

    def complete_at(self, stage: ElementwiseStage) -> int:
        """The iteration before which the current frame is stored completely, if the PEs do not read vector RAM A."""
        ends = range(self.at, self.at + self.words + stage.issues + 1)
        return ends[bisect_left(ends, self.words, key=lambda end: self._free(end, stage))]

    def _free(self, end: int, stage: ElementwiseStage) -> int:
        """Number of iterations from `at` to `end`, `end` not included, in which the stage leaves vector RAM A free."""
        written = stage.writes_before(end) - stage.writes_before(self.at) if 0 in stage.targets else 0
        return end - self.at - written


class HlsCycleModel(CycleModel):
    """The schedule of a step's phases in csrc, iteration by iteration."""

    def _begin(self, steps: int) -> None:
        self.stage = ElementwiseStage()
        self.frames = Frames(self.frame_words, steps, timed=self.spans is not None)
        self.frames.next()

    def _finish(self) -> None:
        self._wait(self.stage.written if self.stage.issues else self.now)
        if self.stage.issues:
            tail = self.stage.written + max(self.stage.last_words, 1)
            self.account.spend("output", max(0, tail - self.now))
            self.now = max(self.now, tail)

    def _skip(self) -> None:
        """Leave a phase out, after its record has been read."""
        self._pass("fill", 2)

    def _end_of_table(self) -> None:
        self._pass("fill", 1)

    def _phase(self, number: int, phase: Phase, accumulator_set: bool, last: bool, zero: bool) -> None:
        source = int(phase.has("source_ram"))
        self._pass("fill", 1)
        if source in self.stage.targets:
            self._wait(self.stage.written)
        elif self.stage.issues and self.stage.set == accumulator_set:
            self._wait(self.stage.issued + DRAINED)
        if phase.has("waits_frame"):
            self._wait_frame(number)
        self._pass("fill", 1)
        if phase.entry_count and not (phase.has("zero_state") and zero):
            self._execute(number, phase)
            self.frames.advance(self.now, source == 0, self.stage)
        if phase.has("frees_frame"):
            if self.frames.ready:
                self._record("input", self.frames.begun, self.frames.stored)
            self.frames.next()
        if phase.computes:
            if self.stage.issues:
                self._wait(self.stage.written)
            self._pass("fill", 1)
            self._launch(phase, accumulator_set, last)
            if self.stage.issues:
                self._record("element-wise", self.stage.first, self.stage.written + 1, phase=number)

    def _launch(self, phase: Phase, accumulator_set: bool, last: bool) -> None:
        outputs = last or not phase.has("output_last_only")
        exact = phase.has("emits") and outputs and not phase.has("emits_stored")
        stored = phase.has("emits") and outputs and phase.has("emits_stored")
        words = TRACE_WORDS if self.trace else OUTPUT_WORDS if exact else 0
        targets = {int(phase.has("first_ram"))} if phase.has("first_enabled") else set()
        if phase.has("second_enabled") and outputs:
            targets.add(int(phase.has("second_ram")))
        # rows with words of their own leave no faster two at a time
        paired = pairs_rows(self.units, self.pes) and not phase.has("lstm") and not words
        items = 2 if paired else self.units  # of an issue
        issues = -(-phase.items // items)
        if not issues:
            self.stage = ElementwiseStage()
            return
        rows = -(-GATES // (self.pes // self.units)) if phase.has("lstm") else 1
        last_items = phase.items - (issues - 1) * items
        self.stage = ElementwiseStage(
            self.now + LAUNCHED,
            max(rows, words * self.units),
            issues,
            words,
            last_words=words * last_items if words else int(stored),
            set=accumulator_set,
            targets=frozenset(targets),
        )

    def _pass(self, cause: str, iterations: int, shown: str | None = None) -> None:
        """Spend iterations in which the PEs read no vector RAM; a timeline shows another cause if `shown` is given."""
        self.account.spend(cause, iterations)
        if self.spans is not None:
            self._record("PEs", self.now, self.now + iterations, cause=shown or cause)
        self.now += iterations
        self.frames.advance(self.now, False, self.stage)

    def _wait(self, until: int) -> None:
        """Wait for the element-wise stage until iteration `until`."""
        while self.now < until:
            issuing = self.now <= self.stage.issued
            end = min(until, self.stage.issued + 1) if issuing else until
            if issuing and self.stage.period > 1:
                # One iteration of each period issues items; the others wait for the output stream.
                work = (end - self.now) / self.stage.period
                self.account.spend("element-wise", work)
                self._pass("output", end - self.now, shown="element-wise")
                self.account.spend("output", -work)
            else:
                self._pass("element-wise" if issuing else "fill", end - self.now)

    def _wait_frame(self, number: int) -> None:
        """Wait until the current frame is complete at the end of an iteration."""
        if not self.frames.ready and not self.frames.words:
            raise no_frame(number)
        self._pass("input", max(0, self.frames.complete_at(self.stage) - 1 - self.now))
