# SPDX-License-Identifier: Apache-2.0
"""Writes contract.h: the constants of packets, images and registers for the engine's C++, from the tables of the host.

The file is committed, so that the C++ compiles without Python. `make contract` runs this module and rewrites the file.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from importlib.resources import files
from pathlib import Path
from typing import get_args

from ese_host.files import templates, words
from ese_host.image import design, entry_widths, phases, reader
from ese_host.ir import ELEMENT_BITS, GATES, SCALE_BITS, activations, tables, weight_kinds
from ese_host.protocol import answer_shape, packets, registers

PATH = "csrc/engine/contract.h"
"""Path of the file within this package."""


@dataclass(frozen=True)
class Enum:
    """An enum class of the C++.

    Attributes:
        name: its name in the C++.
        comment: the comment above it.
        values: its values by name, in the order of the file.
        hexadecimal: whether the file shows the values in hexadecimal.
    """

    name: str
    comment: str
    values: dict[str, int]
    hexadecimal: bool = False


@dataclass(frozen=True)
class Constants:
    """Constants of one subject.

    Attributes:
        comment: the comment above them.
        values: their values by name. A text is written as it is, with type unsigned, for constants that are compared
            with whole words; a number becomes an int.
    """

    comment: str
    values: dict[str, int | str]


@dataclass(frozen=True)
class Table:
    """The places of the numbers that are packed into the words of a record.

    Attributes:
        name: the namespace of the places in the C++.
        comment: the comment above it.
        fields: the place of each number by name.
    """

    name: str
    comment: str
    fields: dict[str, words.Field]


def render() -> str:
    """The text of contract.h."""
    template = templates(__package__).get_template("contract.h.jinja")
    code_bits = {name: kind.code_bits for name, kind in weight_kinds.WEIGHT_KINDS.items()}
    return template.render(
        spacing=words.SPACING, enums=_enums(), code_bits=code_bits, constants=_constants(), tables=_tables()
    )


def write() -> Path:
    """Rewrite the file; returns its path."""
    path = Path(str(files("ese_hls"))) / PATH
    path.write_text(render(), encoding="utf-8")
    return path


def _enums() -> list[Enum]:
    offsets = {name.lower(): register.offset for name, register in registers.REGISTERS.items()}
    run_flags = {flag.name.lower(): flag.bit_length() - 1 for flag in packets.RunFlag if flag.name is not None}
    return [
        Enum("Weights", "The kinds of weights.", _numbered(tuple(weight_kinds.WEIGHT_KINDS))),
        Enum(
            "Mode",
            "Stream mode uses all activations (ESE); skip mode leaves out those that are zero (EIE) or unchanged.",
            _numbered(get_args(design.Mode)),
        ),
        Enum("Kind", "The kinds of activation functions.", _numbered(activations.KINDS)),
        Enum("Register", "Byte offsets of the AXI4-Lite registers.", offsets, hexadecimal=True),
        Enum("Operation", "The operation of a packet; `unreadable` occurs only in answers.", _named(packets.Operation)),
        Enum("LoadWord", "The words of a LOAD packet before the image.", _numbered(packets.LOAD_HEADER)),
        Enum("RunWord", "The words of a RUN packet before the first sequence.", _numbered(packets.RUN_HEADER)),
        Enum("RunFlag", "Bit numbers in the flags of a RUN packet.", run_flags),
        Enum("TrailerWord", "The words of the trailer, which ends every answer.", _numbered(packets.TRAILER)),
        Enum("Error", "The error codes.", _named(packets.ErrorCode)),
        Enum("HeaderWord", "The words of the header of an image.", _numbered(reader.HEADER)),
        Enum("PhaseFlag", "Bit numbers in the first word of a phase record.", _numbered(phases.FLAGS)),
        Enum("CellKind", "The kinds of cells of a phase with the flag `lstm`.", _numbered(phases.CELL_KINDS)),
    ]


def _constants() -> list[Constants]:
    return [
        Constants(
            "Constants of packets (ese_host.protocol).",
            {
                "protocol_version": f"{packets.PROTOCOL_VERSION}",
                "operation_base": f"{packets.OPERATION_BASE:#010x}",
                "trailer_magic": f"{packets.TRAILER_MAGIC:#010x}",
                "trailer_words": packets.TRAILER_WORDS,
                "max_steps": packets.MAX_STEPS,
                "max_sequences": packets.MAX_SEQUENCES,
                "exact_words": answer_shape.OUTPUT_WORDS,
                "trace_words": answer_shape.TRACE_WORDS,
            },
        ),
        Constants(
            "Constants of images (ese_host.image).",
            {
                "image_magic": f"{reader.MAGIC:#010x}",
                "image_version": f"{design.FORMAT_VERSION}",
                "header_words": len(reader.HEADER),
                "phase_words": phases.PHASE_WORDS,
                "scan_words": phases.SCAN_WORDS,
                "max_inputs": reader.MAX_INPUTS,
                "count_bits": entry_widths.COUNT_BITS,
                "constant_bits": entry_widths.CONSTANT_BITS,
                "scale_bits": SCALE_BITS,
                "codebook_levels": entry_widths.LEVELS,
                "max_codebooks": entry_widths.CODEBOOKS,
            },
        ),
        Constants(
            "Sizes that are the same in every engine (ese_host.image.design).",
            {
                "ram_bits": entry_widths.RAM_BITS,
                "stored_bits": ELEMENT_BITS,
                "gates": GATES,
                "sum_frac": design.SUM_FRAC,
                "sum_bits": design.SUM_BITS,
                "scan_width": design.SCAN_WIDTH,
                "writeback": design.WRITEBACK,
                "add_distance": design.ADD_DISTANCE,
                "max_pes": design.MAX_PES,
                "max_fifo_depth": design.MAX_FIFO_DEPTH,
            },
        ),
        Constants(
            "Constants of activation functions (ese_host.ir.tables).",
            {
                "table_size": tables.TABLE_SIZE,
                "value_frac": tables.VALUE_FRAC,
                "step_bits": tables.STEP_BITS,
                "segment_frac": tables.SEGMENT_FRAC,
                "input_frac": tables.INPUT_FRAC,
                "line_bits": activations.SLOPE.bits,
                "line_frac": activations.SLOPE.frac,
            },
        ),
    ]


def _tables() -> list[Table]:
    return [
        Table(
            "header_field", "The numbers in those words of the header that hold more than one.", reader.HEADER_FIELDS
        ),
        Table(
            "phase_field",
            "The numbers of a phase record. Those from word `phase_words` on exist only in skip mode.",
            phases.FIELDS,
        ),
    ]


def _numbered(names: Iterable[str]) -> dict[str, int]:
    return {name: number for number, name in enumerate(names)}


def _named(members: type[IntEnum]) -> dict[str, int]:
    return {member.name.lower(): member.value for member in members}


if __name__ == "__main__":
    write()
