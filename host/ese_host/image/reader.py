# SPDX-License-Identifier: Apache-2.0
"""Images: files with all that an engine must load to compute one network (docs/reference/image-format.md).

The reader is strict: it checks magic, version, design, sizes, flags and CRC before it returns anything, and every error
message names the field, the value found and the value expected.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ese_host.errors import CapacityError, FormatError, MismatchError
from ese_host.files import Field, Words, packed_words, unpack
from ese_host.image import pointers, window
from ese_host.image.design import FORMAT_VERSION, Design, check_ids
from ese_host.image.entry_widths import CODEBOOKS, CONSTANT_BITS, COUNT_BITS, LEVELS, RAM_BITS
from ese_host.image.phases import Phase, record_words
from ese_host.ir import TABLE_SIZE

MAGIC = 0x34455345
HEADER = (
    "magic",
    "version",
    "words",
    "design_id",
    "phases",
    "entry_words",
    "params",
    "cells",
    "codebooks",
    "inputs",
    "outputs",
    "flags",
    "gate_line",
    "cell_line",
    "formats",
    "weights",
)
HEADER_FIELDS = {
    "every_step": Field(HEADER.index("flags"), 0, 1),
    "alternate": Field(HEADER.index("flags"), 1, 1),
    "pointers": Field(HEADER.index("flags"), 16, 16),
    "gate_slope": Field(HEADER.index("gate_line"), 0, 16),
    "gate_offset": Field(HEADER.index("gate_line"), 16, 16),
    "cell_slope": Field(HEADER.index("cell_line"), 0, 16),
    "cell_offset": Field(HEADER.index("cell_line"), 16, 16),
    "output_frac": Field(HEADER.index("formats"), 0, 8),
    "acc_bits": Field(HEADER.index("formats"), 8, 8),
    "outputs_stored": Field(HEADER.index("formats"), 16, 1),
    "outputs_signed": Field(HEADER.index("formats"), 17, 1),
}
"""Numbers in those words of the header that hold more than one."""
MAX_INPUTS = (1 << 14) - 1
"""Largest width of an input frame."""


@dataclass(frozen=True, eq=False)
class Image:
    """A checked image.

    Attributes:
        words: (n,) all words of the file.
        header: fields of the header by name.
        phases: the phase table.
        counts: (phases, pes) number of entries of each PE in each phase.
        sections: word range of each section by name.
    """

    words: Words
    header: dict[str, int]
    phases: tuple[Phase, ...]
    counts: npt.NDArray[np.int64]
    sections: dict[str, slice]

    @property
    def image_id(self) -> int:
        """The CRC of the content, which the engine reports as the id of the loaded image."""
        return int(self.words[-1])

    @property
    def every_step(self) -> bool:
        """Whether there is an output for every step, or only for the last."""
        return bool(header_field(self.header, "every_step"))

    @property
    def alternate(self) -> bool:
        """Whether the two sets of accumulators swap roles with every step."""
        return bool(self.header["flags"] & 2)

    @property
    def pointers(self) -> int:
        """Number of column pointers of each PE; 0 in stream mode."""
        return header_field(self.header, "pointers")

    @property
    def output_frac(self) -> int:
        """Fractional bits of the outputs."""
        return header_field(self.header, "output_frac")

    @property
    def acc_bits_needed(self) -> int:
        """Accumulator width in bits that the encoder proved sufficient."""
        return header_field(self.header, "acc_bits")

    @property
    def outputs_stored(self) -> bool:
        """Whether outputs leave as stored, two 16-bit codes per word, or as exact 64-bit values."""
        return bool(header_field(self.header, "outputs_stored"))

    @property
    def outputs_signed(self) -> bool:
        """Whether stored outputs are signed."""
        return bool(header_field(self.header, "outputs_signed"))

    def bytes_by_cause(self) -> dict[str, int]:
        """Size of each section of the file in bytes, by name."""
        return {name: 4 * (part.stop - part.start) for name, part in self.sections.items()}


def header_field(header: dict[str, int], name: str) -> int:
    """The value of one of the `HEADER_FIELDS` in a header."""
    place = HEADER_FIELDS[name]
    return place.within(header[HEADER[place.word]])


def section_slices(header: dict[str, int], design: Design) -> dict[str, slice]:
    """Word range of each section of an image with this header, by name."""
    sizes = {
        "header": len(HEADER),
        "phase table": header["phases"] * sum(record_words(design)),
        "codebooks": packed_words(header["codebooks"] * LEVELS, CONSTANT_BITS),
        "scales and biases": packed_words(header["params"] * 4 * (design.acc_banks + 1), CONSTANT_BITS),
        "peepholes": packed_words(header["cells"] * 3, CONSTANT_BITS),
        "entries": packed_words(header["entry_words"] * design.pes, design.widths.word_bits),
        "window": packed_words(header["entry_words"], design.widths.advance_bits) if design.window else 0,
        "pointers": packed_words(header_field(header, "pointers") * design.pes, RAM_BITS),
        "lines": 2 * len(design.more_sets),
        "tables": TABLE_SIZE,
        "checksum": 1,
    }
    sections, start = {}, 0
    for name, size in sizes.items():
        sections[name] = slice(start, start + size)
        start += size
    return sections


def parse(words: Words, design: Design, name: str = "image") -> Image:
    """Check and decode the words of a plain image.

    Args:
        words: (n,) all words of the file.
        design: the design for which the image was made.
        name: name of the image in error messages.

    Raises:
        FormatError: if the words are no complete, undamaged image of this version.
        MismatchError: if the image is for another design.
        CapacityError: if the image does not fit the design's memories.
    """
    if len(words) < len(HEADER):
        raise FormatError(f"{name}: {len(words)} words; an image has at least {len(HEADER)}: emit it again")
    header = read_header(words)
    check_header(header, len(words), design, name)
    sections = section_slices(header, design)
    if sections["checksum"].stop != len(words):
        raise FormatError(f"{name}: {len(words)} words; its header asks for {sections['checksum'].stop}: emit it again")
    crc = zlib.crc32(words[:-1].astype("<u4").tobytes())
    if crc != int(words[-1]):
        raise FormatError(f"{name}: CRC is {int(words[-1]):#010x}; its content has {crc:#010x}: copy or emit it again")
    phases, table = phase_table(words[sections["phase table"]], design)
    for number, phase in enumerate(phases):
        used = phase.entry_base + -(-phase.entry_count // design.widths.per_word(phase.full))
        if used > header["entry_words"]:
            raise FormatError(
                f"{name}: phase {number} uses {used} entry words; {header['entry_words']} are stored: "
                "emit the image again"
            )
        if phase.has("lstm") and phase.has("dense"):
            raise FormatError(
                f"{name}: phase {number} has the stage of LSTM cells and that of other rows; at most one is allowed: "
                "emit the image again"
            )
        _check_cells(phase, number, design, name)
        _check_full(phase, number, design, name)
    _check_frames(phases, name)
    if design.mode == "skip":
        section, pointer_count = words[sections["pointers"]], header_field(header, "pointers")
        starts = pointers.read(section, pointer_count, header["entry_words"], phases, design, name)
        counts = np.array([entries[:, -1] - entries[:, 0] for entries in starts])
    else:
        counts = np.array([unpack(row, design.pes, COUNT_BITS) for row in table]).reshape(-1, design.pes)
    for number, phase in enumerate(phases):
        if (counts[number] > phase.entry_count).any():
            raise FormatError(
                f"{name}: phase {number} has {phase.entry_count} entries in each PE; a PE has {counts[number].max()} "
                "of them in use: emit the image again"
            )
        if phase.full and (counts[number] != phase.entry_count).any():
            raise FormatError(
                f"{name}: phase {number} is full, but PEs have {counts[number].min()} to {counts[number].max()} "
                f"entries; {phase.entry_count} are expected in each: emit the image again"
            )
    image = Image(words, header, phases, counts, sections)
    if design.mode == "stream":
        _check_tails(image, design, name)
    _check_window(image, design, name)
    return image


def phase_table(section: Words, design: Design) -> tuple[tuple[Phase, ...], Words]:
    """The phases, and the (phases, words) words of entry counts that follow each record."""
    record, counts = record_words(design)
    table = section.reshape(-1, record + counts)
    return tuple(Phase.from_words(row[:record]) for row in table), table[:, record:]


def _check_cells(phase: Phase, number: int, design: Design, name: str) -> None:
    """Refuse a kind of cell or a format set without cells, or one that the design does not have."""
    if not phase.has("lstm"):
        for field in ("cell_kind", "format_set"):
            if value := getattr(phase, field):
                raise FormatError(
                    f"{name}: phase {number} has {field} {value}, but no stage of cells; only 0 is allowed: emit the "
                    "image again"
                )
        return
    if phase.format_set >= len(design.sets):
        raise MismatchError(
            f"{name}: phase {number} has format_set {phase.format_set}; the design has sets 0 to "
            f"{len(design.sets) - 1}: emit a design for this network"
        )
    needed = "lstm" if phase.kind == "lstm" else "gru"
    if needed not in design.cells:
        raise MismatchError(
            f"{name}: phase {number} has cells of kind {phase.kind!r}; the design computes {design.cells}: emit a "
            "design for this network"
        )


def _check_window(image: Image, design: Design, name: str) -> None:
    """Refuse a phase that has a window in a design without one or the reverse, or reads what is not in the window."""
    expected = int(design.window > 0)
    for number, phase in enumerate(image.phases):
        if phase.window != expected:
            raise FormatError(
                f"{name}: phase {number} has window {phase.window}; expected {expected}, as the design's window has "
                f"{design.window} columns: emit the image again"
            )
    if not design.window:
        return
    words = image.words[image.sections["window"]]
    advances = window.read(words, image.header["entry_words"], image.phases, design, name)
    for number, slots in enumerate(_slots_of_phases(image, design)):
        phase_name = f"{name}: phase {number}"
        window.check(slots, image.counts[number], advances[number], image.phases[number], design, phase_name)


def _check_tails(image: Image, design: Design, name: str) -> None:
    """Refuse slots behind a PE's last entry that would change a sum if an engine executed them."""
    for number, (phase, slots) in enumerate(zip(image.phases, _slots_of_phases(image, design), strict=True)):
        expected = design.widths.tail(phase.full)
        behind = np.arange(slots.shape[1]) >= image.counts[number][:, None]
        wrong = np.argwhere(behind & (slots != expected))
        if len(wrong):
            pe, slot = (int(i) for i in wrong[0])
            raise FormatError(
                f"{name}: phase {number} has {int(slots[pe, slot]):#x} in slot {slot} of PE {pe}, which has "
                f"{image.counts[number][pe]} entries; expected {expected:#x} behind them: emit the image again"
            )


def _check_full(phase: Phase, number: int, design: Design, name: str) -> None:
    """Refuse a full phase if the design has none, or if its rows contradict its stride or number of entries."""
    if not phase.full:
        return
    if not design.full_phases:
        raise FormatError(f"{name}: phase {number} is full; the design has no full phases: emit the image again")
    if (phase.rows - 1).bit_length() != phase.stride_log2 or phase.entry_count % phase.rows:
        raise FormatError(
            f"{name}: phase {number} is full with {phase.rows} rows, a stride of {1 << phase.stride_log2} and "
            f"{phase.entry_count} entries; the stride must be the rows rounded up to a power of two, and the entries a "
            "multiple of the rows: emit the image again"
        )


def _check_frames(phases: Sequence[Phase], name: str) -> None:
    """Refuse a table in which a phase waits for an input frame after the last one has been read."""
    # Four steps show all. Let a step read b frames. With b = 0, fewer steps make a wait fail sooner; with b = 1, steps
    # and frames grow alike; with more, the third step of four waits for a frame when four have been read.
    for steps in (1, 2, 3, 4):
        read = 0
        for step in range(-1, steps):  # -1 is the prologue, with the phases that run ahead of the first step
            last = step == steps - 1
            for number, phase in enumerate(phases):
                ahead = phase.has("ahead")
                if not ahead if step < 0 else (ahead and last) or (phase.has("last_only") and not last):
                    continue
                if phase.has("waits_frame") and read >= steps:
                    raise FormatError(
                        f"{name}: phase {number} waits for an input frame in step {step} of {steps}, but the phases "
                        "before it have read all frames: emit the image again"
                    )
                read += phase.has("frees_frame")


def read_header(words: Words) -> dict[str, int]:
    """Fields of the header by name."""
    return dict(zip(HEADER, (int(w) for w in words), strict=False))


def check_header(header: dict[str, int], words: int, design: Design, name: str) -> None:
    """Check the header of a plain image.

    Args:
        header: fields of the header by name.
        words: number of words of the image.
        design: the design for which the image was made.
        name: name of the image in error messages.

    Raises:
        FormatError: if magic, version or the number of words differ, or a required size is zero.
        MismatchError: if the image is for another design.
        CapacityError: if the image does not fit the design's memories.
    """
    if header["magic"] == MAGIC and header["version"] != FORMAT_VERSION:
        raise FormatError(
            f"{name}: version is {header['version']}; this version of ese4ml reads images of version {FORMAT_VERSION} "
            "only: emit the image again"
        )
    for field, expected in (("magic", MAGIC), ("words", words)):
        if header[field] != expected:
            raise FormatError(f"{name}: {field} is {header[field]:#x}; expected {expected:#x}: emit the image again")
    check_ids(name, header["design_id"], design.design_id)
    units = design.cells_per_cycle
    limits = {
        "phases": design.phases,
        "entry_words": design.entry_depth,
        "params": units * design.param_depth,
        "cells": units * design.cell_depth,
        "codebooks": 0 if design.widths.weight.own_level else CODEBOOKS,
        "pointers": design.pointer_depth,
        "inputs": min(design.vector_depth, MAX_INPUTS),
    }
    sizes = {**header, "pointers": header_field(header, "pointers")}
    for field, limit in limits.items():
        if sizes[field] > limit:
            raise CapacityError(f"{name}: {field} is {sizes[field]}; the design holds {limit}: choose a larger design")
    if not header["inputs"] or not header["outputs"] or not header["phases"]:
        raise FormatError(f"{name}: inputs, outputs or phases is zero; at least one of each is needed: emit it again")
    bits = header_field(header, "acc_bits")
    if bits > design.acc_bits:
        raise CapacityError(
            f"{name}: sums may need {bits} accumulator bits; the design has {design.acc_bits}: "
            "prune more, or emit a design with wider accumulators"
        )


def padding_entries(image: Image, design: Design) -> npt.NDArray[np.int64]:
    """(phases, pes) number of entries that carry no weight: padding, or in full phases zeros."""
    result = np.zeros_like(image.counts)
    for number, (phase, slots) in enumerate(zip(image.phases, _slots_of_phases(image, design), strict=True)):
        if phase.full:
            empty = slots == 0
        elif not design.widths.weight.holds_zero:
            empty = slots & ((1 << design.gap_bits) - 1) == (1 << design.gap_bits) - 1
        else:
            empty = slots >> design.gap_bits == 0
        executed = np.arange(slots.shape[1]) < image.counts[number][:, None]
        result[number] = (empty & executed).sum(axis=1)
    return result


def _slots_of_phases(image: Image, design: Design) -> Iterator[npt.NDArray[np.int64]]:
    """For each phase (pes, slots) the content of the slots of its words in each PE."""
    widths = design.widths
    count = image.header["entry_words"] * design.pes
    stored = unpack(image.words[image.sections["entries"]], count, widths.word_bits).reshape(-1, design.pes).T
    for phase in image.phases:
        words = -(-phase.entry_count // widths.per_word(phase.full))
        yield widths.slots(stored[:, phase.entry_base : phase.entry_base + words], phase.full)
