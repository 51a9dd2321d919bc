"""The smallest design for layers of given sizes, chosen by `ese_host.image.sizing` as for real networks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ese_host.errors import CapacityError, FormatError
from ese_host.estimate.masks import MatrixEntries, Pruning
from ese_host.image import GAP_BITS, MAX_ENTRIES, Design, EntryWidths, Needs, StepPlan, check_entries, smallest_design
from ese_host.ir import Activation, EngineFormats, Fixed

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
        CapacityError: if a PE has more entries or entry words than any design holds.
        FormatError: if the number of gap bits, or another field, is not allowed.
    """
    if pruning.gap_bits not in GAP_BITS:
        raise FormatError(f"gap_bits is {pruning.gap_bits}; {GAP_BITS[0]} to {GAP_BITS[-1]} are allowed")
    per_word = EntryWidths(pruning.kind, pruning.gap_bits).per_word(False)
    most_entries = [int(matrix.entries.max(initial=0)) for matrix in matrices]
    words = sum(-(-entries // per_word) for entries in most_entries)
    check_entries(max(most_entries))
    if words > MAX_ENTRIES:
        raise CapacityError(
            f"a PE needs {words} entry words; {MAX_ENTRIES} are the most it can have: use more PEs or prune more"
        )
    formats = EngineFormats(
        pruning.kind, SOURCE, STATE, OUTPUT, HARD_GATE if options.hard else GATE, HARD_CELL if options.hard else CELL
    )
    return smallest_design(
        Needs.of(plan, options.pes, options.cells_per_cycle, words, options.acc_bits),
        formats,
        window=pruning.window,
        pes=options.pes,
        gap_bits=pruning.gap_bits,
        cells_per_cycle=options.cells_per_cycle,
        acc_banks=options.acc_banks,
        clock_mhz=options.clock_mhz,
    )
