"""A design: every number that is fixed when the engine is synthesized.

One `Design` makes config.h, is written into the manifest, and decides which images fit. `design_id` is what the
hardware answers in its first register, so that host, image and bitstream can tell whether they belong together.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from ese_host.errors import FormatError, MismatchError
from ese_host.files import decode, digest_of
from ese_host.image.packing import GAP_BITS, RAM_BITS, Packing
from ese_host.ir import WEIGHT_KINDS, Activation, Fixed, WeightKind

Mode = Literal["stream", "skip"]

FORMAT_VERSION = 1
SUM_FRAC = 36
"""Fractional bits of a pre-activation sum."""
SUM_BITS = 48
SCAN_WIDTH = 4
"""Elements of a vector that skip mode examines at once."""
WRITEBACK = 24
"""Iterations from an element-wise issue to its write: room for the unit's pipeline."""
MAX_PES = 128
MAX_FIFO_DEPTH = 256
FULL_FIELD = "full_phases"
"""What only the canonical JSON of a design with full phases tells."""
SKIP_FIELDS = ("mode", "fifo_depth", "pointer_depth", "delta_depth")
"""What only a skip design has, and only its canonical JSON tells."""


@dataclass(frozen=True)
class Design:
    """Sizes and formats of one engine (docs/engine.md).

    Attributes:
        weights: kind of weight code. gap_bits: bits of the relative index.
        pes: processing elements. cells_per_cycle: element-wise units, 1, or 2 with an even number of
            PEs, so that each unit drains PEs of its own.
        acc_bits: accumulator width. acc_banks: accumulators a row (1, 2 or 4).
        entry_depth: words of entry memory a PE. group_depth: groups of four rows a PE.
        vector_depth: elements of each vector RAM. param_depth: rows of scales and biases.
        cell_depth: LSTM cells (c and peepholes). phases: entries of the phase table.
        source: format of the first signed network's input, else of the first's; the engine has its sign alone.
        state: of h and c. output: of an LSTM's output to the next layer.
        gate: activation of i, f, o. cell: activation of the candidate and of c.
        clock_mhz: clock the design is meant for.
        mode: "stream" (every activation; ESE) or "skip" (those that are not zero, or have changed; EIE).
        fifo_depth: columns that a PE's FIFO holds. pointer_depth: column pointers a PE.
        delta_depth: elements whose last broadcast value is kept; 0 where none is. The last three: skip mode alone.
        full_phases: whether a matrix may be stored without gaps, every weight of it.
    """

    weights: WeightKind
    gap_bits: int
    pes: int
    cells_per_cycle: int
    acc_bits: int
    acc_banks: int
    entry_depth: int
    group_depth: int
    vector_depth: int
    param_depth: int
    cell_depth: int
    phases: int
    source: Fixed
    state: Fixed
    output: Fixed
    gate: Activation
    cell: Activation
    clock_mhz: int = 100
    mode: Mode = "stream"
    fifo_depth: int = 8
    pointer_depth: int = 0
    delta_depth: int = 0
    full_phases: bool = False

    def __post_init__(self) -> None:
        skips = self.mode == "skip"
        depths = [1 << n for n in range(2 if skips else 1, 17)]
        allowed = {
            "weights": tuple(WEIGHT_KINDS),
            "gap_bits": GAP_BITS,
            "pes": range(1, MAX_PES + 1),
            "cells_per_cycle": (1,) if self.pes % 2 else (1, 2),
            "acc_bits": range(12, SUM_BITS + 1),
            "acc_banks": (1, 2, 4),
            "entry_depth": range(1, 1 << 16),
            "phases": range(1, 65),
            "vector_depth": depths,
            **{name: [1 << n for n in range(1, 17)] for name in ("group_depth", "param_depth", "cell_depth")},
            "mode": ("stream", "skip"),
            "fifo_depth": [1 << n for n in range(MAX_FIFO_DEPTH.bit_length())],
            "pointer_depth": depths if skips else (0,),
            "delta_depth": [0, *depths] if skips else (0,),
        }
        for name, values in allowed.items():
            if getattr(self, name) not in values:
                raise FormatError(f"design: {name} is {getattr(self, name)!r}; allowed: {values}")
        reach = (1 << (RAM_BITS - self.packing.slot_bits)) - 1
        if skips and self.entry_depth > reach:
            raise FormatError(
                f"design: entry_depth is {self.entry_depth}; a column pointer reaches {reach} words: "
                "use more PEs or gap bits"
            )
        for name in ("source", "state", "output"):
            form: Fixed = getattr(self, name)
            if form.bits + (not form.signed) > 16 + (name == "source"):
                raise FormatError(
                    f"design: {name} has {form.bits} bits; a vector element holds 16: narrow the quantizer"
                )

    @property
    def packing(self) -> Packing:
        """Widths of its entries and of the words that hold them."""
        return Packing(self.weights, self.gap_bits, self.full_phases)

    @property
    def design_id(self) -> int:
        """32 bits that name this design: the head of the SHA-256 of its canonical JSON."""
        return int(digest_of(self.canonical().encode())[:8], 16)

    def canonical(self) -> str:
        """Canonical JSON of the format version and every field that the mode has."""
        left_out = (SKIP_FIELDS if self.mode == "stream" else ()) + (() if self.full_phases else (FULL_FIELD,))
        named = {name: value for name, value in asdict(self).items() if name not in left_out}
        return json.dumps({"format": FORMAT_VERSION, **named}, sort_keys=True)

    def to_json(self) -> dict[str, Any]:
        """Plain values for the manifest."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Any) -> Design:
        """Inverse of `to_json`.

        Raises:
            FormatError: a field is missing, unknown or out of range.
        """
        if isinstance(value, dict) and set(value) == {item.name for item in fields(cls)} - {FULL_FIELD}:
            value = {**value, FULL_FIELD: False}  # designs of before had none
        return decode(cls, value, "design")


def check_ids(what: str, found: int, expected: int) -> None:
    """Refuse two parts whose design ids differ.

    Raises:
        MismatchError: the ids differ.
    """
    if found != expected:
        raise MismatchError(
            f"{what} is for design {found:#010x}; expected {expected:#010x}: rebuild one of the two for the other"
        )
