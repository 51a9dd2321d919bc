"""The cycle model: the engine's schedule in Python, phase by phase, equal to the engine's own counter exactly.

It follows docs/engine.md, "Schedule": a phase is fetched, its matrix runs, its element-wise stage is launched; the
stage issues one item a unit and iteration and writes each result WRITEBACK iterations later; an input word is stored
in every iteration in which nothing else wants vector RAM A. Iterations are clock cycles while the loop's initiation
interval is 1; the depth of the hardware pipeline, paid once a sequence, is not in them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ese_host.errors import UnsupportedError
from ese_host.image import WRITEBACK, Design, Image, Phase, padding_entries
from ese_host.protocol import step_words

CAUSES = ("compute", "padding", "imbalance", "element-wise", "fill", "input", "output")
"""What an iteration was spent on: weights, padding entries and stored zeros, PEs waiting for the fullest, waiting for
the element-wise stage, filling and draining pipelines and phase changes, waiting for input words, and for output
words."""


@dataclass
class ElementwiseStage:
    """An element-wise stage under way: first issue, iterations between issues, number of issues."""

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
        """Issues whose write falls before iteration `end`."""
        return min(self.issues, max(0, -(-(end - self.first - WRITEBACK) // self.period)))


@dataclass
class Frames:
    """Input frames: words still to be stored of the current one, frames to come, and the iteration reached."""

    frame_words: int
    left: int
    words: int = 0
    ready: bool = False
    at: int = 0

    def next(self) -> None:
        """Begin the next frame, where there is one."""
        self.ready = False
        if self.left:
            self.left -= 1
            self.words = self.frame_words

    def advance(self, end: int, reading: bool, stage: ElementwiseStage) -> None:
        """Let iterations up to `end` (not included) pass; `reading` says whether the PEs read RAM A in them."""
        free = 0 if reading else end - self.at
        if free and 0 in stage.targets:
            free -= stage.writes_before(end) - stage.writes_before(self.at)
        self.at = end
        if self.words:
            self.words = max(0, self.words - free)
            self.ready = self.words == 0


@dataclass
class Account:
    """Iterations of a sequence by cause, and of its matrix phases alone."""

    total: int = 0
    by_cause: dict[str, float] = field(default_factory=lambda: dict.fromkeys(CAUSES, 0.0))
    matrix: int = 0

    def spend(self, cause: str, iterations: float) -> None:
        """Book iterations."""
        self.by_cause[cause] += iterations


@dataclass(frozen=True)
class PhaseWork:
    """What the PEs do in one phase, as a mean over them: entries that carry weights, others, and idle iterations."""

    weights: float
    padding: float
    idle: float


class CycleModel:
    """The schedule of a step's phases, iteration by iteration."""

    def __init__(
        self, phases: Sequence[Phase], work: Sequence[PhaseWork], units: int, alternate: bool, inputs: int
    ) -> None:
        """Attach time to phases.

        Args:
            phases: of one step, with their entry counts.
            work: of each phase.
            units: element-wise units.
            alternate: whether the accumulator sets change roles with every step.
            inputs: width of an input frame.
        """
        self.phases, self.work = tuple(phases), tuple(work)
        self.units, self.alternate, self.frame_words = units, alternate, step_words(inputs)

    @classmethod
    def of_image(cls, image: Image, design: Design) -> CycleModel:
        """The schedule of one image on one design.

        Raises:
            UnsupportedError: a skip design, whose iterations depend on the data.
        """
        if design.mode == "skip":
            raise UnsupportedError(
                "the cycles of skip mode depend on the data and are not modelled: take the engine's own counter"
            )
        padding = padding_entries(image, design)
        work = [
            PhaseWork(float(counts.mean() - pads.mean()), float(pads.mean()), float(phase.entry_count - counts.mean()))
            for phase, counts, pads in zip(image.phases, image.counts, padding, strict=True)
        ]
        return cls(image.phases, work, design.cells_per_cycle, image.alternate, image.header["inputs"])

    def sequence(self, steps: int, *, keep: bool = False, trace: bool = False) -> Account:
        """Iterations of a sequence of `steps` frames, from the zero state unless `keep`."""
        self.account, self.stage, self.trace = Account(), ElementwiseStage(), trace
        self.frames = Frames(self.frame_words, steps)
        self.frames.next()
        self.now = 0
        self._table(0, prologue=True, last=False, zero=not keep)
        for step in range(steps):
            self._table(step, prologue=False, last=step == steps - 1, zero=not keep and step == 0)
        self._wait(self.stage.written if self.stage.issues else self.now)
        if self.stage.issues:
            tail = self.stage.written + max(self.stage.last_words, 1)
            self.account.spend("output", max(0, tail - self.now))
            self.now = max(self.now, tail)
        self.account.total = self.now
        return self.account

    def _table(self, step: int, *, prologue: bool, last: bool, zero: bool) -> None:
        for number, phase in enumerate(self.phases):
            ahead = phase.has("ahead")
            skipped = not ahead if prologue else (ahead and last) or (phase.has("last_only") and not last)
            if not skipped:
                of_step = 0 if prologue else step + ahead
                self._phase(number, phase, phase.has("set") != (self.alternate and of_step % 2 == 1), last, zero)
            else:
                self._pass("fill", 1)
        self._pass("fill", 1)

    def _phase(self, number: int, phase: Phase, which: bool, last: bool, zero: bool) -> None:
        source = int(phase.has("source_ram"))
        if source in self.stage.targets:
            self._wait(self.stage.written)
        elif self.stage.issues and self.stage.set == which:
            self._wait(self.stage.issued)
        if phase.has("waits_frame"):
            self._wait_frame()
        self._pass("fill", 1)
        if phase.entry_count and not (phase.has("zero_state") and zero):
            work = self.work[number]
            for cause, share in zip(CAUSES, (work.weights, work.padding, work.idle), strict=False):
                self.account.spend(cause, share)
            self.account.matrix += phase.entry_count
            self.now += phase.entry_count
            self.frames.advance(self.now, source == 0, self.stage)
        if phase.has("frees_frame"):
            self.frames.next()
        if phase.computes:
            if self.stage.issues:
                self._wait(self.stage.written)
            self._pass("fill", 1)
            self._launch(phase, which, last)

    def _launch(self, phase: Phase, which: bool, last: bool) -> None:
        outputs = last or not phase.has("output_last_only")
        exact = phase.has("emits") and outputs and not phase.has("emits_stored")
        stored = phase.has("emits") and outputs and phase.has("emits_stored")
        words = 4 if self.trace else 2 if exact else 0
        targets = {int(phase.has("first_ram"))} if phase.has("first_enabled") else set()
        if phase.has("second_enabled") and outputs:
            targets.add(int(phase.has("second_ram")))
        issues = -(-phase.items // self.units)
        last_items = phase.items - (issues - 1) * self.units
        self.stage = ElementwiseStage(
            self.now,
            max(1, words * self.units),
            issues,
            words,
            last_words=words * last_items if words else int(stored),
            set=which,
            targets=frozenset(targets),
        )

    def _pass(self, cause: str, iterations: int) -> None:
        """Let iterations pass in which the PEs read nothing."""
        self.account.spend(cause, iterations)
        self.now += iterations
        self.frames.advance(self.now, False, self.stage)

    def _wait(self, until: int) -> None:
        """Wait for the element-wise stage, up to the iteration in which `until` holds."""
        while self.now < until:
            issuing = self.now <= self.stage.issued
            end = min(until, self.stage.issued + 1) if issuing else until
            if issuing and self.stage.period > 1:
                work = (end - self.now) / self.stage.period
                self.account.spend("element-wise", work)
                self._pass("output", end - self.now)
                self.account.spend("output", -work)
            else:
                self._pass("element-wise" if issuing else "fill", end - self.now)

    def _wait_frame(self) -> None:
        """Wait until the frame is there at the end of the iteration."""
        while True:
            ahead = Frames(self.frames.frame_words, 0, self.frames.words, self.frames.ready, self.frames.at)
            ahead.advance(self.now + 1, False, self.stage)
            if ahead.ready:
                return
            self._pass("input", 1)


def account(image: Image, design: Design, steps: int, *, keep: bool = False, trace: bool = False) -> Account:
    """Iterations of one sequence by cause (modelled; equal to the engine's counter).

    Raises:
        UnsupportedError: a skip design, whose iterations depend on the data.
    """
    return CycleModel.of_image(image, design).sequence(steps, keep=keep, trace=trace)
