"""The stored form of an image: its entries as two Huffman streams, gaps and codes (docs/image-format.md).

`image.read` takes both forms; the words it hands on, and the checksum it compares, are those of the plain image.
"""

from __future__ import annotations

import zlib

import numpy as np

from ese_host.bits import Words, pack, packed_words, unpack
from ese_host.design import Design
from ese_host.errors import FormatError
from ese_host.fixed import Codes
from ese_host.huffman import CHUNK, decode
from ese_host.image import HEADER, check_header, layout, read_header
from ese_host.packing import CODE_BITS, Packing

MAGIC = 0x48455345
VERSION = 1
FIELDS = ("magic", "version", "words", "image_words", "gap_bits", "code_bits")
LENGTH_BITS = 5
"""Bits of a code length in the tables."""
CHUNK_BITS = 16
"""Bits of a chunk's length."""


def alphabets(design: Design) -> tuple[int, int]:
    """Symbols of the gaps and of the codes."""
    return 1 << design.gap_bits, 1 << CODE_BITS[design.weights]


def layout_of(header: dict[str, int], rest: int, symbols: int, design: Design) -> dict[str, slice]:
    """Word range of each section of a stored image, by its own header, the plain words kept and the entries."""
    gaps, codes = alphabets(design)
    chunks = packed_words(-(-symbols // CHUNK), CHUNK_BITS)
    sizes = {
        "header": len(FIELDS),
        "image": rest,
        "gap lengths": packed_words(gaps, LENGTH_BITS),
        "code lengths": packed_words(codes, LENGTH_BITS),
        "gap chunks": chunks,
        "code chunks": chunks,
        "gaps": packed_words(header["gap_bits"], 1),
        "codes": packed_words(header["code_bits"], 1),
        "checksum": 1,
    }
    ends = np.cumsum(list(sizes.values())).tolist()
    return {name: slice(end - size, end) for (name, size), end in zip(sizes.items(), ends, strict=True)}


def expand(words: Words, design: Design, name: str) -> Words:
    """The words of the plain image.

    Every size is checked against the file's and the design's before memory is taken for it.

    Args:
        words: (n,) all words of the file.
        design: the design it is for.
        name: how messages name the file.

    Raises:
        FormatError: it is no whole, undamaged stored image. MismatchError: it is for another design.
        CapacityError: it does not fit the design's memories.
    """
    least = len(FIELDS) + len(HEADER)
    if len(words) < least:
        raise FormatError(f"{name}: {len(words)} words; a stored image has at least {least}: store it again")
    header = dict(zip(FIELDS, (int(w) for w in words), strict=False))
    for field, expected in (("version", VERSION), ("words", len(words))):
        if header[field] != expected:
            raise FormatError(f"{name}: {field} is {header[field]:#x}; expected {expected:#x}: store the image again")
    crc = zlib.crc32(words[:-1].astype("<u4").tobytes())
    if crc != int(words[-1]):
        raise FormatError(f"{name}: CRC is {int(words[-1]):#010x}; its content has {crc:#010x}: copy or store it again")
    inner = read_header(words[len(FIELDS) :])
    check_header(inner, header["image_words"], design, name)
    plain = layout(inner, design)
    size = plain["checksum"].stop
    if header["image_words"] != size:
        raise FormatError(f"{name}: image_words is {header['image_words']}; its header asks for {size}: store it again")
    entries = plain["entries"]
    slots = inner["entry_words"] * design.pes
    count = slots * design.packing.entries_per_word
    parts = layout_of(header, size - (entries.stop - entries.start), count, design)
    if parts["checksum"].stop != len(words):
        raise FormatError(f"{name}: {len(words)} words; its header asks for {parts['checksum'].stop}: store it again")
    streams = []
    for stream, symbols in zip(("gap", "code"), alphabets(design), strict=True):
        bits = header[f"{stream}_bits"]
        chunk_bits = unpack(words[parts[f"{stream} chunks"]], -(-count // CHUNK), CHUNK_BITS)
        if int(chunk_bits.sum()) != bits:
            raise FormatError(
                f"{name}: {stream}_bits is {bits}; its chunks have {chunk_bits.sum()}: copy or store the image again"
            )
        lengths = unpack(words[parts[f"{stream} lengths"]], symbols, LENGTH_BITS)
        payload = words[parts[f"{stream}s"]].astype("<u4").view(np.uint8)
        streams.append(decode(payload, chunk_bits, lengths, count, f"{name}: {stream}s"))
    kept = words[parts["image"]]
    memory = pack(joined(streams[0], streams[1], design.packing), design.packing.word_bits)
    return np.concatenate([kept[: entries.start], memory, kept[entries.start :]])


def joined(gaps: Codes, codes: Codes, packing: Packing) -> Codes:
    """Words of entry memory of the entries in them, in order."""
    slots = (gaps | codes << packing.gap_bits).reshape(-1, packing.entries_per_word)
    result: Codes = (slots << (np.arange(packing.entries_per_word) * packing.entry_bits)).sum(axis=1)
    return result
