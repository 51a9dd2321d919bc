# SPDX-License-Identifier: Apache-2.0
"""The common part of both engines' cycle models: causes of cycles, and the order of a step's phases."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

from ese_host.errors import FormatError, UnsupportedError
from ese_host.image import Design, Image, Phase, padding_entries
from ese_host.protocol import step_words

CAUSES = {
    "compute": "entries that carry weights",
    "padding": "padding entries and stored zeros",
    "imbalance": "PEs wait for the fullest PE",
    "element-wise": "waiting for the element-wise stage",
    "fill": "filling and draining pipelines, and phase changes",
    "input": "waiting for input words",
    "output": "waiting for output words",
}
"""Causes of iterations, and what each of them is."""
STEADY = 8
"""Number of a step that is in the steady state; even, because accumulator sets may alternate."""


@dataclass
class Account:
    """Iterations of a sequence.

    Attributes:
        total: all iterations.
        by_cause: iterations by the names in `CAUSES`.
        matrix: iterations in which the PEs work.
    """

    total: int = 0
    by_cause: dict[str, float] = field(default_factory=lambda: dict.fromkeys(CAUSES, 0.0))
    matrix: int = 0

    def spend(self, cause: str, iterations: float) -> None:
        """Add iterations to a cause."""
        self.by_cause[cause] += iterations


@dataclass(frozen=True)
class PhaseWork:
    """Iterations of a PE in one phase, as a mean over all PEs.

    Attributes:
        weights: entries that carry weights.
        padding: entries that carry none.
        idle: iterations of waiting for the fullest PE.
    """

    weights: float
    padding: float
    idle: float


Lane = Literal["PEs", "element-wise", "input"]
LANES: tuple[Lane, ...] = get_args(Lane)
"""Parts of the engine that work at the same time: the PEs, the element-wise stage, the input of frames."""


@dataclass(frozen=True)
class Span:
    """Iterations in which a part of the engine does one thing.

    Attributes:
        lane: the part.
        begin: the first iteration.
        end: the first iteration after them.
        phase: number of the phase; None if there is none, because input words belong to no phase and waits to several.
        cause: what the PEs wait for, as in `CAUSES`; None if they work.
    """

    lane: Lane
    begin: int
    end: int
    phase: int | None = None
    cause: str | None = None


class CycleModel(ABC):
    """The schedule of a step's phases, iteration by iteration."""

    def __init__(
        self,
        phases: Sequence[Phase],
        work: Sequence[PhaseWork],
        units: int,
        alternate: bool,
        inputs: int,
        pes: int = 1,
        banks: int = 1,
        sets: int = 1,
    ) -> None:
        """Build the model of one step.

        Args:
            phases: phases of one step, with their entry counts.
            work: work of the PEs in each phase.
            units: number of element-wise units.
            alternate: whether the accumulator sets change roles with every step.
            inputs: elements of an input frame.
            pes: number of processing elements.
            banks: accumulators of a row.
            sets: format sets of the design.
        """
        self.pes, self.banks, self.sets = pes, banks, sets
        self.phases, self.work = tuple(phases), tuple(work)
        self.spans: list[Span] | None = None
        self.units, self.alternate, self.frame_words = units, alternate, step_words(inputs)

    @classmethod
    def of_image(cls, image: Image, design: Design) -> CycleModel:
        """The schedule of one image on one design.

        Raises:
            UnsupportedError: if the design is in skip mode, where iterations depend on the data.
        """
        if design.mode == "skip":
            raise UnsupportedError(
                "the cycles of skip mode depend on the data and are not modelled: read the engine's own cycle counter "
                "instead"
            )
        padding = padding_entries(image, design)
        work = [
            PhaseWork(float(counts.mean() - pads.mean()), float(pads.mean()), float(phase.entry_count - counts.mean()))
            for phase, counts, pads in zip(image.phases, image.counts, padding, strict=True)
        ]
        return cls(
            image.phases,
            work,
            design.cells_per_cycle,
            image.alternate,
            image.header["inputs"],
            design.pes,
            design.acc_banks,
            len(design.sets),
        )

    def sequence(self, steps: int, *, keep: bool = False, trace: bool = False) -> Account:
        """Count the cycles of one sequence.

        Args:
            steps: number of frames.
            keep: whether the sequence continues from the state of the one before instead of the zero state.
            trace: whether the engine sends a trace of every stage.

        Raises:
            FormatError: if a phase waits for an input frame after the last one has been read.
        """
        self.account, self.trace, self.now = Account(), trace, 0
        self.begins: list[int] = []
        self._begin(steps)
        self._table(0, prologue=True, last=False, zero=not keep)
        for step in range(steps):
            self.begins.append(self.now)
            self._table(step, prologue=False, last=step == steps - 1, zero=not keep and step == 0)
        self._finish()
        self.account.total = self.now
        return self.account

    def timeline(self, step: int) -> tuple[Span, ...]:
        """The work of each part of the engine in one step, from its first iteration, number 0, to the next step's.

        Args:
            step: number of the step in a sequence that goes on after it; late enough, it is in the steady state.

        Raises:
            FormatError: as in `sequence`.
        """
        spans: list[Span] = []
        self.spans = spans
        try:
            # a frame is recorded when it is freed, which may be in the next step, but in no step that is the last
            self.sequence(step + 3)
        finally:
            self.spans = None
        begin, end = self.begins[step], self.begins[step + 1]
        inside = (span for span in spans if span.begin < end and span.end > begin)
        clipped = (
            replace(span, begin=max(span.begin, begin) - begin, end=min(span.end, end) - begin) for span in inside
        )
        joined: list[Span] = []
        for span in sorted(clipped, key=lambda span: (span.lane, span.begin)):
            if joined and span.cause is not None and (joined[-1].cause, joined[-1].end) == (span.cause, span.begin):
                joined[-1] = replace(joined[-1], end=span.end)  # a wait that goes on
            else:
                joined.append(span)
        return tuple(sorted(joined, key=lambda span: (span.begin, span.end)))

    def _record(self, lane: Lane, begin: int, end: int, *, phase: int | None = None, cause: str | None = None) -> None:
        """Record a span, if the sequence is recorded."""
        if self.spans is not None and begin < end:
            self.spans.append(Span(lane, begin, end, phase, cause))

    @abstractmethod
    def _begin(self, steps: int) -> None:
        """Prepare stage and input frames for a sequence."""

    @abstractmethod
    def _finish(self) -> None:
        """Spend the cycles from the last step to the end of the sequence."""

    def _table(self, step: int, *, prologue: bool, last: bool, zero: bool) -> None:
        """Run the phase table once: for a step, or as a prologue for the phases that run ahead of the first step."""
        for number, phase in enumerate(self.phases):
            ahead = phase.has("ahead")
            skipped = not ahead if prologue else (ahead and last) or (phase.has("last_only") and not last)
            if not skipped:
                of_step = 0 if prologue else step + ahead
                self._phase(number, phase, phase.has("set") != (self.alternate and of_step % 2 == 1), last, zero)
            else:
                self._skip()
        self._end_of_table()

    @abstractmethod
    def _phase(self, number: int, phase: Phase, accumulator_set: bool, last: bool, zero: bool) -> None:
        """Run one phase: its matrix, and its element-wise stage up to the launch."""

    def _execute(self, number: int, phase: Phase) -> None:
        """Count the entries of a phase's matrix, one in a cycle, by their cause."""
        work = self.work[number]
        for cause, share in zip(CAUSES, (work.weights, work.padding, work.idle), strict=False):
            self.account.spend(cause, share)
        self.account.matrix += phase.entry_count
        self._record("PEs", self.now, self.now + phase.entry_count, phase=number)
        self.now += phase.entry_count

    @abstractmethod
    def _skip(self) -> None:
        """Leave a phase out."""

    @abstractmethod
    def _end_of_table(self) -> None:
        """Go back to the first phase."""


def no_frame(number: int) -> FormatError:
    """The error of a phase that waits for an input frame although none is left."""
    return FormatError(
        f"phase {number} of the image waits for an input frame, but the phases before it have read all frames "
        "of the sequence; in a step the phases that wait come before the one that is the last to read the "
        "frame: emit the image again"
    )
