# SPDX-License-Identifier: Apache-2.0
"""Bits of streams and words, and refusals (docs/reference/image-format.md, "Packing")."""

from __future__ import annotations


class RefusedImageError(ValueError):
    """An image that contradicts the page."""


def require(condition: object, message: str) -> None:
    """Refuse the image with this message if the condition does not hold."""
    if not condition:
        raise RefusedImageError(message)


def signed(value: int, bits: int) -> int:
    """The value of a two's complement number of `bits` bits."""
    return value - (value >> (bits - 1) << bits)


def words_of(data: bytes) -> list[int]:
    """The 32-bit little-endian words of a file."""
    require(len(data) % 4 == 0, "not whole words")
    return [int.from_bytes(data[at : at + 4], "little") for at in range(0, len(data), 4)]


def field(data: bytes, bit: int, bits: int) -> int:
    """Some bits of a stream as an unsigned number, least significant bit first.

    Args:
        data: the stream.
        bit: number of the first bit.
        bits: how many bits to take.
    """
    return int.from_bytes(data[bit // 8 : (bit + bits + 7) // 8], "little") >> bit % 8 & ((1 << bits) - 1)


def fields(data: bytes, count: int, bits: int) -> list[int]:
    """The fields of a section, all of one width; unused bits of the last word must be zero.

    Args:
        data: the section's bytes.
        count: number of fields.
        bits: width of a field.

    Raises:
        RefusedImageError: if unused bits are set.
    """
    used = count * bits
    require(field(data, used, 8 * len(data) - used) == 0, "unused bits are set")
    return [field(data, index * bits, bits) for index in range(count)]


def packed(values: list[int], bits: int) -> bytes:
    """The section that holds these fields: the inverse of `fields`."""
    stream = sum(value << index * bits for index, value in enumerate(values))
    return stream.to_bytes((len(values) * bits + 31) // 32 * 4, "little")
