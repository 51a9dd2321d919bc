"""The design for layers by their sizes: depths as `ese_hls.encode.sizing` chooses them for real networks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ese_host.errors import CapacityError, FormatError
from ese_host.estimate.masks import Work
from ese_host.estimate.sizes import Pruning
from ese_host.estimate.table import Table
from ese_host.image.design import ACC_BITS, Design
from ese_host.image.packing import GAP_BITS, Packing
from ese_host.ir.fixed import Fixed
from ese_host.ir.network import Activation

GATE, CELL = Activation("sigmoid", Fixed(16, 0, signed=False)), Activation("tanh", Fixed(16, 1))
HARD_GATE = Activation("hard_sigmoid", Fixed(16, 0, signed=False))
HARD_CELL = Activation("hard_tanh", Fixed(16, 1))
SOURCE, STATE, OUTPUT = Fixed(16, 4), Fixed(16, 4), Fixed(16, 1)
"""Formats of an estimate by sizes: 16 bits each, as ESE's; the binary point changes neither time nor memory."""


@dataclass(frozen=True)
class Choices:
    """What a user chooses of a design.

    Attributes:
        pes, cells_per_cycle: see `Design`. acc_banks, acc_bits: the same; acc_bits by the kind of weights where None.
        clock_mhz: clock. hard: hard activations instead of the table.
    """

    pes: int
    cells_per_cycle: int
    clock_mhz: int
    acc_banks: int = 1
    acc_bits: int | None = None
    hard: bool = False


def design_of(table: Table, works: Sequence[Work], pruning: Pruning, choices: Choices) -> Design:
    """The smallest design that holds the layers.

    Raises:
        CapacityError: a depth is beyond what any design has.
    """
    units = choices.cells_per_cycle
    if pruning.gap_bits not in GAP_BITS:
        raise FormatError(f"gap_bits is {pruning.gap_bits}; {GAP_BITS[0]} to {GAP_BITS[-1]} are allowed")
    per_word = Packing(pruning.kind, pruning.gap_bits).per_word(False)
    words = sum(-(-int(work.entries.max(initial=0)) // per_word) for work in works)
    longest = max(int(work.entries.max(initial=0)) for work in works)
    for what, found in (("entries of one matrix", longest), ("entry words", words)):
        if found >= 1 << 16:
            raise CapacityError(f"a PE has {found} {what}; 65535 are counted: use more PEs or prune more")
    rows = [m.interleave(choices.pes).rows_per_pe for m in table.matrices]
    return Design(
        weights=pruning.kind,
        gap_bits=pruning.gap_bits,
        pes=choices.pes,
        cells_per_cycle=units,
        acc_bits=choices.acc_bits or ACC_BITS[pruning.kind],
        acc_banks=choices.acc_banks,
        entry_depth=max(1, words),
        group_depth=_depth(max(-(-count // 4) for count in rows)),
        vector_depth=_depth(max(table.vector_words)),
        param_depth=_depth(sum(-(-items // units) for items in table.params)),
        cell_depth=_depth(max(1, sum(-(-items // units) for items in table.cells))),
        phases=len(table.phases),
        source=SOURCE,
        state=STATE,
        output=OUTPUT,
        gate=HARD_GATE if choices.hard else GATE,
        cell=HARD_CELL if choices.hard else CELL,
        clock_mhz=choices.clock_mhz,
    )


def _depth(needed: int) -> int:
    return max(2, 1 << (needed - 1).bit_length())
