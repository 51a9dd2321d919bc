# SPDX-License-Identifier: Apache-2.0
"""The stored form of an image: its entries as two Huffman streams, gaps and codes (docs/reference/image-format.md).

`ese_host.bundle.read_image` reads both forms; the words that it returns are always those of the plain image.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from itertools import accumulate

import numpy as np
import numpy.typing as npt

from ese_host.errors import FormatError
from ese_host.files import CHUNK, Words, decode_stream, pack, packed_words, unpack
from ese_host.image.design import Design
from ese_host.image.phases import Phase
from ese_host.image.reader import HEADER, check_header, phase_table, read_header, section_slices
from ese_host.ir import Codes

MAGIC = 0x48455345
VERSION = 1
FIELDS = ("magic", "version", "words", "image_words", "gap_bits", "code_bits")
"""Words of a stored image's header; the last two are the lengths of the two streams in bits."""
LENGTH_BITS = 5
"""Bits of a Huffman code's length in the tables of lengths."""
CHUNK_BITS = 16
"""Bits of the number that gives a chunk's length in bits."""


def alphabets(design: Design) -> tuple[int, int]:
    """Number of different symbols in the stream of gaps and in the stream of codes."""
    widths = design.widths
    return 1 << design.gap_bits, 1 << (widths.slot_width(True) if design.full_phases else widths.code_bits)


def full_words(phases: Sequence[Phase], entry_words: int, design: Design) -> npt.NDArray[np.bool_]:
    """(entry_words,) whether a word of entry memory holds the codes of a full phase.

    Args:
        phases: the phase table.
        entry_words: words of entry memory per PE.
        design: the image's design.
    """
    full = np.zeros(entry_words, dtype=np.bool_)
    for phase in phases:
        if phase.full and design.full_phases:
            full[phase.entry_base : phase.entry_base - (-phase.entry_count // design.widths.per_word(True))] = True
    return full


def layout_of(header: dict[str, int], rest: int, symbols: tuple[int, int], design: Design) -> dict[str, slice]:
    """Word range of each section of a stored image.

    Args:
        header: fields of the stored image's header.
        rest: number of words of the plain image without its entries.
        symbols: number of symbols in the stream of gaps and in the stream of codes.
        design: the image's design.
    """
    gaps, codes = alphabets(design)
    gap_chunks, code_chunks = (packed_words(-(-count // CHUNK), CHUNK_BITS) for count in symbols)
    sizes = {
        "header": len(FIELDS),
        "image": rest,
        "gap lengths": packed_words(gaps, LENGTH_BITS),
        "code lengths": packed_words(codes, LENGTH_BITS),
        "gap chunks": gap_chunks,
        "code chunks": code_chunks,
        "gaps": packed_words(header["gap_bits"], 1),
        "codes": packed_words(header["code_bits"], 1),
        "checksum": 1,
    }
    ends = accumulate(sizes.values())
    return {name: slice(end - size, end) for (name, size), end in zip(sizes.items(), ends, strict=True)}


def expand(words: Words, design: Design, name: str) -> Words:
    """Decode a stored image to the words of the plain image.

    Every size is checked against the file and the design before memory is allocated for it.

    Args:
        words: (n,) all words of the file.
        design: the design for which the image was made.
        name: name of the file in error messages.

    Raises:
        FormatError: if the file is no complete, undamaged stored image.
        MismatchError: if the image is for another design.
        CapacityError: if the image does not fit the design's memories.
    """
    least = len(FIELDS) + len(HEADER)
    if len(words) < least:
        raise FormatError(f"{name}: {len(words)} words; a stored image has at least {least}: pack it again")
    header = dict(zip(FIELDS, (int(w) for w in words), strict=False))
    for field, expected in (("version", VERSION), ("words", len(words))):
        if header[field] != expected:
            raise FormatError(f"{name}: {field} is {header[field]:#x}; expected {expected:#x}: pack the image again")
    crc = zlib.crc32(words[:-1].astype("<u4").tobytes())
    if crc != int(words[-1]):
        raise FormatError(f"{name}: CRC is {int(words[-1]):#010x}; its content has {crc:#010x}: copy or pack it again")
    inner = read_header(words[len(FIELDS) :])
    check_header(inner, header["image_words"], design, name)
    plain = section_slices(inner, design)
    size = plain["checksum"].stop
    if header["image_words"] != size:
        raise FormatError(f"{name}: image_words is {header['image_words']}; its header asks for {size}: pack it again")
    entries = plain["entries"]
    table = slice(len(FIELDS) + plain["phase table"].start, len(FIELDS) + plain["phase table"].stop)
    if table.stop > len(words):
        raise FormatError(f"{name}: {len(words)} words; its phase table ends at word {table.stop}: pack it again")
    full = full_words(phase_table(words[table], design)[0], inner["entry_words"], design)
    counts = symbol_counts(full, design)
    parts = layout_of(header, size - (entries.stop - entries.start), counts, design)
    if parts["checksum"].stop != len(words):
        raise FormatError(f"{name}: {len(words)} words; its header asks for {parts['checksum'].stop}: pack it again")
    streams = []
    for stream, symbols, count in zip(("gap", "code"), alphabets(design), counts, strict=True):
        bits = header[f"{stream}_bits"]
        chunk_bits = unpack(words[parts[f"{stream} chunks"]], -(-count // CHUNK), CHUNK_BITS)
        if int(chunk_bits.sum()) != bits:
            raise FormatError(
                f"{name}: {stream}_bits is {bits}; its chunks have {chunk_bits.sum()}: copy or pack the image again"
            )
        lengths = unpack(words[parts[f"{stream} lengths"]], symbols, LENGTH_BITS)
        payload = words[parts[f"{stream}s"]].astype("<u4").view(np.uint8)
        streams.append(decode_stream(payload, chunk_bits, lengths, count, f"{name}: {stream}s"))
    kept = words[parts["image"]]
    memory = pack(joined(streams[0], streams[1], full, design), design.widths.word_bits)
    return np.concatenate([kept[: entries.start], memory, kept[entries.start :]])


def symbol_counts(full: npt.NDArray[np.bool_], design: Design) -> tuple[int, int]:
    """Number of symbols in the stream of gaps and in the stream of codes; words of full phases have only codes."""
    full_count = int(full.sum())
    gaps = (len(full) - full_count) * design.pes * design.widths.per_word(False)
    return gaps, gaps + full_count * design.pes * design.widths.per_word(True)


def joined(gaps: Codes, codes: Codes, full: npt.NDArray[np.bool_], design: Design) -> Codes:
    """Compose the words of entry memory from gaps and codes.

    Args:
        gaps: gaps of all entries in words that are not full.
        codes: first the codes of these entries, then the codes of full words.
        full: (entry_words,) result of `full_words`.
        design: the image's design.

    Returns:
        (entry_words * pes,) words, by address and then by PE.
    """
    widths = design.widths
    entries = gaps | codes[: len(gaps)] << widths.gap_bits
    result = np.zeros((len(full), design.pes), dtype=np.int64)
    for slots, is_full in ((entries, False), (codes[len(gaps) :], True)):
        per_word = widths.per_word(is_full)
        words = (slots.reshape(-1, per_word) << np.arange(per_word) * widths.slot_width(is_full)).sum(axis=1)
        result[full == is_full] = words.reshape(-1, design.pes)
    return result.reshape(-1)


def split(words: Codes, full: npt.NDArray[np.bool_], design: Design) -> tuple[Codes, Codes]:
    """Inverse of `joined`.

    Args:
        words: (entry_words * pes,) words of entry memory, by address and then by PE.
        full: (entry_words,) result of `full_words`.
        design: the image's design.

    Returns:
        Gaps and codes, as in the arguments of `joined`.
    """
    widths = design.widths
    memory = words.reshape(len(full), design.pes)
    slots = []
    for is_full in (False, True):
        slots.append(widths.slots(memory[full == is_full].reshape(-1), is_full))
    return slots[0] & ((1 << widths.gap_bits) - 1), np.concatenate([slots[0] >> widths.gap_bits, slots[1]])
