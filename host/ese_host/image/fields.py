"""Where numbers stand in records of 32-bit words: one table serves the writer, the reader and the engine's C++."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

SPACING = 8
"""Bits from one of a field's numbers to the next."""


@dataclass(frozen=True)
class Field:
    """A number's place in a record.

    >>> words = [0, 0]
    >>> shifts = Field(1, 0, 6, count=4)
    >>> shifts.put(words, 5), shifts.put(words, 3, 2)
    (None, None)
    >>> [hex(word) for word in words], shifts.get(words, 2)
    (['0x0', '0x30005'], 3)

    Attributes:
        word: its word. low: its lowest bit there. width: its bits.
        signed: whether it is two's complement.
        count: how many such numbers there are, a byte each.
    """

    word: int
    low: int
    width: int
    signed: bool = False
    count: int = 1

    def get(self, words: Sequence[int], index: int = 0) -> int:
        """The number, or of several that with an index, in a record's words."""
        return self.within(words[self.word] >> SPACING * index)

    def within(self, word: int) -> int:
        """The number in its own word."""
        value = word >> self.low & self._mask
        return value - (1 << self.width) if self.signed and value >> (self.width - 1) else value

    def put(self, words: list[int], value: int, index: int = 0) -> None:
        """Write the number, which fits, where the words are zero."""
        words[self.word] |= (value & self._mask if self.signed else value) << (self.low + SPACING * index)

    @property
    def _mask(self) -> int:
        return (1 << self.width) - 1
