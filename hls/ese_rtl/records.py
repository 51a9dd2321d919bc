# SPDX-License-Identifier: Apache-2.0
"""The records that pass between the parts of the engine."""
# Annotations of a data.Struct are its fields, so that they must not be postponed.

from typing import Any

from amaranth.hdl import Value, signed, unsigned
from amaranth.lib import data, enum
from amaranth.utils import ceil_log2

from ese_host.image import CELL_KINDS, CONSTANT_BITS, FIELDS, RAM_BITS, SUM_BITS, Design
from ese_host.ir import GATES

SHIFT_BITS = 6
LANE_BITS = 7
"""Bits of the number of a PE among 128, and of the other numbers that a write of LOAD has in the same place."""
ELEMENT_BITS = RAM_BITS
"""Bits of an element of a vector, two's complement: it holds codes of 16 bits, signed or unsigned."""
CELL_KIND_BITS = FIELDS["cell_kind"].width
"""Bits of the kind of a stage's cells."""


class Line(data.Struct):
    """Slope and offset of a hard activation, both unsigned with 15 fractional bits."""

    slope: unsigned(16)
    offset: unsigned(16)


def set_bits(design: Design) -> int:
    """Bits of the number of a format set, in designs of several."""
    return ceil_log2(len(design.sets))


def lines_layout(design: Design) -> data.ArrayLayout:
    """The lines of gate and cell of the format sets but the first, whose lines are in the header."""
    return data.ArrayLayout(data.ArrayLayout(Line, 2), len(design.more_sets))


def settings_layout(design: Design) -> data.StructLayout:
    """Settings of a design's element-wise unit: what record and header fix while a stage is under way."""
    return data.StructLayout(
        {
            "lstm": 1,  # the items are cells, of whatever kind
            **({"cell_kind": CELL_KIND_BITS} if "gru" in design.cells else {}),
            **({"format_set": set_bits(design)} if design.more_sets else {}),
            "bank_shift": data.ArrayLayout(SHIFT_BITS, 4),
            "bias_shift": SHIFT_BITS,
            "peephole_shift": SHIFT_BITS,
            "stored_shift": SHIFT_BITS,
            "relu": 1,
            "peepholes": 1,
            "stores_output": 1,
            "low": signed(ELEMENT_BITS),
            "high": signed(ELEMENT_BITS),
            "gate_line": Line,
            "cell_line": Line,
        }
    )


def is_kind(cells: Any, kind: str) -> Value:
    """Whether a stage's items are cells of a kind, in designs with GRU cells.

    Args:
        cells: settings of the stage, or the record of its phase.
        kind: one of `CELL_KINDS`.
    """
    found: Value = cells.lstm & (cells.cell_kind == CELL_KINDS.index(kind))
    return found


def item_layout(design: Design) -> data.StructLayout:
    """Layout of what a design's unit takes in one clock: a cell, or one or two rows of another matrix.

    The four rows of an LSTM's cell are i, f, c and o; those of a GRU's are z, r, and the candidate's two parts. Rows of
    another matrix are rows 0 and 1 of the item.
    """
    banks = design.acc_banks
    peepholes = {"peepholes": data.ArrayLayout(signed(CONSTANT_BITS), 3)}
    return data.StructLayout(
        {
            "valid": 1,
            "pair": 1,  # a second row of another matrix is there too
            "sums": data.ArrayLayout(data.ArrayLayout(signed(design.acc_bits), banks), GATES),
            "scales": data.ArrayLayout(data.ArrayLayout(CONSTANT_BITS, banks), GATES),
            "biases": data.ArrayLayout(signed(CONSTANT_BITS), GATES),
            **(peepholes if "lstm" in design.cells else {}),
            "cell": signed(CONSTANT_BITS),  # c, or a GRU's h, of the step before, zero in the zero state
        }
    )


class Result(data.Struct):
    """Result of the unit for one item; of rows of another matrix, the second is there if `pair` is set.

    `stored` goes to the first target, `output` to the second target and out of the engine; `exact` is unrounded. For
    rows of other matrices `stored` and `output` are the same.
    """

    valid: unsigned(1)
    pair: unsigned(1)
    exact: data.ArrayLayout(signed(SUM_BITS), 2)
    stored: data.ArrayLayout(signed(ELEMENT_BITS), 2)
    output: data.ArrayLayout(signed(ELEMENT_BITS), 2)
    cell: signed(CONSTANT_BITS)  # the new c, or a GRU's new h; zero for r * h and for rows of other matrices


def element_write_layout(address_bits: int) -> data.StructLayout:
    """One element that is written to a vector RAM.

    Args:
        address_bits: of an element's address.
    """
    return data.StructLayout({"enable": 1, "address": address_bits, "value": signed(ELEMENT_BITS)})


def writes_layout(address_bits: int, elements: int) -> data.StructLayout:
    """Elements that are written to each vector RAM in a clock; they lie side by side.

    Args:
        address_bits: of an element's address.
        elements: how many there are at most.
    """
    ports = data.ArrayLayout(element_write_layout(address_bits), elements)
    return data.StructLayout({"rams": data.ArrayLayout(ports, 2)})


class LoadTarget(enum.Enum, shape=3):
    """The memories that LOAD fills."""

    NONE = 0
    PHASE = 1
    CODEBOOK = 2
    PARAMETER = 3
    PEEPHOLE = 4
    ENTRY = 5
    TABLE = 6
    POINTER = 7  # in skip mode
    WINDOW = 7  # in engines with a window, which have no skip mode


def load_layout(design: Design) -> data.StructLayout:
    """One write of LOAD into one of the memories of a design's engine."""
    return data.StructLayout(
        {
            "memory": LoadTarget,
            # number of the phase, codebook x 16 + level, item, cell, address of the entry word, segment,
            # column
            "address": 16,
            # word of the phase's record; row x 8 + bank of a scale, row x 8 + 7 of a bias; gate of a peephole; PE
            "lane": max(LANE_BITS, ceil_log2(design.pes)),
            "data": max(32, design.widths.word_bits),
            # the write is none to a memory: its address is the number of a line of the format sets but the first
            **({"line": 1} if design.more_sets else {}),
        }
    )


class Header(data.Struct):
    """Fields of an image's header that the engine keeps."""

    phases: unsigned(7)
    inputs: unsigned(14)
    alternate: unsigned(1)
    gate_line: Line
    cell_line: Line
