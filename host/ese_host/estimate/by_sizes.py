# SPDX-License-Identifier: Apache-2.0
"""Layers that are given by their sizes: their design on a number of PEs, their timing, and what both rest on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ese_host.boards import Board
from ese_host.estimate.cycles import Engine
from ese_host.estimate.design_choice import DesignOptions, design_of
from ese_host.estimate.estimator import Estimate, Subject, assumptions, estimate
from ese_host.estimate.masks import MatrixEntries, Pruning
from ese_host.estimate.timing import TimedNetwork, entries_of_plan, planned, timed_of
from ese_host.image import Design, LayerSize, StepPlan

Timing = Callable[[StepPlan, Sequence[MatrixEntries], int, Engine, int], TimedNetwork]
"""A function as `timing.timed_of`."""


@dataclass(frozen=True, eq=False)
class SizedNetwork:
    """Layers on a design.

    Attributes:
        subject: the layers in words, and what its figures rest on.
        timed: their timing.
        design: the design.
        engine: the engine in HLS (csrc) or in RTL.
    """

    subject: Subject
    timed: TimedNetwork
    design: Design
    engine: Engine

    def estimate(self, board: Board, steps: int = 1) -> Estimate:
        """The estimate for a board, as of `estimator.estimate`."""
        return estimate(self.subject, self.timed, self.design, board, steps, self.engine)


def sized(
    name: str,
    layers: Mapping[str, LayerSize],
    pruning: Pruning,
    options: DesignOptions,
    engine: Engine,
    *,
    searched: Sequence[str] = (),
    timing: Timing = timed_of,
) -> SizedNetwork:
    """Layers on the smallest design that holds them.

    Args:
        name: the layers in words.
        layers: their sizes by their names, in the order of computation.
        pruning: density, mask family, kind of weights, gap bits and activation window.
        options: the fields of the design that the user chooses.
        engine: the engine in HLS (csrc) or in RTL.
        searched: sentences on how the options were found.
        timing: function that times the planned step; one that remembers spares time where many designs are sized.

    Raises:
        UnsupportedError: if a layer is larger than any that is modelled, or a density is missing.
        SizeError: if the layers are too large for any design with so many PEs.
        FormatError: if a field of the design has a value that is not allowed.
    """
    plan = planned(list(layers.values()), pruning.window)
    matrices = entries_of_plan(plan, pruning, options.pes)
    timed = timing(plan, matrices, options.cells_per_cycle, engine, options.acc_banks)
    design = design_of(plan, matrices, pruning, options)
    densities = pruning.density if isinstance(pruning.density, tuple) else (pruning.density,)
    subject = Subject(
        f"{name}; {pruning.masks} masks, density {', '.join(f'{density:g}' for density in densities)}",
        sum(matrix.weights for layer in layers.values() for matrix in layer.matrices()),
        (
            *searched,
            *_entries(pruning, timed.exact, min(matrix.reach for matrix in matrices)),
            *assumptions(layers, design, engine),
        ),
    )
    return SizedNetwork(subject, timed, design, engine)


def _entries(pruning: Pruning, exact: bool, reach: float) -> list[str]:
    """Sentences on how the entries of each PE were found."""
    sentences = [
        "entries of each PE: exact for gap-aware masks of these sizes"
        if exact
        else f"entries of each PE: modelled as the largest of independent random weights, seed {pruning.seed}"
    ]
    if pruning.window:
        sentences.append(f"waits for a window of {pruning.window} columns: the encoder's schedule of random weights")
    if pruning.balance.no_padding and reach < 1.5:
        sentences.append(
            f"{pruning.gap_bits}-bit gaps bridge only {reach:.2f} mean distances of kept weights: such masks keep "
            "smaller weights, and below 1 they cannot reach the whole matrix; use more gap bits"
        )
    return sentences
