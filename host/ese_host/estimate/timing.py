# SPDX-License-Identifier: Apache-2.0
"""Iterations of one step in the steady state: the difference of two long sequences in the exact cycle model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from ese_host.errors import UnsupportedError
from ese_host.estimate.cycles import CAUSES, MODELS, STEADY, Account, CycleModel, Engine, PhaseWork, most_units
from ese_host.estimate.masks import MatrixEntries, Pruning, entries_of
from ese_host.image import Design, Image, LayerSize, MatrixSize, StepPlan, padding_entries, plan_step
from ese_host.ir import GATES

EntriesOf = Callable[[MatrixSize, int, Pruning, int], MatrixEntries]
MAX_WIDTH = 1 << 15
"""Largest number of cells, outputs or inputs of a layer that is modelled."""
STEPS = 16
"""Steps averaged over, behind the first ones; even, because accumulator sets may alternate."""


@dataclass(frozen=True)
class StepTiming:
    """Timing and work of one step (one frame) in the steady state.

    Attributes:
        cycles: iterations.
        by_cause: iterations by the names in `cycles.CAUSES`.
        matvec: iterations in which PEs work, or in which pipelines fill and drain between phases.
        weights: non-zero weights used, over all PEs.
        entries: weights and padding entries, over all PEs.
        full_entries: entries of full phases, over all PEs.
        items: {"lstm": cells, "gru": cells, "dense": rows} that the element-wise units compute; those of a GRU without
            `reset_after` twice, as it has two stages.
        frame_words: 32-bit words of an input frame.
        output_words: 32-bit words that leave the engine.
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
    """The timing of a network on a design.

    Attributes:
        model: the cycle model of a step.
        weights: kept weights of each phase, over all PEs.
        padding: padding entries of each phase, over all PEs.
        outputs: elements of an output frame.
        exact: whether the entries follow from the sizes or an image; otherwise they are modelled.
    """

    model: CycleModel
    weights: tuple[int, ...]
    padding: tuple[int, ...]
    outputs: int
    exact: bool = True

    def sequence(self, steps: int) -> Account:
        """Iterations of a sequence of `steps` frames from the zero state."""
        return self.model.sequence(steps)

    def step(self) -> StepTiming:
        """Timing and work of one step in the steady state."""
        return self._step

    @cached_property
    def _step(self) -> StepTiming:
        early, late = self.model.sequence(STEADY), self.model.sequence(STEADY + STEPS)
        by_cause = {cause: (late.by_cause[cause] - early.by_cause[cause]) / STEPS for cause in CAUSES}
        running = [number for number, phase in enumerate(self.model.phases) if not phase.has("last_only")]
        items = dict.fromkeys(("lstm", "gru", "dense"), 0)
        for phase in (self.model.phases[number] for number in running):
            if phase.computes:
                kind = "dense" if phase.has("dense") else "lstm" if phase.kind == "lstm" else "gru"
                items[kind] += phase.items
        emitting = [
            phase
            for phase in self.model.phases
            if phase.has("emits") and not phase.has("last_only") and not phase.has("output_last_only")
        ]
        words = sum(-(-p.items // 2) if p.has("emits_stored") else 2 * p.items for p in emitting)
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


def of_image(image: Image, design: Design, engine: Engine = "hls") -> TimedNetwork:
    """The exact timing of an encoded image on its design.

    Args:
        image: the encoded network.
        design: the design that the image is for.
        engine: the engine in HLS (csrc) or in RTL.

    Raises:
        UnsupportedError: if the design is in skip mode, where iterations depend on the data, or if it has two
            element-wise units and no window, which the RTL engine cannot have.
    """
    if design.mode == "stream" and design.cells_per_cycle > most_units(engine, design.window):
        raise UnsupportedError(
            f"the design has {design.cells_per_cycle} element-wise units and no activation window; without a window, "
            "the RTL engine has one unit: emit the network with --window 64, with --cells-per-cycle 1, or estimate it "
            "with --engine hls"
        )
    padding = padding_entries(image, design).sum(axis=1)
    weights = image.counts.sum(axis=1) - padding
    return TimedNetwork(
        MODELS[engine].of_image(image, design), _integers(weights), _integers(padding), image.header["outputs"]
    )


def entries_of_plan(
    plan: StepPlan, pruning: Pruning, pes: int, entries_of_matrix: EntriesOf = entries_of
) -> list[MatrixEntries]:
    """Entries of the matrix of every phase.

    Args:
        plan: the plan of a step.
        pruning: density, mask family and weight codes.
        pes: number of processing elements.
        entries_of_matrix: function that counts the entries of one matrix.

    Raises:
        UnsupportedError: if several densities are given, but none for one of the matrices.
    """
    return [entries_of_matrix(planned.matrix, planned.number, pruning, pes) for planned in plan.phases]


def of_sizes(
    layers: Sequence[LayerSize], pruning: Pruning, pes: int, units: int, engine: Engine = "hls", banks: int = 1
) -> tuple[TimedNetwork, StepPlan, list[MatrixEntries]]:
    """The timing of layers by their sizes.

    Args:
        layers: sizes of the layers in the order of computation.
        pruning: density, mask family, weight codes, and the activation window.
        pes: number of processing elements.
        units: number of element-wise units.
        engine: the engine in HLS (csrc) or in RTL.
        banks: accumulators of a row.

    Returns:
        The timing, the plan of a step, and the entries of the matrix of each phase.

    Raises:
        UnsupportedError: if a layer is larger than any that is modelled, if the widths of successive layers differ, or
            if several densities are given, but none for one of the matrices.
    """
    plan = planned(layers, pruning.window)
    matrices = entries_of_plan(plan, pruning, pes)
    return timed_of(plan, matrices, units, engine, banks), plan, matrices


def planned(layers: Sequence[LayerSize], window: int = 0) -> StepPlan:
    """The plan of a step of layers.

    Args:
        layers: sizes of the layers in the order of computation.
        window: columns of the activation window; 0 for none.

    Raises:
        UnsupportedError: if a layer is larger than any that is modelled, or the widths of successive layers differ.
    """
    check_modelled(layers)
    return plan_step(layers, window=window)


def check_modelled(layers: Sequence[LayerSize]) -> None:
    """Refuse layers whose sizes an estimate does not model.

    Raises:
        UnsupportedError: if a width is zero or above `MAX_WIDTH`.
    """
    for matrix in (matrix for layer in layers for matrix in layer.matrices()):
        if not (1 <= matrix.rows <= GATES * MAX_WIDTH and 1 <= matrix.columns <= MAX_WIDTH):
            raise UnsupportedError(
                f"matrix {matrix.name!r} has {matrix.rows} rows and {matrix.columns} columns; layers with 1 to "
                f"{MAX_WIDTH} cells, outputs or inputs are modelled: give a smaller layer"
            )


def timed_of(
    plan: StepPlan, matrices: Sequence[MatrixEntries], units: int, engine: Engine = "hls", banks: int = 1
) -> TimedNetwork:
    """The timing of a planned step.

    Args:
        plan: the plan of a step.
        matrices: entries of the matrix of each phase of the plan.
        units: number of element-wise units.
        engine: the engine in HLS (csrc) or in RTL.
        banks: accumulators of a row.
    """
    phases = [
        replace(planned.phase, entry_count=int(matrix.entries.max(initial=0)))
        for planned, matrix in zip(plan.phases, matrices, strict=True)
    ]
    work = [
        PhaseWork(
            weights=float(matrix.weights.mean()),
            padding=float(matrix.padding.mean()),
            idle=float(phase.entry_count - matrix.entries.mean()),
        )
        for phase, matrix in zip(phases, matrices, strict=True)
    ]
    return TimedNetwork(
        model=MODELS[engine](phases, work, units, plan.alternate, plan.inputs, len(matrices[0].entries), banks),
        weights=tuple(int(matrix.weights.sum()) for matrix in matrices),
        padding=tuple(int(matrix.padding.sum()) for matrix in matrices),
        outputs=plan.outputs,
        exact=all(matrix.exact for matrix in matrices),
    )


def _integers(values: npt.NDArray[np.int64]) -> tuple[int, ...]:
    return tuple(int(value) for value in values)
