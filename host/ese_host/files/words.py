# SPDX-License-Identifier: Apache-2.0
"""Numbers in 32-bit words: bit-packed sections, and fields of records (docs/reference/image-format.md, "Packing")."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Words = npt.NDArray[np.uint32]

SPACING = 8
"""Distance in bits between the numbers of a `Field` that has several."""


def packed_words(count: int, width: int) -> int:
    """Words occupied by `count` packed values of `width` bits."""
    return -(-count * width // 32)


def pack(values: npt.ArrayLike, width: int) -> Words:
    """Pack values of `width` bits into words, negative ones in two's complement; unused bits of the last word are zero.

    >>> [hex(w) for w in pack([1, -1, 3], 18)]
    ['0xfffc0001', '0x3f']
    """
    fields = np.asarray(values, dtype=np.int64).reshape(-1)
    bits = ((fields[:, None] >> np.arange(width)) & 1).astype(np.uint8).reshape(-1)
    padded = np.zeros(packed_words(len(fields), width) * 32, dtype=np.uint8)
    padded[: bits.size] = bits
    return np.packbits(padded, bitorder="little").view("<u4").astype(np.uint32)


def unpack(words: Words, count: int, width: int, signed: bool = False) -> npt.NDArray[np.int64]:
    """Inverse of `pack`: (count,) values.

    Args:
        words: words that `pack` made; further words are ignored.
        count: number of values.
        width: bits of a value.
        signed: whether values are in two's complement.
    """
    stream = np.unpackbits(words.astype("<u4").view(np.uint8), bitorder="little")[: count * width]
    fields = stream.reshape(count, width).astype(np.int64) @ (np.int64(1) << np.arange(width, dtype=np.int64))
    return np.where(fields >= 1 << (width - 1), fields - (1 << width), fields) if signed else fields


@dataclass(frozen=True)
class Field:
    """The place of one number, or of several equally wide ones, within a record of words.

    >>> words = [0, 0]
    >>> shifts = Field(1, 0, 6, count=4)
    >>> shifts.put(words, 5), shifts.put(words, 3, 2)
    (None, None)
    >>> [hex(word) for word in words], shifts.get(words, 2)
    (['0x0', '0x30005'], 3)

    Attributes:
        word: index of the word that contains the number.
        low: lowest bit of the number in that word.
        width: bits of the number.
        signed: whether the number is in two's complement.
        count: how many such numbers the word contains, at a distance of `SPACING` bits.
    """

    word: int
    low: int
    width: int
    signed: bool = False
    count: int = 1

    def get(self, words: Sequence[int], index: int = 0) -> int:
        """Read the number from the words of a record; `index` selects one of several."""
        return self.within(words[self.word] >> SPACING * index)

    def within(self, word: int) -> int:
        """Read the number from the word that contains it."""
        value = word >> self.low & self._mask
        return value - (1 << self.width) if self.signed and value >> (self.width - 1) else value

    def put(self, words: list[int], value: int, index: int = 0) -> None:
        """Write the number into bits of a record that are still zero.

        Args:
            words: words of the record, which are changed.
            value: the number.
            index: selects one of several numbers.

        Raises:
            ValueError: if the number does not fit the width; it would change the numbers beside it.
        """
        low = -(1 << (self.width - 1)) if self.signed else 0
        if not low <= value <= low + self._mask:
            raise ValueError(f"{value} does not fit a field of {self.width} bits at bit {self.low} of word {self.word}")
        words[self.word] |= (value & self._mask if self.signed else value) << (self.low + SPACING * index)

    @property
    def _mask(self) -> int:
        return (1 << self.width) - 1
