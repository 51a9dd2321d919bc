"""A second decoder of image files, written from docs/image-format.md alone, with the standard library alone.

It shares no line with the project's own code: what it reads back from an image proves that the page is complete.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

HEADER = (
    *("magic", "version", "words", "design_id", "phases", "entry_words", "params", "cells", "codebooks"),
    *("inputs", "outputs", "flags", "gate_line", "cell_line", "formats", "weights"),
)
# name: word, first bit, bits
RECORD = {
    **{name: (0, bit, 1) for bit, name in enumerate(("lstm", "dense", "source_b", "set", "ahead", "last_step"))},
    **{name: (0, 6 + bit, 1) for bit, name in enumerate(("state", "wait", "release", "leave", "leave_stored"))},
    **{name: (0, 11 + bit, 1) for bit, name in enumerate(("second_last", "first_output", "relu", "peephole"))},
    **{name: (0, 15 + bit, 1) for bit, name in enumerate(("first", "first_b", "second", "second_b"))},
    **{"codebook": (0, 20, 4), "log_stride": (0, 24, 4), "positive_bank": (0, 28, 2), "negative_bank": (0, 30, 2)},
    **{"entry_word": (1, 0, 16), "fullest": (1, 16, 16), "source": (2, 0, 16), "items": (2, 16, 16)},
    **{"first_item": (3, 0, 16), "first_cell": (3, 16, 16), "first_target": (4, 0, 16), "second_target": (4, 16, 16)},
    **{f"shift_{bank}": (5, 8 * bank, 8) for bank in range(4)},
    **{"shift_bias": (6, 0, 8), "shift_peephole": (6, 8, 8), "shift_output": (6, 16, 8)},
    **{"smallest": (7, 0, 32), "largest": (8, 0, 32), "layer": (9, 0, 8), "part": (9, 8, 8), "full_rows": (9, 16, 16)},
}
SKIP_RECORD = {
    **{"delta": (0, 19, 1), "pointer": (10, 0, 16), "columns": (10, 16, 16), "group": (11, 0, 16)},
    **{"threshold": (11, 16, 16), "last": (12, 0, 16)},
}
KERNEL, RECURRENT, PROJECTION = range(3)
CODE_BITS = {"ternary": 1, "int4": 4, "int8": 8, "int12": 12, "int16": 16, "codebook4": 4}


@dataclass(frozen=True)
class Facts:
    """What the page takes from the design: PEs, accumulator banks, units, gap bits, weights, mode, full phases."""

    pes: int
    banks: int
    units: int
    gap_bits: int
    weights: str
    skip: bool = False
    full_phases: bool = False


@dataclass
class DecodedPhase:
    """One phase; bias and peepholes (p_i, p_f, p_o of each cell) are empty where the phase has no such stage."""

    record: dict[str, int]
    counts: list[int]
    matrix: list[list[int]]
    scales: list[tuple[int, int]]  # of each row: for its positive, for its negative levels
    bias: list[int]
    peepholes: list[tuple[int, ...]]


@dataclass
class DecodedImage:
    """All that an image says."""

    header: dict[str, int]
    crc: int
    codebooks: list[list[int]]
    table: list[tuple[int, int]]
    phases: list[DecodedPhase]


def signed(value: int, bits: int) -> int:
    """Reads two's complement."""
    return value - (value >> (bits - 1) << bits)


def field(data: bytes, bit: int, bits: int) -> int:
    """The bits from `bit` on of a stream, least significant first."""
    return int.from_bytes(data[bit // 8 : (bit + bits + 7) // 8], "little") >> bit % 8 & ((1 << bits) - 1)


def fields(data: bytes, count: int, bits: int) -> list[int]:
    """A section's fields; what its last word has left over must be zero."""
    used = count * bits
    require(field(data, used, 8 * len(data) - used) == 0, "unused bits are set")
    return [field(data, index * bits, bits) for index in range(count)]


def require(condition: bool, message: str) -> None:
    """Refuses an image that contradicts the page."""
    if not condition:
        raise ValueError(message)


def word_shape(facts: Facts, full: bool) -> tuple[int, int, int]:
    """Bits of a word, bits of an entry, or of a full phase's code, how many a word holds."""
    code = CODE_BITS[facts.weights]
    word = 18 if facts.gap_bits + code <= 18 else 36
    bits = max(code, 2) if full else facts.gap_bits + code
    return word, bits, word // bits


def slots(words: list[int], facts: Facts, full: bool) -> list[int]:
    """What lies in all slots of a PE's words."""
    _, bits, per_word = word_shape(facts, full)
    return [word >> slot * bits & ((1 << bits) - 1) for word in words for slot in range(per_word)]


def weights(entries: list[int], facts: Facts) -> Iterator[tuple[int, int]]:
    """Position and code of each weight among entries whose first gap counts from position 0."""
    most = (1 << facts.gap_bits) - 1
    position = 0
    for entry in entries:
        gap, code = entry & most, entry >> facts.gap_bits
        position += gap
        if facts.weights == "ternary":
            if gap == most:
                continue
        elif gap == most and code == 0:
            position += 1
            continue
        yield position, code
        position += 1


def column_starts(entries: list[int], pointers: list[int], facts: Facts, full: bool) -> list[int]:
    """Where a PE's pointers point to, counted from the first slot of its memory."""
    per_word = word_shape(facts, full)[2]
    slot_bits = (word_shape(facts, facts.full_phases)[2] - 1).bit_length()
    starts = []
    for pointer in pointers:
        slot = pointer & ((1 << slot_bits) - 1)
        require(slot < per_word, "a pointer to no slot")
        starts.append((pointer >> slot_bits) * per_word + slot)
    require(starts == sorted(starts) and starts[-1] <= len(entries), "pointers out of order or behind the entries")
    return starts


def column_weights(entries: list[int], starts: list[int], stride: int, facts: Facts) -> Iterator[tuple[int, int]]:
    """Position and code of each weight of a PE whose columns begin there."""
    for column, (begin, end) in enumerate(pairwise(starts)):
        for row, code in weights(entries[begin:end], facts):
            require(row < stride, "a weight outside its column")
            yield column * stride + row, code


def full_weights(codes: list[int], rows: int, stride: int, facts: Facts) -> Iterator[tuple[int, int]]:
    """Position and code, as entries have it, of each weight of a full phase's PE."""
    for index, code in enumerate(codes):
        column, row = divmod(index, rows)
        if facts.weights == "ternary":
            require(code != 2, "a ternary code of -2")
            if code:
                yield column * stride + row, code >> 1
        elif code:
            yield column * stride + row, code


def shape(record: dict[str, int], stages: dict[tuple[int, bool], dict[str, int]], inputs: int) -> tuple[int, int]:
    """Rows and columns of a phase's matrix.

    An image names the items of the stages alone; the rest follows from the layers and parts: a kernel reads what the
    layer before gives, a recurrent kernel what its own layer gives, a projection the cells.
    """

    def width(layer: int) -> int:
        return stages.get((layer, True), stages[layer, False])["items"]

    layer, part = record["layer"], record["part"]
    stage = stages[layer, part == PROJECTION]
    before = [other for other, _ in stages if other < layer]
    if part == KERNEL:
        columns = width(max(before)) if before else inputs
    else:
        columns = width(layer) if part == RECURRENT else stages[layer, False]["items"]
    return stage["items"] * (4 if stage["lstm"] else 1), columns


def decode(data: bytes, facts: Facts) -> DecodedImage:
    """Decodes an image, or raises ValueError."""
    require(len(data) % 4 == 0 and len(data) >= 68, "not whole words")
    words = [int.from_bytes(data[at : at + 4], "little") for at in range(0, len(data), 4)]
    header = dict(zip(HEADER, words, strict=False))
    require((header["magic"], header["version"]) == (0x34455345, 1), "not an image of version 1")
    require(header["words"] == len(words), "wrong length")
    crc = zlib.crc32(data[:-4])
    require(crc == words[-1], "wrong checksum")

    at = 64

    def section(count: int, bits: int) -> list[int]:
        nonlocal at
        begin, at = at, at + (count * bits + 31) // 32 * 4
        require(at <= len(data) - 4, "too short for its sections")
        return fields(data[begin:at], count, bits)

    records, counts = [], []
    parts = RECORD | (SKIP_RECORD if facts.skip else {})
    for _ in range(header["phases"]):
        stored = section(13 if facts.skip else 10, 32)
        read = {name: stored[word] >> low & ((1 << bits) - 1) for name, (word, low, bits) in parts.items()}
        records.append(read | {name: signed(read[name], 32) for name in ("smallest", "largest")})
        counts.append([] if facts.skip else section(facts.pes, 16))
    levels = [signed(level, 16) for level in section(16 * header["codebooks"], 16)]
    codebooks = [levels[first : first + 16] for first in range(0, len(levels), 16)]
    row = facts.banks + 1
    params = section(header["params"] * 4 * row, 16)
    holes = [signed(hole, 16) for hole in section(header["cells"] * 3, 16)]
    word, _, _ = word_shape(facts, False)
    entries = section(header["entry_words"] * facts.pes, word)
    pointers = section((header["flags"] >> 16) * facts.pes, 18)
    table = [(word & 0x7FFFF, word >> 19) for word in section(1024, 32)]
    require(at == len(data) - 4, "words left over")

    stages = {(each["layer"], each["part"] == PROJECTION): each for each in records if each["lstm"] or each["dense"]}
    phases = []
    total = 0
    for record, count in zip(records, counts, strict=True):
        require(facts.skip or record["fullest"] == max(count), "wrong count of the fullest PE")
        rows, columns = shape(record, stages, header["inputs"])
        stage = stages[record["layer"], record["part"] == PROJECTION]
        items, lstm = stage["items"], stage["lstm"]
        group = 4 if lstm else 1
        stride = 1 << record["log_stride"]
        require(stride // 2 < max(1, -(-items // facts.pes) * group) <= stride, "wrong stride")
        matrix = [[0] * columns for _ in range(rows)]
        full_rows = record["full_rows"]
        full = full_rows > 0
        require(not full or facts.full_phases, "a full phase in a design without")
        require(not full or full_rows == -(-items // facts.pes) * group, "wrong rows of a full phase")
        for pe in range(facts.pes):
            own = slots(entries[pe :: facts.pes], facts, full)
            first = record["entry_word"] * word_shape(facts, full)[2]
            if facts.skip:
                require(record["columns"] == columns, "wrong number of columns")
                chosen = pointers[record["pointer"] * facts.pes + pe :: facts.pes][: columns + 1]
                starts = column_starts(own, chosen, facts, full)
                require(not full or starts == [first + full_rows * c for c in range(columns + 1)], "wrong full columns")
                found = column_weights(own, starts, stride, facts)
            else:
                require(not full or count[pe] == full_rows * columns, "wrong count of a full phase")
                found = weights(own[first : first + count[pe]], facts)
            if full:
                found = full_weights(own[first : first + full_rows * columns], full_rows, stride, facts)
            for position, code in found:
                column, local = divmod(position, stride)
                item = local // group * facts.pes + pe
                require(column < columns and item < items, "a weight outside its matrix")
                if facts.weights == "ternary":
                    level = 1 - 2 * code
                elif facts.weights == "codebook4":
                    level = codebooks[record["codebook"]][code]
                else:
                    level = signed(code, CODE_BITS[facts.weights])
                matrix[local % group * items + item][column] = level
                total += 1
        # rows of `params` in the order of the matrix
        starts = [
            ((stage["first_item"] * facts.units + item) * 4 + gate) * row
            for gate in range(group)
            for item in range(items)
        ]
        banks = record["positive_bank"], record["negative_bank"]
        scales = [(params[start + banks[0]], params[start + banks[1]]) for start in starts]
        bias = [signed(params[start + facts.banks], 16) for start in starts] if record is stage else []
        cells = range(record["first_cell"] * facts.units, record["first_cell"] * facts.units + items)
        peepholes = [tuple(holes[3 * cell : 3 * cell + 3]) for cell in cells] if record["lstm"] else []
        phases.append(DecodedPhase(record, count, matrix, scales, bias, peepholes))
    require(total == header["weights"], "wrong number of weights")
    return DecodedImage(header, crc, codebooks, table, phases)
