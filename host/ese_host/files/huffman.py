# SPDX-License-Identifier: Apache-2.0
"""Decoding of canonical Huffman streams, many chunks at a time (docs/reference/image-format.md, "Stored form").

A stream is cut into chunks of `CHUNK` symbols, whose lengths in bits are known. All chunks are decoded in lockstep, one
symbol of each at a time, with a table of all `LIMIT`-bit prefixes.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ese_host.errors import FormatError

LIMIT = 16
"""Most bits of a code."""
CHUNK = 1024
"""Symbols of a chunk; the last chunk of a stream may have fewer."""
Integers = npt.NDArray[np.int64]


def canonical(lengths: Integers) -> Integers:
    """(symbols,) canonical codes: they ascend by length, then by symbol; unused symbols (of length 0) have code 0.

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
    """Refuse lengths that do not form a complete Huffman code; a single used symbol must have a code of one bit.

    Args:
        lengths: (symbols,) bits of each symbol's code; 0 for unused symbols.
        name: name of the stream in error messages.

    Raises:
        FormatError: if a code is too long, or the codes overlap or leave prefixes unused.
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
    """Decode the (count,) symbols of a stream.

    Args:
        payload: (n,) bytes; the first bit of the stream is the most significant bit of byte 0.
        chunk_bits: (ceil(count / CHUNK),) bits of each chunk; their sum must not exceed the payload.
        lengths: (symbols,) bits of each symbol's code; 0 for unused symbols.
        count: number of symbols in the stream.
        name: name of the stream in error messages.

    Raises:
        FormatError: if the lengths are no complete Huffman code, or a chunk does not end at its last bit.
    """
    if not count:
        return np.zeros(0, dtype=np.int64)
    check_lengths(lengths, name)
    order = np.lexsort((np.arange(len(lengths)), lengths))
    order = order[lengths[order] > 0]
    # NumPy repeats by its own integers only, which have 32 bits on a 32-bit machine.
    repeats = (1 << (LIMIT - lengths[order])).astype(np.intp)
    symbols = np.zeros(1 << LIMIT, dtype=np.int64)
    sizes = np.zeros(1 << LIMIT, dtype=np.int64)
    symbols[: repeats.sum()] = np.repeat(order, repeats)
    sizes[: repeats.sum()] = np.repeat(lengths[order], repeats)
    # In a damaged stream a chunk may be read beyond its end, by at most one chunk of the longest codes.
    padded = np.concatenate([payload, np.zeros(CHUNK * LIMIT // 8 + 4, dtype=np.uint8)]).astype(np.uint32)
    window = padded[:-3] << 24 | padded[1:-2] << 16 | padded[2:-1] << 8 | padded[3:]
    ends = np.cumsum(chunk_bits)
    place = ends - chunk_bits  # the next bit of each chunk
    decoded = np.zeros((CHUNK, len(place)), dtype=np.int64)
    in_last_chunk = count - CHUNK * (len(place) - 1)
    for index in range(min(count, CHUNK)):
        lanes = place if index < in_last_chunk else place[:-1]  # a view: the addition below moves `place` itself
        prefix = (window[lanes >> 3] >> (LIMIT - (lanes & 7)).astype(np.uint32)) & ((1 << LIMIT) - 1)
        decoded[index, : len(lanes)] = symbols[prefix]
        lanes += sizes[prefix]
    if (place != ends).any():
        wrong = int(np.flatnonzero(place != ends)[0])
        raise FormatError(
            f"{name}: chunk {wrong} ends at bit {place[wrong]}; expected {ends[wrong]}: copy or pack the image again"
        )
    return decoded.T.reshape(-1)[:count]
