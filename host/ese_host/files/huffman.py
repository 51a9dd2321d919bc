"""Canonical Huffman streams, decoded many chunks at a time (docs/image-format.md, "Stored form").

A stream is cut into chunks of `CHUNK` symbols, whose lengths in bits are known: all chunks are decoded in lockstep, one
symbol of each at a time, by a table of all `LIMIT`-bit prefixes.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ese_host.errors import FormatError

LIMIT = 16
"""Bits of the longest code."""
CHUNK = 1024
"""Symbols of a chunk; the last one of a stream may have fewer."""
Integers = npt.NDArray[np.int64]


def canonical(lengths: Integers) -> Integers:
    """(symbols,) code of each symbol with a length: ascending by length, then by symbol; 0 for those without.

    >>> [f"{code:0{size}b}" for code, size in zip(canonical(np.array([2, 1, 3, 3])).tolist(), (2, 1, 3, 3))]
    ['10', '0', '110', '111']
    """
    order = np.lexsort((np.arange(len(lengths)), lengths))
    order = order[lengths[order] > 0]
    width = np.int64(1) << (LIMIT - lengths[order])
    codes = np.zeros(len(lengths), dtype=np.int64)
    codes[order] = (np.cumsum(width) - width) >> (LIMIT - lengths[order])
    return codes


def check_lengths(lengths: Integers, name: str) -> None:
    """Refuse lengths that are no whole Huffman code; a single symbol has one bit.

    Raises:
        FormatError: a code is too long, or the codes leave prefixes over or overlap.
    """
    if lengths.max(initial=0) > LIMIT:
        raise FormatError(f"{name}: a code has {lengths.max()} bits; at most {LIMIT} are allowed: pack it again")
    used = lengths[lengths > 0]
    filled = int((1 << (LIMIT - used)).sum())
    if filled != 1 << LIMIT and not (len(used) == 1 and used[0] == 1):
        raise FormatError(
            f"{name}: the codes fill {filled} of {1 << LIMIT} prefixes; a Huffman code fills all: pack the image again"
        )


def decode_stream(
    payload: npt.NDArray[np.uint8], chunk_bits: Integers, lengths: Integers, count: int, name: str
) -> Integers:
    """(count,) symbols of a stream.

    Args:
        payload: (n,) bytes, the first bit is the highest of byte 0.
        chunk_bits: (chunks,) bits of each chunk, ceil(count / CHUNK) of them, all within the payload.
        lengths: (symbols,) bits of each symbol's code; 0 where it does not occur.
        count: symbols in the stream.
        name: how messages name the stream.

    Raises:
        FormatError: the lengths are no code, or a chunk does not end where it should.
    """
    if not count:
        return np.zeros(0, dtype=np.int64)
    check_lengths(lengths, name)
    order = np.lexsort((np.arange(len(lengths)), lengths))
    order = order[lengths[order] > 0]
    repeats = 1 << (LIMIT - lengths[order])
    symbols = np.zeros(1 << LIMIT, dtype=np.int64)
    sizes = np.zeros(1 << LIMIT, dtype=np.int64)
    symbols[: repeats.sum()] = np.repeat(order, repeats)
    sizes[: repeats.sum()] = np.repeat(lengths[order], repeats)
    # a lane that goes astray passes its end by one chunk of the longest codes at most
    padded = np.concatenate([payload, np.zeros(CHUNK * LIMIT // 8 + 4, dtype=np.uint8)]).astype(np.uint32)
    window = padded[:-3] << 24 | padded[1:-2] << 16 | padded[2:-1] << 8 | padded[3:]
    ends = np.cumsum(chunk_bits)
    place = ends - chunk_bits
    found = np.zeros((CHUNK, len(place)), dtype=np.int64)
    last = count - CHUNK * (len(place) - 1)
    for index in range(min(count, CHUNK)):
        lanes = place if index < last else place[:-1]
        prefix = (window[lanes >> 3] >> (LIMIT - (lanes & 7)).astype(np.uint32)) & ((1 << LIMIT) - 1)
        found[index, : len(lanes)] = symbols[prefix]
        lanes += sizes[prefix]
    if (place != ends).any():
        wrong = int(np.flatnonzero(place != ends)[0])
        raise FormatError(
            f"{name}: chunk {wrong} ends at bit {place[wrong]}; expected {ends[wrong]}: copy or pack the image again"
        )
    return found.T.reshape(-1)[:count]
