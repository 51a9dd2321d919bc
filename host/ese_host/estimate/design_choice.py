# SPDX-License-Identifier: Apache-2.0
"""The smallest design for layers of given sizes, chosen by `ese_host.image.sizing` as for real networks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ese_host.errors import FormatError
from ese_host.estimate.masks import MatrixEntries, Pruning
from ese_host.estimate.timing import entries_of_plan, planned
from ese_host.image import (
    GAP_BITS,
    Design,
    EntryWidths,
    LayerSize,
    Needs,
    SizeError,
    StepPlan,
    smallest_design,
    with_enough_pes,
)
from ese_host.ir import Activation, EngineFormats, Fixed, FormatSet, cells_of

GATE, CELL = Activation("sigmoid", Fixed(16, 0, signed=False)), Activation("tanh", Fixed(16, 1))
HARD_GATE = Activation("hard_sigmoid", Fixed(16, 0, signed=False))
HARD_CELL = Activation("hard_tanh", Fixed(16, 1))
SOURCE, STATE, OUTPUT = Fixed(16, 4), Fixed(16, 4), Fixed(16, 1)
"""Formats of an estimate by sizes: 16 bits as in ESE. The binary point changes neither time nor memory."""


@dataclass(frozen=True)
class DesignOptions:
    """The fields of a design that a user chooses.

    Attributes:
        pes: number of processing elements.
        cells_per_cycle: number of element-wise units, 1 or 2.
        clock_mhz: clock in MHz.
        acc_banks: accumulators per row: 1, 2 or 4.
        acc_bits: least width of an accumulator; the kind of weights may require a wider one.
        hard: whether activations are piecewise linear instead of read from the table.
    """

    pes: int
    cells_per_cycle: int
    clock_mhz: int
    acc_banks: int = 1
    acc_bits: int = 0
    hard: bool = False


def design_of(plan: StepPlan, matrices: Sequence[MatrixEntries], pruning: Pruning, options: DesignOptions) -> Design:
    """The smallest design that holds the layers.

    Args:
        plan: the plan of a step of the layers.
        matrices: entries of the matrix of each phase of the plan.
        pruning: kind of weights, gap bits and activation window.
        options: the fields of the design that the user chooses.

    Raises:
        SizeError: if the layers are too large for any design with so many PEs.
        FormatError: if the number of gap bits, or another field, is not allowed.
    """
    if pruning.gap_bits not in GAP_BITS:
        raise FormatError(f"gap_bits is {pruning.gap_bits}; {GAP_BITS[0]} to {GAP_BITS[-1]} are allowed")
    widths = EntryWidths(pruning.kind, pruning.gap_bits)
    most_entries = [int(matrix.entries.max(initial=0)) for matrix in matrices]
    words = sum(-(-entries // widths.per_word(False)) for entries in most_entries)
    needs = Needs.of(plan, options.pes, options.cells_per_cycle, words, options.acc_bits)
    try:
        needs.check_sizes(widths, "stream", max(most_entries))
    except SizeError as error:
        advice = "use more PEs or prune more" if error.shared else "give a smaller layer"
        raise SizeError(f"with {options.pes} PEs: {error}: {advice}", error.shared) from error
    functions = (HARD_GATE, HARD_CELL) if options.hard else (GATE, CELL)
    cells = cells_of([each.phase.kind != "lstm" for each in plan.phases if each.phase.has("lstm")])
    formats = EngineFormats(pruning.kind, SOURCE, (FormatSet(STATE, OUTPUT, *functions),), cells)
    return smallest_design(
        needs,
        formats,
        window=pruning.window,
        pes=options.pes,
        gap_bits=pruning.gap_bits,
        cells_per_cycle=options.cells_per_cycle,
        acc_banks=options.acc_banks,
        clock_mhz=options.clock_mhz,
    )


def enough_pes(
    layers: Sequence[LayerSize], pruning: Pruning, options_of: Callable[[int], DesignOptions]
) -> DesignOptions:
    """The options with as many PEs as a conversion takes if the user chooses none.

    Args:
        layers: sizes of the layers in the order of computation.
        pruning: density, mask family, kind of weights, gap bits and activation window.
        options_of: function that gives the options for a number of PEs.

    Raises:
        SizeError: if no design is large enough.
    """
    plan = planned(layers, pruning.window)

    def options_that_fit(pes: int) -> DesignOptions:
        options = options_of(pes)
        design_of(plan, entries_of_plan(plan, pruning, pes), pruning, options)
        return options

    return with_enough_pes(None, options_that_fit)[0]
