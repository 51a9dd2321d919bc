# SPDX-License-Identifier: Apache-2.0
"""Widths of entries and of the words that hold them (docs/reference/image-format.md, "Entries").

`ese_hls.encode.packing` packs entries into words; `compressed` and the strict reader take them apart.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ese_host.ir import WEIGHT_KINDS, Codes, WeightCode, WeightKind

RAM_BITS = 18
"""Bits of a word of block RAM, which holds a vector element, a column pointer, an entry word or half of one."""
GAP_BITS = range(2, 13)
"""Allowed bits of the relative index."""
CONSTANT_BITS = 16
"""Bits of each scale, bias, peephole and codebook level in an image."""
COUNT_BITS = 16
"""Bits of a PE's entry count in an image."""
LEVELS = max(kind.codebook for kind in WEIGHT_KINDS.values())
"""Levels of a codebook in an image and in the engine."""
CODEBOOKS = 16
"""Most codebooks that a codebook4 engine holds."""


@dataclass(frozen=True)
class EntryWidths:
    """Widths of entries and of the words that hold them.

    A full phase stores every weight of a matrix, zeros included, as a code without a gap. A ternary code has one bit in
    an entry and two bits in a full phase.

    >>> for kind in ("ternary", "int4", "int12", "int16"):
    ...     widths = EntryWidths(kind, 5, full_phases=True)
    ...     print(kind, widths.word_bits, widths.per_word(False), widths.per_word(True))
    ternary 18 3 9
    int4 18 2 4
    int12 18 1 1
    int16 36 1 2

    Attributes:
        kind: kind of weight code.
        gap_bits: bits of the relative index.
        full_phases: whether the design may have full phases.
    """

    kind: WeightKind
    gap_bits: int
    full_phases: bool = False

    @property
    def weight(self) -> WeightCode:
        """Properties of the kind of weight code."""
        return WEIGHT_KINDS[self.kind]

    @property
    def code_bits(self) -> int:
        """Bits of a weight code in an entry."""
        return self.weight.code_bits

    def stored(self, codes: Codes) -> Codes:
        """Codes as entries store them: in two's complement, ternary ones as a bit that is set if negative."""
        return (codes < 0).astype(np.int64) if self.code_bits == 1 else codes & ((1 << self.code_bits) - 1)

    @property
    def entry_bits(self) -> int:
        """Bits of one stored entry: gap and code."""
        return self.gap_bits + self.code_bits

    @property
    def word_bits(self) -> int:
        """Bits of a word of entry memory: one word of block RAM if an entry fits it, else two side by side."""
        return RAM_BITS if self.entry_bits <= RAM_BITS else 2 * RAM_BITS

    def slot_width(self, full: bool) -> int:
        """Bits stored per weight: an entry, or in a full phase a code."""
        return max(2, self.code_bits) if full else self.entry_bits

    def per_word(self, full: bool) -> int:
        """Entries per word, or in a full phase codes per word."""
        return self.word_bits // self.slot_width(full)

    def slots(self, words: Codes, full: bool) -> Codes:
        """The (..., words * slots per word) slots of (..., words) words of entry memory."""
        width = self.slot_width(full)
        slots = words[..., None] >> np.arange(self.per_word(full)) * width & ((1 << width) - 1)
        return slots.reshape(*words.shape[:-1], -1)

    def tail(self, full: bool) -> int:
        """Content of each slot in stream mode from behind a PE's last entry to the end of the phase's words.

        It changes no sum if it is executed: a padding entry, or the code of a zero weight in a full phase.
        """
        return 0 if full else (1 << self.gap_bits) - 1

    @property
    def advance_bits(self) -> int:
        """Bits of a word's field in the section of the activation window: one for each slot, rounded up to be even."""
        slots = self.per_word(self.full_phases)
        return slots + slots % 2

    @property
    def slot_bits(self) -> int:
        """Bits of a column pointer that select a slot within a word."""
        # Full words have at least as many slots, because a code needs no more bits than an entry.
        return (self.per_word(self.full_phases) - 1).bit_length()
