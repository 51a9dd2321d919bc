# SPDX-License-Identifier: Apache-2.0
"""The design of an image: its id, and what docs/reference/image-format.md calls by letters."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from support.second_decoder.bits import require

CODE_BITS = {"ternary": 1, "int4": 4, "int8": 8, "int12": 12, "int16": 16, "codebook4": 4}


def canonical(value: Any) -> str:
    """Canonical JSON of a value: sorted keys, `", "` and `": "` between, integers in decimal, true and false."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f'"{name}": {canonical(value[name])}' for name in sorted(value)) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(canonical, value)) + "]"
    if isinstance(value, str):
        return f'"{value}"'
    return str(value).lower() if isinstance(value, bool) else str(value)


def canonical_design(design: Mapping[str, Any]) -> str:
    """The canonical JSON of a manifest's `design`."""
    later = {"full_phases": False, "window": 0, "cells": "lstm", "more_sets": []}
    kept = {**later, **design, "more_sets": list(design.get("more_sets", [])), "format": 2}
    left_out: tuple[str, ...] = () if kept["mode"] == "skip" else ("mode", "fifo_depth", "pointer_depth", "delta_depth")
    left_out += tuple(name for name, default in later.items() if kept[name] == default)
    return canonical({name: value for name, value in kept.items() if name not in left_out})


def design_id(design: Mapping[str, Any]) -> int:
    """The id of a manifest's `design`."""
    return int.from_bytes(hashlib.sha256(canonical_design(design).encode()).digest()[:4], "big")


@dataclass(frozen=True)
class Facts:
    """Properties of the design that the page refers to.

    Attributes:
        design: the manifest's `design`.
        design_id: its id.
        pes: processing elements (P).
        banks: accumulator banks (B).
        units: element-wise units (U).
        gap_bits: bits of an entry's gap (G).
        weights: kind of the weight codes.
        skip: whether the design is in skip mode.
        full_phases: whether the design can store matrices full.
        window: columns of the activation window; 0 if there is none.
        cells: kinds of recurrent cells that the design computes.
        sets: the format sets, each with `state`, `output`, `gate` and `cell`.
    """

    design: Mapping[str, Any]
    design_id: int
    pes: int
    banks: int
    units: int
    gap_bits: int
    weights: str
    skip: bool
    full_phases: bool
    window: int
    cells: str
    sets: tuple[Mapping[str, Any], ...]

    @classmethod
    def of(cls, design: Mapping[str, Any]) -> Facts:
        """Read a manifest's `design`."""
        return cls(
            design, design_id(design), design["pes"], design["acc_banks"], design["cells_per_cycle"],
            design["gap_bits"], design["weights"], design["mode"] == "skip", design.get("full_phases", False),
            design.get("window", 0), design.get("cells", "lstm"),
            (design, *design.get("more_sets", ())),
        )  # fmt: skip

    def computes(self, gru: bool) -> bool:
        """Whether the design computes GRU cells, or LSTM cells."""
        return ("gru" if gru else "lstm") in self.cells.split("+")

    @property
    def code_bits(self) -> int:
        """Bits of a code in an entry (C)."""
        return CODE_BITS[self.weights]

    @property
    def word_bits(self) -> int:
        """Bits of a word of entry memory (W)."""
        return 18 if self.gap_bits + self.code_bits <= 18 else 36

    def slot_bits(self, full: bool) -> int:
        """Bits of an entry, or of a code in a full phase."""
        return max(self.code_bits, 2) if full else self.gap_bits + self.code_bits

    def per_word(self, full: bool) -> int:
        """Entries of a word, or codes in a full phase."""
        return self.word_bits // self.slot_bits(full)

    @property
    def advance_bits(self) -> int:
        """Bits that the section of the window has for each word."""
        slots = self.per_word(self.full_phases)
        return slots + 1 if slots % 2 else slots

    @property
    def wait(self) -> int:
        """The entry that is a wait."""
        return (1 << self.gap_bits + 1) - 1 if self.weights == "ternary" else 0

    @property
    def pointer_slot_bits(self) -> int:
        """Bits of a pointer that hold the slot (b)."""
        return (self.per_word(self.full_phases) - 1).bit_length()

    def check_sizes(self, header: Mapping[str, int]) -> None:
        """Refuse an image that does not fit the design's memories.

        Raises:
            RefusedImageError: if a size is zero that must not be, or larger than its memory.
        """
        design = self.design
        limits = {
            "phases": design["phases"],
            "entry_words": design["entry_depth"],
            "params": self.units * design["param_depth"],
            "cells": self.units * design["cell_depth"],
            "codebooks": 16 if self.weights == "codebook4" else 0,
            "inputs": min(design["vector_depth"], (1 << 14) - 1),
        }
        for name, limit in limits.items():
            require(header[name] <= limit, f"{name} is too large")
        require(header["flags"] >> 16 <= design["pointer_depth"], "too many pointers")
        require(header["formats"] >> 8 & 0xFF <= design["acc_bits"], "accumulators too narrow")
        require(bool(header["inputs"] and header["outputs"] and header["phases"]), "inputs, outputs or phases is zero")
        require(header["params"] % self.units == 0 == header["cells"] % self.units, "params or cells not filled up")
