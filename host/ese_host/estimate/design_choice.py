"""The design for layers by their sizes, as `ese_host.image.sizing` makes it for real networks too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ese_host.errors import CapacityError, FormatError
from ese_host.estimate.masks import MatrixEntries, Pruning
from ese_host.image import GAP_BITS, MAX_ENTRIES, Design, Needs, Packing, StepPlan, check_entries, smallest_design
from ese_host.ir import Activation, EngineFormats, Fixed

GATE, CELL = Activation("sigmoid", Fixed(16, 0, signed=False)), Activation("tanh", Fixed(16, 1))
HARD_GATE = Activation("hard_sigmoid", Fixed(16, 0, signed=False))
HARD_CELL = Activation("hard_tanh", Fixed(16, 1))
SOURCE, STATE, OUTPUT = Fixed(16, 4), Fixed(16, 4), Fixed(16, 1)
"""Formats of an estimate by sizes: 16 bits each, as ESE's; the binary point changes neither time nor memory."""


@dataclass(frozen=True)
class DesignOptions:
    """What a user chooses of a design.

    Attributes:
        pes, cells_per_cycle, acc_banks: see `Design`.
        acc_bits: width of an accumulator at least; the kind of weights asks for one of its own.
        clock_mhz: clock. hard: hard activations instead of the table.
    """

    pes: int
    cells_per_cycle: int
    clock_mhz: int
    acc_banks: int = 1
    acc_bits: int = 0
    hard: bool = False


def design_of(plan: StepPlan, works: Sequence[MatrixEntries], pruning: Pruning, choices: DesignOptions) -> Design:
    """The smallest design that holds the layers.

    Args:
        plan: of a step of the layers.
        works: entries of each of its phases.
        pruning: kind of weights and gap bits.
        choices: the user's.

    Raises:
        CapacityError: a depth is beyond what any design has. FormatError: there are no such gap bits.
    """
    if pruning.gap_bits not in GAP_BITS:
        raise FormatError(f"gap_bits is {pruning.gap_bits}; {GAP_BITS[0]} to {GAP_BITS[-1]} are allowed")
    per_word = Packing(pruning.kind, pruning.gap_bits).per_word(False)
    longest = [int(work.entries.max(initial=0)) for work in works]
    words = sum(-(-entries // per_word) for entries in longest)
    check_entries(max(longest))
    if words > MAX_ENTRIES:
        raise CapacityError(f"a PE has {words} entry words; {MAX_ENTRIES} are counted: use more PEs or prune more")
    formats = EngineFormats(
        pruning.kind, SOURCE, STATE, OUTPUT, HARD_GATE if choices.hard else GATE, HARD_CELL if choices.hard else CELL
    )
    return smallest_design(
        Needs.of(plan, choices.pes, choices.cells_per_cycle, words, choices.acc_bits),
        formats,
        pes=choices.pes,
        gap_bits=pruning.gap_bits,
        cells_per_cycle=choices.cells_per_cycle,
        acc_banks=choices.acc_banks,
        clock_mhz=choices.clock_mhz,
    )
