# SPDX-License-Identifier: Apache-2.0
"""The advance bits of an image: how they are stored, and whether they suit its entries."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ese_host.errors import FormatError
from ese_host.files import Words, pack, unpack
from ese_host.image.design import WINDOW_STEP, Design
from ese_host.image.entry_widths import EntryWidths
from ese_host.image.interleave import Positions, padding_passes
from ese_host.image.phases import Phase
from ese_host.image.window.beats import Bits, wait
from ese_host.ir import Codes


def section(advances: Sequence[Bits], full: Sequence[bool], widths: EntryWidths) -> Words:
    """The words of an image's section of advance bits.

    Args:
        advances: for each phase (beats,) whether the window advances.
        full: for each phase whether it is stored full.
        widths: widths of the entries.
    """
    fields = []
    for bits, is_full in zip(advances, full, strict=True):
        per_word = widths.per_word(is_full)
        slots = np.pad(bits, (0, -len(bits) % per_word)).reshape(-1, per_word)
        fields.append((slots << np.arange(per_word)).sum(axis=1))
    return pack(np.concatenate(fields), widths.advance_bits)


def read(words: Words, entry_words: int, phases: Sequence[Phase], design: Design, name: str) -> list[Bits]:
    """Read an image's advance bits.

    Args:
        words: words of the section.
        entry_words: words of entry memory per PE.
        phases: the phase table.
        design: the image's design.
        name: name of the image in error messages.

    Returns:
        For each phase (beats,) whether the window advances.

    Raises:
        FormatError: if a bit is set that belongs to no beat.
    """
    widths = design.widths
    fields = unpack(words, entry_words, widths.advance_bits)
    bits = (fields[:, None] >> np.arange(widths.advance_bits) & 1).astype(np.bool_)
    unused = bits.copy()
    advances = []
    for phase in phases:
        per_word = widths.per_word(phase.full)
        word, slot = np.divmod(np.arange(phase.entry_count), per_word)
        advances.append(bits[word + phase.entry_base, slot])
        unused[word + phase.entry_base, slot] = False
    wrong = np.argwhere(unused)
    if len(wrong):
        raise FormatError(
            f"{name}: the window advances in slot {wrong[0, 1]} of entry word {wrong[0, 0]}, in which no phase has a "
            "beat: emit the image again"
        )
    return advances


def placed(slots: Codes, phase: Phase, design: Design) -> tuple[Positions, Bits]:
    """Position of each entry of a phase within its PE, and whether the entry carries a weight.

    Args:
        slots: (pes, slots) content of the phase's slots.
        phase: the phase.
        design: the image's design, which has a window.
    """
    widths = design.widths
    if phase.full:
        column, row = np.divmod(np.arange(slots.shape[1]), phase.rows)
        return np.broadcast_to((column << phase.stride_log2) + row, slots.shape), slots != 0
    gaps, codes = slots & ((1 << widths.gap_bits) - 1), slots >> widths.gap_bits
    carries = codes != 0 if widths.weight.holds_zero else gaps != (1 << widths.gap_bits) - 1
    passes = np.where(carries, gaps + 1, padding_passes(design.weights, design.gap_bits))
    passes[slots == wait(widths)] = 0
    return np.cumsum(passes, axis=1) - 1, carries


def check(slots: Codes, counts: Codes, advances: Bits, phase: Phase, design: Design, name: str) -> None:
    """Refuse a phase in which an entry is executed while its column is not in the window.

    Args:
        slots: (pes, slots) content of the phase's slots.
        counts: (pes,) entries of each PE.
        advances: (beats,) whether the window advances.
        phase: the phase.
        design: the image's design, which has a window.
        name: name of image and phase in error messages.

    Raises:
        FormatError: if there is such an entry.
    """
    slots = slots[:, : len(advances)]
    positions, carries = placed(slots, phase, design)
    column, arrived = positions >> phase.stride_log2, WINDOW_STEP * np.cumsum(advances)
    executed = np.arange(slots.shape[1]) < counts[:, None]
    wrong = np.argwhere(executed & carries & ((column >= arrived) | (column < arrived - design.window)))
    if len(wrong):
        pe, slot = (int(i) for i in wrong[0])
        raise FormatError(
            f"{name} has a weight of column {column[pe, slot]} in slot {slot} of PE {pe}; the window has columns "
            f"{max(0, arrived[slot] - design.window)} to {arrived[slot] - 1} then: emit the image again"
        )
