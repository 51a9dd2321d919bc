# SPDX-License-Identifier: Apache-2.0
"""The stored form of an image: entries as two Huffman streams (docs/reference/image-format.md, "Stored form")."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from support.second_decoder.bits import fields, packed, require, words_of
from support.second_decoder.design import Facts
from support.second_decoder.records import HEADER, section_sizes

CHUNK, LONGEST = 1024, 16


def huffman(lengths: list[int]) -> dict[tuple[int, int], int]:
    """The symbol of each canonical code, which is given by its length and its bits.

    Raises:
        RefusedImageError: if a code is too long, or the codes do not fill all prefixes.
    """
    require(max(lengths) <= LONGEST, "a code too long")
    used = sorted((length, symbol) for symbol, length in enumerate(lengths) if length)
    code = before = 0
    symbols = {}
    for length, symbol in used:
        code <<= length - before
        symbols[length, code] = symbol
        code, before = code + 1, length
    require(code == 1 << before or [length for length, _ in used] == [1], "codes that do not fill all prefixes")
    return symbols


def stream(data: bytes, lengths: list[int], chunks: list[int], count: int) -> list[int]:
    """The symbols of a Huffman stream.

    Args:
        data: the stream, each byte from its highest bit on.
        lengths: bits of each symbol's code.
        chunks: bits of each chunk.
        count: number of symbols.

    Raises:
        RefusedImageError: if a chunk has other bits than it says, or bits behind the stream are set.
    """
    if not count:
        require(not data, "a stream without symbols")
        return []
    symbols = huffman(lengths)
    bits: Iterator[int] = (byte >> place & 1 for byte in data for place in range(7, -1, -1))
    found: list[int] = []
    for chunk in chunks:
        taken = 0
        for _ in range(min(CHUNK, count - len(found))):
            length = code = 0
            while (length, code) not in symbols:
                require(length < LONGEST, "bits that are no code")
                length, code = length + 1, code << 1 | next(bits, 0)
            found.append(symbols[length, code])
            taken += length
        require(taken == chunk, "a chunk of other bits than it says")
    require(not any(bits), "bits behind a stream are set")
    return found


def expand(data: bytes, facts: Facts) -> bytes:
    """The plain form of an image in its stored form.

    Raises:
        RefusedImageError: if the file contradicts the page.
    """
    words = words_of(data)
    require(len(words) >= 6 + 16 and words[0] == 0x48455345 and words[1] == 1, "not a stored image of version 1")
    _, _, length, plain_length, gap_bits, code_bits = words[:6]
    require(length == len(words), "wrong length")
    require(zlib.crc32(data[:-4]) == words[-1], "wrong checksum")
    header = dict(zip(HEADER, words[6:22], strict=True))
    facts.check_sizes(header)
    sizes = section_sizes(header, facts)
    require(plain_length == header["words"] == sum(sizes.values()), "wrong length of the plain image")
    before = sum(sizes[name] for name in list(sizes)[: list(sizes).index("entries")])
    rest = plain_length - sizes["entries"]

    full_words: set[int] = set()
    record = 13 if facts.skip else 10 + (facts.pes + 1) // 2
    for number in range(header["phases"]):
        at = 6 + 16 + number * record
        require(at + 10 <= len(words), "too short for its sections")
        if facts.full_phases and words[at + 9] >> 16:
            begin, count = words[at + 1] & 0xFFFF, words[at + 1] >> 16
            full_words |= set(range(begin, begin + -(-count // facts.per_word(True))))
    require(not full_words or max(full_words) < header["entry_words"], "a phase beyond the entry words")
    places = [(word, pe) for word in range(header["entry_words"]) for pe in range(facts.pes)]
    sparse, full = ([place for place in places if (place[0] in full_words) == kind] for kind in (False, True))
    gap_count = len(sparse) * facts.per_word(False)
    code_count = gap_count + len(full) * facts.per_word(True)
    alphabet = 1 << (facts.slot_bits(True) if facts.full_phases else facts.code_bits)

    at = 4 * (6 + rest)

    def section(bits: int) -> bytes:
        nonlocal at
        begin, at = at, at + (bits + 31) // 32 * 4
        require(at <= len(data) - 4, "too short for its sections")
        return data[begin:at]

    tables = [fields(section(5 * size), size, 5) for size in (1 << facts.gap_bits, alphabet)]
    chunks = [-(-count // CHUNK) for count in (gap_count, code_count)]
    chunk_bits = [fields(section(16 * count), count, 16) for count in chunks]
    require([sum(bits) for bits in chunk_bits] == [gap_bits, code_bits], "chunks of other bits than their stream")
    gaps = stream(section(gap_bits), tables[0], chunk_bits[0], gap_count)
    codes = stream(section(code_bits), tables[1], chunk_bits[1], code_count)
    require(at == len(data) - 4, "words left over")

    slots = [gap | code << facts.gap_bits for gap, code in zip(gaps, codes, strict=False)]
    require(not any(code >> facts.code_bits for code in codes[:gap_count]), "a code too wide for an entry")
    memory = {}
    for group, values, is_full in ((sparse, slots, False), (full, codes[gap_count:], True)):
        per_word, width = facts.per_word(is_full), facts.slot_bits(is_full)
        for index, place in enumerate(group):
            chosen = values[index * per_word : (index + 1) * per_word]
            memory[place] = sum(value << slot * width for slot, value in enumerate(chosen))
    image = data[24 : 24 + 4 * rest]
    entries = packed([memory[place] for place in places], facts.word_bits)
    return image[: 4 * before] + entries + image[4 * before :]
