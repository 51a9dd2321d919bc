"""Column pointers of skip mode: for each PE, where each column of a matrix begins in entry memory."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ese_host.errors import FormatError
from ese_host.files import Words, unpack
from ese_host.image.design import Design
from ese_host.image.packing import RAM_BITS, Packing
from ese_host.image.phases import Phase

Pointers = npt.NDArray[np.int64]


def to_fields(entries: Pointers, first_word: int, full: bool, packing: Packing) -> Pointers:
    """Pointers as they are stored, of entries of a matrix that begins at a word of entry memory.

    >>> to_fields(np.array([0, 2, 3, 7]), 0, False, Packing("ternary", 5)).tolist()
    [0, 2, 4, 9]
    """
    word, slot = np.divmod(entries, packing.per_word(full))
    fields: Pointers = (word + first_word) << packing.slot_bits | slot
    return fields


def read(
    section: Words, count: int, entry_words: int, phases: Sequence[Phase], design: Design, name: str
) -> list[Pointers]:
    """For each phase the (pes, columns + 1) entries with which columns begin, counted from the phase's first word on.

    `count`: pointers of each PE in the section. `entry_words`: words of entry memory that are stored. The phases say
    how many places a word has.

    Raises:
        FormatError: a pointer names no slot, lies behind the entries stored, or before the one before it; a matrix has
            more columns than there are pointers, or a full one a column that is not whole.
    """
    packing = design.packing
    fields = unpack(section, count * design.pes, RAM_BITS).reshape(count, design.pes).T
    places = np.full(count, packing.per_word(False))
    for number, phase in enumerate(phases):
        last = phase.pointer_base + phase.columns
        if last >= count:
            raise FormatError(
                f"{name}: phase {number} uses {last + 1} column pointers; {count} are stored: emit it again"
            )
        places[phase.pointer_base : last + 1] = packing.per_word(phase.full)
    word, slot = fields >> packing.slot_bits, fields & ((1 << packing.slot_bits) - 1)
    wrong = (slot >= places) | (word + (slot > 0) > entry_words)
    wrong[:, 1:] |= np.diff(fields, axis=1) < 0
    if wrong.any():
        pe, index = (int(i) for i in np.argwhere(wrong)[0])
        raise FormatError(
            f"{name}: column pointer {index} of PE {pe} is {int(fields[pe, index]):#x}; pointers ascend and end with "
            f"the {entry_words} words stored: emit the image again"
        )
    result = []
    for number, phase in enumerate(phases):
        own = slice(phase.pointer_base, phase.pointer_base + phase.columns + 1)
        entries = (word[:, own] - phase.entry_base) * packing.per_word(phase.full) + slot[:, own]
        result.append(entries)
        if phase.full and (np.diff(entries, axis=1) != phase.rows).any():
            raise FormatError(
                f"{name}: phase {number} is full, but a column has not the {phase.rows} entries of its rows: "
                "emit the image again"
            )
    return result
