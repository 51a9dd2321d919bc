"""Iterations of one step in the steady state: two long sequences' difference, by the exact cycle model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ese_host.errors import UnsupportedError
from ese_host.estimate import cycles
from ese_host.estimate.cycles import CAUSES, Account, CycleModel
from ese_host.estimate.masks import MatrixEntries, Pruning, work_of
from ese_host.image import Design, Image, LayerSize, MatrixSize, StepPlan, padding_entries, plan_step
from ese_host.ir import GATES

WorkOf = Callable[[MatrixSize, int, Pruning, int], MatrixEntries]
MAX_WIDTH = 1 << 15
"""Cells, outputs or inputs of the widest layer that is modelled."""
WARM_UP, STEPS = 8, 16
"""Steps left out at the start, and steps averaged over; both even, since accumulator sets may alternate."""


@dataclass(frozen=True)
class StepTiming:
    """One step in the steady state, or one frame.

    Attributes:
        cycles: iterations. by_cause: the same by cause.
        matvec: iterations in which PEs work, and those that fill and drain pipelines between phases.
        weights: non-zero weights used in a step; entries: these and the padding, both over all PEs; full_entries: those
            of full phases alone.
        items: {"lstm": cells, "dense": rows} that the element-wise units compute.
        frame_words, output_words: 32-bit words in and out.
    """

    cycles: float
    by_cause: dict[str, float]
    matvec: float
    weights: int
    entries: int
    full_entries: int
    items: dict[str, int]
    frame_words: int
    output_words: int


@dataclass(frozen=True, eq=False)
class TimedNetwork:
    """A network on a design, as far as time goes: the model, its phases and their work."""

    model: CycleModel
    weights: tuple[int, ...]
    padding: tuple[int, ...]
    outputs: int
    exact: bool = True

    def sequence(self, steps: int) -> Account:
        """Iterations of a sequence from the zero state."""
        return self.model.sequence(steps)

    def step(self) -> StepTiming:
        """One step in the steady state."""
        early, late = self.model.sequence(WARM_UP), self.model.sequence(WARM_UP + STEPS)
        by_cause = {cause: (late.by_cause[cause] - early.by_cause[cause]) / STEPS for cause in CAUSES}
        running = [number for number, phase in enumerate(self.model.phases) if not phase.has("last_only")]
        items = {
            kind: sum(self.model.phases[n].items for n in running if self.model.phases[n].has(kind))
            for kind in ("lstm", "dense")
        }
        leaving = [
            phase
            for phase in self.model.phases
            if phase.has("emits") and not phase.has("last_only") and not phase.has("output_last_only")
        ]
        words = sum(-(-p.items // 2) if p.has("emits_stored") else 2 * p.items for p in leaving)
        weights = sum(self.weights[number] for number in running)
        return StepTiming(
            cycles=(late.total - early.total) / STEPS,
            by_cause=by_cause,
            matvec=(late.matrix - early.matrix) / STEPS + by_cause["fill"],
            weights=weights,
            entries=weights + sum(self.padding[number] for number in running),
            full_entries=sum(self.weights[n] + self.padding[n] for n in running if self.model.phases[n].full),
            items=items,
            frame_words=self.model.frame_words,
            output_words=words,
        )


def of_image(image: Image, design: Design) -> TimedNetwork:
    """Time of an encoded image: exact."""
    padding = padding_entries(image, design).sum(axis=1)
    weights = image.counts.sum(axis=1) - padding
    return TimedNetwork(
        CycleModel.of_image(image, design), _integers(weights), _integers(padding), image.header["outputs"]
    )


def works_of(plan: StepPlan, pruning: Pruning, pes: int, work: WorkOf = work_of) -> list[MatrixEntries]:
    """Entries of every phase's matrix."""
    return [work(planned.matrix, planned.number, pruning, pes) for planned in plan.phases]


def of_sizes(
    layers: Sequence[LayerSize], pruning: Pruning, pes: int, units: int
) -> tuple[TimedNetwork, StepPlan, list[MatrixEntries]]:
    """Time of layers by their sizes; with it, the plan of a step and the entries that it rests on.

    Raises:
        UnsupportedError: a layer is beyond what is modelled, or the layers do not follow each other.
    """
    plan = planned(layers)
    works = works_of(plan, pruning, pes)
    return timed_of(plan, works, units), plan, works


def planned(layers: Sequence[LayerSize]) -> StepPlan:
    """The plan of a step of layers that an estimate models; errors as of `of_sizes`."""
    check_modelled(layers)
    return plan_step(layers)


def check_modelled(layers: Sequence[LayerSize]) -> None:
    """Refuse layers whose sizes are beyond what an estimate models.

    Raises:
        UnsupportedError: a width is zero or too large.
    """
    for matrix in (matrix for layer in layers for matrix in layer.matrices()):
        if not (1 <= matrix.rows <= GATES * MAX_WIDTH and 1 <= matrix.columns <= MAX_WIDTH):
            raise UnsupportedError(
                f"{matrix.name} has {matrix.rows} rows and {matrix.columns} columns; 1 to {MAX_WIDTH} cells, outputs "
                "or inputs are modelled"
            )


def timed_of(plan: StepPlan, works: Sequence[MatrixEntries], units: int) -> TimedNetwork:
    """Time of a plan with its entries."""
    phases = [
        replace(planned.phase, entry_count=int(work.entries.max(initial=0)))
        for planned, work in zip(plan.phases, works, strict=True)
    ]
    shares = [
        cycles.PhaseWork(
            float(work.weights.mean()), float(work.padding.mean()), float(phase.entry_count - work.entries.mean())
        )
        for phase, work in zip(phases, works, strict=True)
    ]
    return TimedNetwork(
        cycles.CycleModel(phases, shares, units, plan.alternate, plan.inputs),
        tuple(int(work.weights.sum()) for work in works),
        tuple(int(work.padding.sum()) for work in works),
        plan.outputs,
        all(work.exact for work in works),
    )


def _integers(values: npt.NDArray[np.int64]) -> tuple[int, ...]:
    return tuple(int(value) for value in values)
