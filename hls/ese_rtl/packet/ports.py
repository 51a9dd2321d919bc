# SPDX-License-Identifier: Apache-2.0
"""Streams and records at the edges of the packet room."""
# Annotations of a data.Struct are its fields, so that they must not be postponed.

from amaranth.hdl import Cat, Value, unsigned
from amaranth.lib import data, stream

WORD_BITS = 32
WORD = stream.Signature(WORD_BITS)
"""A stream of words without ends of packets."""


class PacketWord(data.Struct):
    """A word of a packet; `last` marks the packet's last one."""

    data: unsigned(WORD_BITS)
    last: unsigned(1)


class Report(data.Struct):
    """One word of a trailer, for the registers that show the last packet."""

    valid: unsigned(1)
    place: unsigned(4)  # index in the trailer
    data: unsigned(WORD_BITS)


def halves_alike(a: Value, b: Value) -> Value:
    """Whether the low halves of two words are alike, and the high ones; whole words would take too much logic."""
    half = WORD_BITS // 2
    return Cat(a[:half] == b[:half], a[half:] == b[half:])
