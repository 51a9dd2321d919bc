"""Bit-packed sections of 32-bit words, least significant bit first (docs/image-format.md, "Packing")."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Words = npt.NDArray[np.uint32]


def packed_words(count: int, width: int) -> int:
    """Words that `count` fields of `width` bits take."""
    return -(-count * width // 32)


def pack(values: npt.ArrayLike, width: int) -> Words:
    """Fields of `width` bits, two's complement where negative, packed into words; the last word is filled with zeros.

    >>> [hex(w) for w in pack([1, -1, 3], 18)]
    ['0xfffc0001', '0x3f']
    """
    fields = np.asarray(values, dtype=np.int64).reshape(-1)
    bits = ((fields[:, None] >> np.arange(width)) & 1).astype(np.uint8).reshape(-1)
    padded = np.zeros(packed_words(len(fields), width) * 32, dtype=np.uint8)
    padded[: bits.size] = bits
    return np.packbits(padded, bitorder="little").view("<u4").astype(np.uint32)


def unpack(words: Words, count: int, width: int, signed: bool = False) -> npt.NDArray[np.int64]:
    """Inverse of `pack`: (count,) fields."""
    stream = np.unpackbits(words.astype("<u4").view(np.uint8), bitorder="little")[: count * width]
    fields = stream.reshape(count, width).astype(np.int64) @ (np.int64(1) << np.arange(width, dtype=np.int64))
    return np.where(fields >= 1 << (width - 1), fields - (1 << width), fields) if signed else fields
