# SPDX-License-Identifier: Apache-2.0
"""Designs: all numbers that are fixed when an engine is synthesized.

config.h is generated from a `Design`, the manifest contains it, and it decides which images fit. The hardware reports
its `design_id` in a register, so that host, image and bitstream can tell whether they belong together.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

from ese_host.errors import FormatError, MismatchError
from ese_host.files import decode, digest_of
from ese_host.image.entry_widths import GAP_BITS, RAM_BITS, EntryWidths
from ese_host.ir import (
    ELEMENT_BITS,
    MAX_SETS,
    WEIGHT_KINDS,
    Activation,
    Cells,
    Fixed,
    FormatSet,
    WeightKind,
    check_sets,
)

Mode = Literal["stream", "skip"]

FORMAT_VERSION = 2
SUM_FRAC = 36
"""Fractional bits of a pre-activation sum."""
SUM_BITS = 48
"""Bits of a pre-activation sum."""
SCAN_WIDTH = 4
"""Elements of a vector that skip mode examines per iteration."""
WINDOW_STEP = 2
"""Columns that enter the activation window when it advances."""
USUAL_WINDOW = 64
"""Columns with which the matrices of ESE's layer hardly ever wait (docs/results/masks.md)."""
WINDOWS = (0, *(1 << n for n in range(3, 9)))
"""Allowed sizes of the activation window in columns; 0 is none."""
WRITEBACK = 28
"""Iterations from the issue of an element-wise operation to the write of its result, as its pipeline needs them."""
ADD_DISTANCE = 3
"""Iterations from a write of an accumulator of csrc to the first read of the same word."""
MAX_PES = 256
MAX_FIFO_DEPTH = 256
MAX_DEPTHS = {"entry_depth": (1 << 16) - 1, "phases": 64} | dict.fromkeys(
    ("group_depth", "vector_depth", "param_depth", "cell_depth", "pointer_depth", "delta_depth"), 1 << 16
)
"""The most that the fields of a design which are sizes of memories may be."""
PARAM_DEPTHS = tuple(sorted([1 << n for n in range(1, 17)] + [1024 + 128, 2048 + 256]))
"""The values of `param_depth`: powers of two, and an eighth more than 1,024 and 2,048, which saves block RAM in RTL."""
LATER_FIELDS: dict[str, Any] = {"full_phases": False, "window": 0, "cells": "lstm", "more_sets": []}
"""Fields that came after version 2 of the image format, and what they are in designs without them.

The canonical JSON contains them only if they have another value, and older manifests do not contain them.
"""
SKIP_FIELDS = ("mode", "fifo_depth", "pointer_depth", "delta_depth")
"""Fields that the canonical JSON contains only for designs in skip mode."""


@dataclass(frozen=True)
class Design:
    """Sizes and formats of one engine (docs/explanation/engine.md).

    Attributes:
        weights: kind of weight code.
        gap_bits: bits of the relative index.
        pes: number of processing elements (PEs).
        cells_per_cycle: number of element-wise units: 1, or 2 if the number of PEs is even, so that each unit drains
            different PEs.
        acc_bits: width of an accumulator.
        acc_banks: accumulators per row: 1, 2 or 4.
        entry_depth: words of entry memory per PE.
        group_depth: groups of four accumulator rows per PE.
        vector_depth: elements of each vector RAM.
        param_depth: items of scales and biases, four rows each, per element-wise unit; one of `PARAM_DEPTHS`.
        cell_depth: LSTM cells (c and peepholes) per element-wise unit.
        phases: entries of the phase table.
        source: input format of the first network whose input is signed, else of the first network; only its sign is
            built into the engine.
        state: format of h and c.
        output: format of an LSTM's output as stored for the next layer.
        gate: activation of i, f and o.
        cell: activation of the candidate and of c.
        clock_mhz: intended clock frequency in MHz.
        mode: "stream" processes every activation (ESE), "skip" only those that are not zero or have changed (EIE).
        fifo_depth: columns that the FIFO of a PE holds; used in skip mode.
        pointer_depth: column pointers per PE in skip mode; 0 in stream mode.
        delta_depth: elements whose last broadcast value is kept for delta networks, in skip mode; 0 if there are none.
        full_phases: whether a matrix may also be stored in full, every weight without a gap.
        window: columns of the activation window of each PE, in stream mode (`ese_host.image.window`); 0 for none.
        cells: kinds of recurrent cells that the element-wise units compute: "lstm", "gru", or "lstm+gru".
        more_sets: format sets beyond the first one, which is `state`, `output`, `gate` and `cell`; at most three.
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
    window: int = 0
    cells: Cells = "lstm"
    more_sets: tuple[FormatSet, ...] = ()

    def __post_init__(self) -> None:
        skips = self.mode == "skip"
        depths = [1 << n for n in range(2 if self.aligned else 1, 17)]
        allowed: dict[str, Sequence[object]] = {
            "weights": tuple(WEIGHT_KINDS),
            "gap_bits": GAP_BITS,
            "pes": range(1, MAX_PES + 1),
            "cells_per_cycle": (1,) if self.pes % 2 else (1, 2),
            "acc_bits": range(12, SUM_BITS + 1),
            "acc_banks": (1, 2, 4),
            "entry_depth": range(1, MAX_DEPTHS["entry_depth"] + 1),
            "phases": range(1, MAX_DEPTHS["phases"] + 1),
            "vector_depth": depths,
            "param_depth": PARAM_DEPTHS,
            **{name: [1 << n for n in range(1, 17)] for name in ("group_depth", "cell_depth")},
            "mode": ("stream", "skip"),
            "fifo_depth": [1 << n for n in range(MAX_FIFO_DEPTH.bit_length())],
            "pointer_depth": depths if skips else (0,),
            "delta_depth": [0, *depths] if skips else (0,),
            "window": (0,) if skips else WINDOWS,
            "cells": get_args(Cells),
        }
        for name, values in allowed.items():
            if getattr(self, name) not in values:
                raise FormatError(f"design: {name} is {getattr(self, name)!r}; allowed: {words_of(values)}")
        if skips and self.entry_depth > (reach := pointer_reach(self.widths)):
            raise FormatError(
                f"design: entry_depth is {self.entry_depth}; a column pointer reaches {reach} words: "
                "use more PEs or gap bits"
            )
        if len(self.sets) > MAX_SETS:
            found = len(self.more_sets)
            raise FormatError(f"design: more_sets has {found} format sets; at most {MAX_SETS - 1} are allowed")
        for name, form in self._stored_formats():
            # a word of a packet holds two input codes of 16 bits, while vectors have signed elements
            most = ELEMENT_BITS - (name != "source" and not form.signed)
            if form.bits > most:
                raise FormatError(
                    f"design: {name} has {form.bits} bits, {'signed' if form.signed else 'unsigned'}; at most {most} "
                    "are allowed: narrow the quantizer"
                )
        check_sets("design", self.sets, "gru" in self.cells)

    def _stored_formats(self) -> Iterator[tuple[str, Fixed]]:
        """Names and formats of what vectors and packets hold."""
        yield "source", self.source
        for number, formats in enumerate(self.sets):
            of_set = f" of format set {number}" if number else ""
            yield f"state{of_set}", formats.state
            yield f"output{of_set}", formats.output

    @property
    def sets(self) -> tuple[FormatSet, ...]:
        """The format sets, of which a phase names one."""
        return (FormatSet(self.state, self.output, self.gate, self.cell), *self.more_sets)

    @property
    def widths(self) -> EntryWidths:
        """Widths of the entries and of the words that hold them."""
        return EntryWidths(self.weights, self.gap_bits, self.full_phases)

    @property
    def aligned(self) -> bool:
        """Whether vectors begin at multiples of `SCAN_WIDTH` elements, as four banks of a vector RAM need it."""
        return is_aligned(self.mode, self.window)

    @property
    def param_depths(self) -> tuple[int, int]:
        """`param_depth` in two: the largest power of two in it, and what is left."""
        low = 1 << (self.param_depth.bit_length() - 1)
        return low, self.param_depth - low

    @property
    def design_id(self) -> int:
        """32-bit number that identifies this design: the first bits of the SHA-256 of its canonical JSON."""
        return self.design_id_of(FORMAT_VERSION)

    def design_id_of(self, version: int) -> int:
        """The id that a version of the image format gives to this design."""
        return int(digest_of(self.canonical(version).encode())[:8], 16)

    def canonical(self, version: int = FORMAT_VERSION) -> str:
        """Canonical JSON of the format version and of all fields that matter to this design."""
        values = self.to_json()
        omitted = {name for name, absent in LATER_FIELDS.items() if values[name] == absent}
        omitted.update(SKIP_FIELDS if self.mode == "stream" else ())
        kept = {name: value for name, value in values.items() if name not in omitted}
        return json.dumps({"format": version, **kept}, sort_keys=True)

    def to_json(self) -> dict[str, Any]:
        """The design as a dictionary of plain values, as the manifest contains it."""
        return {**asdict(self), "more_sets": [asdict(formats) for formats in self.more_sets]}

    @classmethod
    def from_json(cls, value: Any) -> Design:
        """Inverse of `to_json`.

        Raises:
            FormatError: if a field is missing, unknown or out of range.
        """
        return decode(cls, with_later_fields(value), "design")


def with_later_fields(value: Any) -> Any:
    """The dictionary of a design with the fields that files of older versions do not have."""
    whole = isinstance(value, dict) and set(value) >= {item.name for item in fields(Design)} - set(LATER_FIELDS)
    return {**LATER_FIELDS, **value} if whole else value


def is_aligned(mode: Mode, window: int) -> bool:
    """Whether designs with this mode and window read vectors in groups of `SCAN_WIDTH` elements."""
    return mode == "skip" or window > 0


def pointer_reach(widths: EntryWidths) -> int:
    """Words of entry memory that a column pointer of skip mode reaches."""
    return (1 << (RAM_BITS - widths.slot_bits)) - 1


def words_of(values: Sequence[object]) -> str:
    """Allowed values as words, for messages.

    >>> words_of(range(1, 65)), words_of((1, 2, 4))
    ('1 to 64', '1, 2 or 4')
    """
    if isinstance(values, range) and len(values) > 1 and values.step == 1:
        return f"{values[0]} to {values[-1]}"
    *others, last = map(str, values)
    return f"{', '.join(others)} or {last}" if others else last


def check_ids(what: str, found: int, expected: int) -> None:
    """Refuse a part that was made for another design.

    Args:
        what: name of the part in the error message.
        found: design id of the part.
        expected: id of the design.

    Raises:
        MismatchError: if the ids differ.
    """
    if found != expected:
        raise MismatchError(
            f"{what} is for design {found:#010x}; expected {expected:#010x}: rebuild one of the two for the other"
        )
