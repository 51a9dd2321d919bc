"""Images in their stored form, Huffman-coded by bitarray (Deep Compression, section 4; docs/image-format.md)."""

from __future__ import annotations

import zlib

import numpy as np
import numpy.typing as npt
from bitarray.util import canonical_huffman

from ese_host import image
from ese_host.errors import FormatError
from ese_host.files import CHUNK, LIMIT, Words, canonical, pack, unpack
from ese_host.image import Design, compressed
from ese_host.ir import Codes


def code_lengths(symbols: Codes, count: int) -> Codes:
    """(count,) bits of each symbol's code, at most `LIMIT`; 0 where a symbol does not occur.

    Frequencies are halved until the longest code fits: a stream of some million symbols has longer ones only where
    frequencies fall like Fibonacci's numbers, and loses next to nothing.
    """
    lengths = np.zeros(count, dtype=np.int64)
    found = np.bincount(symbols, minlength=count)
    frequency: dict[int, int | float] = {int(symbol): int(found[symbol]) for symbol in np.flatnonzero(found)}
    while frequency:
        _, of_length, order = canonical_huffman(frequency)
        if len(of_length) <= LIMIT + 1:
            lengths[order] = np.repeat(np.arange(len(of_length)), of_length)
            break
        frequency = {symbol: int(times) // 2 + 1 for symbol, times in frequency.items()}
    return lengths


def encode_stream(symbols: Codes, lengths: Codes) -> tuple[npt.NDArray[np.uint8], Codes]:
    """Bits of a stream, one a byte, and (chunks,) bits of each chunk."""
    size = lengths[symbols]
    ends = np.cumsum(size)
    owner = np.repeat(np.arange(len(symbols)), size)
    left = ends[owner] - np.arange(len(owner)) - 1
    bits = (canonical(lengths)[symbols][owner] >> left & 1).astype(np.uint8)
    last = ends[np.minimum(np.arange(CHUNK, len(symbols) + CHUNK, CHUNK), len(symbols)) - 1]
    return bits, np.diff(last, prepend=0)


def compress(words: Words, design: Design, name: str = "image") -> Words:
    """The stored form of a plain image; it has been read back.

    Args:
        words: all words of the image.
        design: the design it is for.
        name: how messages name it.

    Raises:
        FormatError, MismatchError, CapacityError: see `ese_host.image.reader.parse`.
        FormatError: bits that no entry owns are set, which the stored form does not keep.
    """
    checked = image.parse(words, design, name)
    entries = checked.sections["entries"]
    head, tables, chunks, payloads = [], [], [], []
    full = compressed.full_words(checked.phases, checked.header["entry_words"], design)
    memory = unpack(words[entries], len(full) * design.pes, design.packing.word_bits)
    for symbols, count in zip(compressed.split(memory, full, design), compressed.alphabets(design), strict=True):
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
