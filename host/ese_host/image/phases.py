"""The phase table's records: what the engine does in one step (docs/image-format.md, "Phases")."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ese_host.image.bits import Words, packed_words
from ese_host.image.design import Design

PHASE_WORDS = 10
SCAN_WORDS = 3
"""More words of a record in skip mode."""
FLAGS = (
    "lstm",
    "dense",
    "source_ram",
    "set",
    "ahead",
    "last_only",
    "zero_state",
    "waits_frame",
    "frees_frame",
    "emits",
    "emits_stored",
    "output_last_only",
    "stores_output",
    "relu",
    "peepholes",
    "first_enabled",
    "first_ram",
    "second_enabled",
    "second_ram",
    "delta",
)
"""Bits 0 to 19 of a record's first word."""
NIBBLES = (("codebook", 20, 4), ("stride_log2", 24, 4), ("bank_positive", 28, 2), ("bank_negative", 30, 2))
HALVES = (
    ("entry_base", "entry_count"),
    ("source_base", "items"),
    ("param_base", "cell_base"),
    ("first_base", "second_base"),
)
"""Low and high half of words 1 to 4."""
SCAN_HALVES = (("pointer_base", "columns"), ("group_base", "threshold"))
"""Low and high half of words 10 and 11; word 12 is `last_base`."""
ROWS_AT = 16
"""Where a full phase's rows stand in word 9."""


@dataclass
class Phase:
    """One matrix, the element-wise stage that may follow it, and when both run. Names as in csrc/phase.h."""

    layer: int = 0
    part: int = 0
    flags: set[str] = field(default_factory=set)
    codebook: int = 0
    stride_log2: int = 0
    bank_positive: int = 0
    bank_negative: int = 0
    entry_base: int = 0
    entry_count: int = 0
    source_base: int = 0
    items: int = 0
    param_base: int = 0
    cell_base: int = 0
    first_base: int = 0
    second_base: int = 0
    bank_shift: tuple[int, int, int, int] = (0, 0, 0, 0)
    bias_shift: int = 0
    peephole_shift: int = 0
    stored_shift: int = 0
    low: int = 0
    high: int = 0
    pointer_base: int = 0
    columns: int = 0
    group_base: int = 0
    threshold: int = 0
    last_base: int = 0
    rows: int = 0

    def has(self, flag: str) -> bool:
        """Whether a flag is set."""
        return flag in self.flags

    @property
    def full(self) -> bool:
        """Whether every weight is stored, without gaps: `rows` of each PE, column by column."""
        return self.rows > 0

    @property
    def computes(self) -> bool:
        """Whether an element-wise stage follows the matrix."""
        return self.has("lstm") or self.has("dense")

    def to_words(self, skip: bool = False) -> Words:
        """(10,) words of the record, (13,) in skip mode."""
        first = sum(1 << bit for bit, name in enumerate(FLAGS) if name in self.flags)
        first |= sum(getattr(self, name) << at for name, at, _ in NIBBLES)
        words = [first]
        words += [getattr(self, low) | getattr(self, high) << 16 for low, high in HALVES]
        words.append(sum(shift << 8 * i for i, shift in enumerate(self.bank_shift)))
        words.append(self.bias_shift | self.peephole_shift << 8 | self.stored_shift << 16)
        words += [self.low & 0xFFFFFFFF, self.high & 0xFFFFFFFF, self.layer | self.part << 8 | self.rows << ROWS_AT]
        if skip:
            words += [getattr(self, low) | getattr(self, high) << 16 for low, high in SCAN_HALVES]
            words.append(self.last_base)
        return np.array(words, dtype=np.uint32)

    @classmethod
    def from_words(cls, record: Words) -> Phase:
        """Inverse of `to_words`."""
        words = [int(w) for w in record]
        phase = cls(flags={name for bit, name in enumerate(FLAGS) if words[0] >> bit & 1})
        for name, at, width in NIBBLES:
            setattr(phase, name, words[0] >> at & ((1 << width) - 1))
        for word, (low, high) in zip(words[1:5], HALVES, strict=True):
            setattr(phase, low, word & 0xFFFF)
            setattr(phase, high, word >> 16)
        shifts = [words[5] >> 8 * i & 0x3F for i in range(4)]
        phase.bank_shift = (shifts[0], shifts[1], shifts[2], shifts[3])
        phase.bias_shift, phase.peephole_shift, phase.stored_shift = (words[6] >> s & 0x3F for s in (0, 8, 16))
        phase.low, phase.high = (w - (1 << 32) if w >> 31 else w for w in words[7:9])
        phase.layer, phase.part, phase.rows = words[9] & 0xFF, words[9] >> 8 & 0xFF, words[9] >> ROWS_AT
        for word, (low, high) in zip(words[PHASE_WORDS:], SCAN_HALVES, strict=False):
            setattr(phase, low, word & 0xFFFF)
            setattr(phase, high, word >> 16)
        phase.last_base = words[12] & 0xFFFF if len(words) > PHASE_WORDS else 0
        return phase


def record_words(design: Design) -> tuple[int, int]:
    """Words of a phase's record, and of the entry counts behind it, which only stream mode has."""
    if design.mode == "skip":
        return PHASE_WORDS + SCAN_WORDS, 0
    return PHASE_WORDS, packed_words(design.pes, 16)
