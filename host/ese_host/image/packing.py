"""How entries lie in words of entry memory: the one place that knows their widths (docs/image-format.md, "Entries")."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ese_host.ir import WEIGHT_KINDS, Codes, WeightCode, WeightKind

RAM_BITS = 18
"""Width of a block RAM's word: a vector element's, a column pointer's, and an entry word's or half of one."""
GAP_BITS = range(2, 13)
"""Widths of the relative index that a design may have."""
CONSTANT_BITS = 16
"""Width of a scale, a bias, a peephole and a codebook's level in an image."""
COUNT_BITS = 16
"""Width of a PE's entry count in an image."""
LEVELS = max(kind.codebook for kind in WEIGHT_KINDS.values())
"""Levels of a codebook, in an image and in the engine."""
CODEBOOKS = 16
"""Codebooks that a codebook4 engine holds."""


@dataclass(frozen=True)
class Packing:
    """Widths of entries of one kind with a relative index of `gap_bits`, and of the codes of full phases.

    A full phase stores every weight of a matrix, zeros too, as codes without a gap. A ternary code has two bits there.

    >>> for kind in ("ternary", "int4", "int12", "int16"):
    ...     packing = Packing(kind, 5, full_phases=True)
    ...     print(kind, packing.word_bits, packing.per_word(False), packing.per_word(True))
    ternary 18 3 9
    int4 18 2 4
    int12 18 1 1
    int16 36 1 2
    """

    kind: WeightKind
    gap_bits: int
    full_phases: bool = False

    @property
    def weight(self) -> WeightCode:
        """What the table says of its kind."""
        return WEIGHT_KINDS[self.kind]

    @property
    def code_bits(self) -> int:
        """Bits of a weight code."""
        return self.weight.code_bits

    def stored(self, codes: Codes) -> Codes:
        """A matrix's codes as entries store them: two's complement; ternary ones by their sign, set where negative."""
        return (codes < 0).astype(np.int64) if self.code_bits == 1 else codes & ((1 << self.code_bits) - 1)

    @property
    def entry_bits(self) -> int:
        """Bits of one stored entry: gap and code."""
        return self.gap_bits + self.code_bits

    @property
    def word_bits(self) -> int:
        """Bits of a word of entry memory: a block RAM's where an entry fits, else two, side by side."""
        return RAM_BITS if self.entry_bits <= RAM_BITS else 2 * RAM_BITS

    def slot_width(self, full: bool) -> int:
        """Bits of what is stored for one weight: an entry, or in a full phase its code."""
        return max(2, self.code_bits) if full else self.entry_bits

    def per_word(self, full: bool) -> int:
        """Entries or, in a full phase, codes packed into one word."""
        return self.word_bits // self.slot_width(full)

    @property
    def slot_bits(self) -> int:
        """Bits of a column pointer that name a place within a word: a code needs at most an entry's bits."""
        return (self.per_word(self.full_phases) - 1).bit_length()
