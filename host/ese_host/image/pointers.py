# SPDX-License-Identifier: Apache-2.0
"""Column pointers of skip mode: the place in entry memory where each column of a matrix begins, for each PE."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ese_host.errors import FormatError
from ese_host.files import Words, unpack
from ese_host.image.design import Design
from ese_host.image.entry_widths import RAM_BITS, EntryWidths
from ese_host.image.phases import Phase

Pointers = npt.NDArray[np.int64]


def to_fields(entries: Pointers, first_word: int, full: bool, widths: EntryWidths) -> Pointers:
    """Convert indices of entries to stored column pointers: a word's address and a slot within the word.

    Args:
        entries: indices of entries, counted from the first entry of the matrix.
        first_word: address of the word of entry memory with which the matrix begins.
        full: whether the matrix is stored in full, without gaps.
        widths: widths of entries and codes.

    >>> to_fields(np.array([0, 2, 3, 7]), 0, False, EntryWidths("ternary", 5)).tolist()
    [0, 2, 4, 9]
    """
    word, slot = np.divmod(entries, widths.per_word(full))
    fields: Pointers = (word + first_word) << widths.slot_bits | slot
    return fields


def read(
    section: Words, count: int, entry_words: int, phases: Sequence[Phase], design: Design, name: str
) -> list[Pointers]:
    """Read and check the column pointers of an image.

    Args:
        section: words of the section of pointers.
        count: number of pointers of each PE.
        entry_words: stored words of entry memory per PE.
        phases: the phase table, which says where a phase's pointers and entries begin and how words are packed.
        design: the image's design.
        name: name of the image in error messages.

    Returns:
        For each phase (pes, columns + 1) indices of the entry with which each column begins, counted from the first
        entry of the phase; the last index is the number of entries.

    Raises:
        FormatError: if a pointer addresses no slot, exceeds the stored entries or is less than the one before it; if a
            matrix has more columns than there are pointers; if a column of a full phase has too few or many entries.
    """
    widths = design.widths
    fields = unpack(section, count * design.pes, RAM_BITS).reshape(count, design.pes).T
    slots_per_word = np.full(count, widths.per_word(False))
    for number, phase in enumerate(phases):
        last = phase.pointer_base + phase.columns
        if last >= count:
            raise FormatError(
                f"{name}: phase {number} uses {last + 1} column pointers; {count} are stored: emit the image again"
            )
        slots_per_word[phase.pointer_base : last + 1] = widths.per_word(phase.full)
    word, slot = fields >> widths.slot_bits, fields & ((1 << widths.slot_bits) - 1)
    wrong = (slot >= slots_per_word) | (word + (slot > 0) > entry_words)
    wrong[:, 1:] |= np.diff(fields, axis=1) < 0
    if wrong.any():
        pe, index = (int(i) for i in np.argwhere(wrong)[0])
        raise FormatError(
            f"{name}: column pointer {index} of PE {pe} is {int(fields[pe, index]):#x}; pointers must ascend and stay "
            f"within the {entry_words} words stored: emit the image again"
        )
    result = []
    for number, phase in enumerate(phases):
        columns = slice(phase.pointer_base, phase.pointer_base + phase.columns + 1)
        entries = (word[:, columns] - phase.entry_base) * widths.per_word(phase.full) + slot[:, columns]
        result.append(entries)
        if phase.full and (np.diff(entries, axis=1) != phase.rows).any():
            raise FormatError(
                f"{name}: phase {number} is full, but a column does not have one entry for each of its {phase.rows} "
                "rows: emit the image again"
            )
    return result
