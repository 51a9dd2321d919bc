# SPDX-License-Identifier: Apache-2.0
"""Entries of a PE, and where its columns begin (docs/reference/image-format.md, "Entries")."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from support.second_decoder.bits import require
from support.second_decoder.design import Facts


def weights(entries: list[int], facts: Facts) -> Iterator[tuple[int, int, int]]:
    """Number of the entry, position and code of each weight; the first gap counts from position 0.

    Raises:
        RefusedImageError: if a weight has code 0.
    """
    most = (1 << facts.gap_bits) - 1
    position = 0
    for number, entry in enumerate(entries):
        if facts.window and entry == facts.wait:
            continue
        gap, code = entry & most, entry >> facts.gap_bits
        position += gap
        if facts.weights == "ternary":
            if gap == most:
                continue
        elif code == 0:
            require(gap == most, "a weight with code 0")
            position += 1
            continue
        yield number, position, code
        position += 1


def column_starts(pointers: list[int], facts: Facts, full: bool) -> list[int]:
    """Slots that a PE's pointers point to, counted from the first slot of its memory.

    Args:
        pointers: the PE's pointers, one for each column and one behind the last.
        facts: gives the widths.
        full: whether the phase is full.

    Raises:
        RefusedImageError: if a pointer points to no slot.
    """
    per_word, slot_bits = facts.per_word(full), facts.pointer_slot_bits
    starts = []
    for pointer in pointers:
        slot = pointer & ((1 << slot_bits) - 1)
        require(slot < per_word, "a pointer to no slot")
        starts.append((pointer >> slot_bits) * per_word + slot)
    return starts


def column_weights(entries: list[int], starts: list[int], stride: int, facts: Facts) -> Iterator[tuple[int, int, int]]:
    """Number of the entry, position and code of each weight of a PE in skip mode.

    Args:
        entries: content of the PE's slots.
        starts: first slot of each column, and the slot behind the last column.
        stride: positions of a column.
        facts: gives the widths.

    Raises:
        RefusedImageError: if a weight lies outside its column.
    """
    for column, (begin, end) in enumerate(pairwise(starts)):
        for number, row, code in weights(entries[begin:end], facts):
            require(row < stride, "a weight outside its column")
            yield begin + number, column * stride + row, code


def full_weights(codes: list[int], rows: int, stride: int, facts: Facts) -> Iterator[tuple[int, int, int]]:
    """Number of the code, position and code of each non-zero weight of a PE in a full phase; codes as in entries.

    Args:
        codes: the PE's codes, column by column.
        rows: rows of the PE in each column.
        stride: positions of a column.
        facts: gives the kind of weights.

    Raises:
        RefusedImageError: if a ternary code is -2.
    """
    for index, code in enumerate(codes):
        column, row = divmod(index, rows)
        if facts.weights == "ternary":
            require(code != 2, "a ternary code of -2")
            if code:
                yield index, column * stride + row, code >> 1
        elif code:
            yield index, column * stride + row, code


def columns_there(records: list[dict[str, int]], advances: list[int], facts: Facts) -> list[list[range]]:
    """For each phase and each of its beats the columns that are in the window when the beat's entries are executed.

    Args:
        records: of the phases.
        advances: for each word the bits that say in which slots the window advances.
        facts: gives the widths and the columns of the window.

    Raises:
        RefusedImageError: if a bit is set that belongs to no beat.
    """
    result = []
    left = list(advances)
    for record in records:
        per_word = facts.per_word(record["full_rows"] > 0)
        arrived, windows = 0, []
        for beat in range(record["fullest"]):
            word, slot = record["entry_word"] + beat // per_word, beat % per_word
            if advances[word] >> slot & 1:
                arrived += 2
                left[word] &= ~(1 << slot)
            windows.append(range(max(0, arrived - facts.window), arrived))
        result.append(windows)
    require(not any(left), "the window advances where no beat is")
    return result


def slots_of(words: list[int], facts: Facts, full: bool) -> list[int]:
    """The content of all slots of a PE's words, in order.

    Args:
        words: the PE's words.
        facts: gives the widths.
        full: whether slots hold codes of a full phase rather than entries.

    Raises:
        RefusedImageError: if bits that no slot owns are set.
    """
    bits, per_word = facts.slot_bits(full), facts.per_word(full)
    require(not any(word >> bits * per_word for word in words), "bits that no slot owns are set")
    return [word >> slot * bits & ((1 << bits) - 1) for word in words for slot in range(per_word)]
