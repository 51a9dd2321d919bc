"""How entries lie in words of entry memory: the one place that knows their widths (docs/image-format.md, "Entries")."""

from __future__ import annotations

from dataclasses import dataclass

from ese_host.network import WeightKind

RAM_BITS = 18
"""Width of a block RAM's word: a vector element's, a column pointer's, and an entry word's or half of one."""
CODE_BITS: dict[WeightKind, int] = {"ternary": 1, "int4": 4, "int8": 8, "int12": 12, "int16": 16, "codebook4": 4}
GAP_BITS = range(2, 13)
"""Widths of the relative index that a design may have."""


@dataclass(frozen=True)
class Packing:
    """Widths of entries of one kind with a relative index of `gap_bits`.

    >>> [(Packing(kind, 5).word_bits, Packing(kind, 5).entries_per_word) for kind in ("ternary", "int12", "int16")]
    [(18, 3), (18, 1), (36, 1)]
    """

    kind: WeightKind
    gap_bits: int

    @property
    def code_bits(self) -> int:
        """Bits of a weight code."""
        return CODE_BITS[self.kind]

    @property
    def entry_bits(self) -> int:
        """Bits of one stored entry: gap and code."""
        return self.gap_bits + self.code_bits

    @property
    def word_bits(self) -> int:
        """Bits of a word of entry memory: a block RAM's where an entry fits, else two, side by side."""
        return RAM_BITS if self.entry_bits <= RAM_BITS else 2 * RAM_BITS

    @property
    def entries_per_word(self) -> int:
        """Entries packed into one word."""
        return self.word_bits // self.entry_bits

    @property
    def slot_bits(self) -> int:
        """Bits of a column pointer that name an entry within its word."""
        return (self.entries_per_word - 1).bit_length()
