# SPDX-License-Identifier: Apache-2.0
"""Converts images to their stored form, with Huffman-coded entries (Deep Compression, section 4; image-format.md).

The module bitarray finds the code lengths.
"""

from __future__ import annotations

import zlib

import numpy as np
import numpy.typing as npt

from ese_host import image
from ese_host.errors import FormatError, MissingError
from ese_host.files import CHUNK, LIMIT, Words, canonical, pack, unpack
from ese_host.image import Design, compressed
from ese_host.ir import Codes


def code_lengths(symbols: Codes, count: int) -> Codes:
    """Lengths of the Huffman codes of a stream.

    No code is longer than `LIMIT` bits: the frequencies are halved until the longest code fits. This is rarely needed,
    because codes are that long only if the frequencies grow like Fibonacci numbers, and it hardly lengthens the stream.

    Args:
        symbols: (n,) the symbols of the stream, each from 0 to `count` - 1.
        count: size of the alphabet.

    Returns:
        (count,) bits of the code of each symbol; 0 for a symbol that does not occur.
    """
    try:
        from bitarray.util import canonical_huffman
    except ImportError as error:  # on a board the wheel is installed without what it depends on
        raise MissingError("the Huffman codes need the package bitarray: pip install bitarray") from error

    lengths = np.zeros(count, dtype=np.int64)
    occurrences = np.bincount(symbols.astype(np.intp), minlength=count)
    frequency: dict[int, int | float] = {
        int(symbol): int(occurrences[symbol]) for symbol in np.flatnonzero(occurrences)
    }
    while frequency:
        _, of_length, order = canonical_huffman(frequency)
        if len(of_length) <= LIMIT + 1:
            lengths[order] = np.repeat(np.arange(len(of_length)), of_length)
            break
        frequency = {symbol: int(times) // 2 + 1 for symbol, times in frequency.items()}
    return lengths


def encode_stream(symbols: Codes, lengths: Codes) -> tuple[npt.NDArray[np.uint8], Codes]:
    """Encode a stream by the canonical Huffman code with the given code lengths.

    Returns:
        The bits of the stream, one bit per byte, and (chunks,) the number of bits of each chunk of `CHUNK` symbols.
    """
    size = lengths[symbols]
    ends = np.cumsum(size)
    symbol_of_bit = np.repeat(np.arange(len(symbols)), size.astype(np.intp))
    bits_after = ends[symbol_of_bit] - np.arange(len(symbol_of_bit)) - 1
    bits = (canonical(lengths)[symbols][symbol_of_bit] >> bits_after & 1).astype(np.uint8)
    chunk_ends = ends[np.minimum(np.arange(CHUNK, len(symbols) + CHUNK, CHUNK), len(symbols)) - 1]
    return bits, np.diff(chunk_ends, prepend=0)


def compress(words: Words, design: Design, name: str = "image") -> Words:
    """Convert a plain image to its stored form, and check that reading it gives the plain image back.

    Args:
        words: all words of the image.
        design: the design that the image is for.
        name: name of the image in messages.

    Returns:
        The words of the stored form.

    Raises:
        FormatError: if the image is not sound, or if bits outside its entries are set, which the stored form drops.
        MismatchError: if the image is for another design.
        CapacityError: if the image does not fit the design.
    """
    checked = image.parse(words, design, name)
    entries = checked.sections["entries"]
    head, tables, chunks, payloads = [], [], [], []
    is_full = compressed.full_words(checked.phases, checked.header["entry_words"], design)
    memory = unpack(words[entries], len(is_full) * design.pes, design.widths.word_bits)
    for symbols, count in zip(compressed.split(memory, is_full, design), compressed.alphabets(design), strict=True):
        lengths = code_lengths(symbols, count)
        bits, chunk_bits = encode_stream(symbols, lengths)
        head.append(len(bits))
        tables.append(pack(lengths, compressed.LENGTH_BITS))
        chunks.append(pack(chunk_bits, compressed.CHUNK_BITS))
        payloads.append(np.packbits(np.pad(bits, (0, -len(bits) % 32))).view("<u4").astype(np.uint32))
    parts = [words[: entries.start], words[entries.stop :], *tables, *chunks, *payloads]
    size = len(compressed.FIELDS) + sum(len(part) for part in parts) + 1
    header = np.array([compressed.MAGIC, compressed.VERSION, size, len(words), *head], dtype=np.uint32)
    content = np.concatenate([header, *parts])
    result = np.append(content, np.uint32(zlib.crc32(content.astype("<u4").tobytes())))
    if not np.array_equal(compressed.expand(result, design, name), words):
        raise FormatError(f"{name}: bits beyond its entries are set; they are zero in a sound image: emit it again")
    return result
