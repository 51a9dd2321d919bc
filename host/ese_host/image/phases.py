# SPDX-License-Identifier: Apache-2.0
"""The records of the phase table, which control what the engine does in one step (image-format.md, "Phases")."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ese_host.files import Field, Words, packed_words
from ese_host.image.design import Design
from ese_host.image.entry_widths import COUNT_BITS
from ese_host.ir import GATES

PHASE_WORDS = 10
"""Words of a record in stream mode."""
SCAN_WORDS = 3
"""Additional words of a record in skip mode."""
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
"""Flags of a record, in bits 0 to 19 of its first word."""
FIELDS = {
    "codebook": Field(0, 20, 4),
    "stride_log2": Field(0, 24, 4),
    "bank_positive": Field(0, 28, 2),
    "bank_negative": Field(0, 30, 2),
    "entry_base": Field(1, 0, 16),
    "entry_count": Field(1, 16, 16),
    "source_base": Field(2, 0, 16),
    "items": Field(2, 16, 16),
    "param_base": Field(3, 0, 16),
    "cell_base": Field(3, 16, 16),
    "first_base": Field(4, 0, 16),
    "second_base": Field(4, 16, 16),
    "bank_shift": Field(5, 0, 6, count=4),
    "bias_shift": Field(6, 0, 6),
    "peephole_shift": Field(6, 8, 6),
    "stored_shift": Field(6, 16, 6),
    "format_set": Field(6, 24, 2),
    "cell_kind": Field(6, 26, 2),
    "window": Field(6, 28, 1),
    "low": Field(7, 0, 32, signed=True),
    "high": Field(8, 0, 32, signed=True),
    "layer": Field(9, 0, 8),
    "part": Field(9, 8, 8),
    "rows": Field(9, 16, 16),
    "pointer_base": Field(10, 0, 16),
    "columns": Field(10, 16, 16),
    "group_base": Field(11, 0, 16),
    "threshold": Field(11, 16, 16),
    "last_base": Field(12, 0, 16),
}
"""Numbers of a record; those from word `PHASE_WORDS` on exist only in skip mode."""
CELL_KINDS = ("lstm", "gru", "gru_before", "reset")
"""What the stage of a cell computes: an LSTM's cell; a GRU's with `reset_after`, or without it; or only r * h of a GRU
without `reset_after`, which the matrix behind it reads. Such a stage leaves the sums as they are."""


@dataclass
class Phase:
    """A record: one matrix, the element-wise stage that may follow it, and when both run.

    The fields have the names of csrc/engine/phase.h; docs/reference/image-format.md, "Phases", describes them.
    """

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
    format_set: int = 0
    cell_kind: int = 0
    window: int = 0
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
    def kind(self) -> str:
        """The kind of cell that the stage computes, one of `CELL_KINDS`."""
        return CELL_KINDS[self.cell_kind]

    @property
    def resets(self) -> bool:
        """Whether the stage makes r * h of a GRU, whose cells and parameters are those of the stage that follows."""
        return self.kind == "reset"

    @property
    def full(self) -> bool:
        """Whether every weight is stored without gaps: column by column, `rows` codes in each PE."""
        return self.rows > 0

    @property
    def computes(self) -> bool:
        """Whether an element-wise stage follows the matrix."""
        return self.has("lstm") or self.has("dense")

    def parameter_items(self, units: int) -> int:
        """Items of scales and biases that each of the element-wise units holds for the stage.

        An item has four rows: the gates of one cell, or four rows of any other matrix that the same unit computes.
        """
        per_item = 0 if not self.computes else 1 if self.has("lstm") else GATES
        return -(-self.items // (units * per_item)) if per_item else 0

    def to_words(self, skip: bool = False) -> Words:
        """(10,) words of the record, or (13,) in skip mode."""
        words = [0] * (PHASE_WORDS + (SCAN_WORDS if skip else 0))
        words[0] = sum(1 << FLAGS.index(name) for name in self.flags)
        for name, place in FIELDS.items():
            if place.word < len(words):
                value = getattr(self, name)
                for index, number in enumerate((value,) if place.count == 1 else value):
                    place.put(words, number, index)
        return np.array(words, dtype=np.uint32)

    @classmethod
    def from_words(cls, record: Words) -> Phase:
        """Inverse of `to_words`."""
        words = [int(w) for w in record]
        phase = cls(flags={name for bit, name in enumerate(FLAGS) if words[0] >> bit & 1})
        for name, place in FIELDS.items():
            if place.word < len(words):
                numbers = tuple(place.get(words, index) for index in range(place.count))
                setattr(phase, name, numbers[0] if place.count == 1 else numbers)
        return phase


def record_words(design: Design) -> tuple[int, int]:
    """Words of a phase's record, and words of the entry counts behind it, which only stream mode has."""
    if design.mode == "skip":
        return PHASE_WORDS + SCAN_WORDS, 0
    return PHASE_WORDS, packed_words(design.pes, COUNT_BITS)
