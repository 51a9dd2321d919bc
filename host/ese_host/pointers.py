"""Column pointers of skip mode: for each PE, where each column of a matrix begins in entry memory."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ese_host.bits import Words, unpack
from ese_host.design import Design
from ese_host.errors import FormatError
from ese_host.packing import RAM_BITS
from ese_host.phases import Phase

Pointers = npt.NDArray[np.int64]


def to_fields(entries: Pointers, per_word: int, slot_bits: int) -> Pointers:
    """Pointers as they are stored, of entries counted from the first slot of entry memory on.

    >>> to_fields(np.array([0, 2, 3, 7]), per_word=3, slot_bits=2).tolist()
    [0, 2, 4, 9]
    """
    fields: Pointers = entries // per_word << slot_bits | entries % per_word
    return fields


def read(section: Words, count: int, entry_words: int, design: Design, name: str) -> Pointers:
    """(pes, count) pointers as entries counted from the first slot of entry memory on.

    Raises:
        FormatError: a pointer names no slot, lies behind the entries stored, or before the one before it.
    """
    packing = design.packing
    fields = unpack(section, count * design.pes, RAM_BITS).reshape(count, design.pes).T
    word, slot = fields >> packing.slot_bits, fields & ((1 << packing.slot_bits) - 1)
    entries = word * packing.entries_per_word + slot
    stored = entry_words * packing.entries_per_word
    wrong = (slot >= packing.entries_per_word) | (entries > stored)
    wrong[:, 1:] |= np.diff(entries, axis=1) < 0
    if wrong.any():
        pe, index = (int(i) for i in np.argwhere(wrong)[0])
        raise FormatError(
            f"{name}: column pointer {index} of PE {pe} is {int(fields[pe, index]):#x}; pointers ascend and end with "
            f"the {stored} entries stored: emit the image again"
        )
    return entries


def entry_counts(pointers: Pointers, phases: Sequence[Phase], name: str) -> Pointers:
    """(phases, pes) entries of each PE between a matrix's first and last pointer.

    Raises:
        FormatError: a matrix has more columns than there are pointers.
    """
    counts = np.zeros((len(phases), len(pointers)), dtype=np.int64)
    for number, phase in enumerate(phases):
        last = phase.pointer_base + phase.columns
        if last >= pointers.shape[1]:
            raise FormatError(
                f"{name}: phase {number} uses {last + 1} column pointers; {pointers.shape[1]} are stored: emit it again"
            )
        counts[number] = pointers[:, last] - pointers[:, phase.pointer_base]
    return counts
