"""A second decoder of image files, written only from docs/image-format.md and with only the standard library.

It shares no code with the packages, so an image that it decodes correctly proves that the page is complete.
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
# Fields of a phase's record: name -> (number of the word, first bit in it, number of bits).
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
    """Properties of the design that the page refers to.

    Attributes:
        pes: processing elements.
        banks: accumulator banks.
        units: element-wise units.
        gap_bits: bits of an entry's gap.
        weights: kind of the weight codes.
        skip: whether the design is in skip mode.
        full_phases: whether the design can store matrices full.
    """

    pes: int
    banks: int
    units: int
    gap_bits: int
    weights: str
    skip: bool = False
    full_phases: bool = False


@dataclass
class DecodedPhase:
    """One phase of an image.

    Attributes:
        record: fields of its record by name.
        counts: entries of each PE; empty in skip mode.
        matrix: rows of weight levels.
        scales: of each row, for its positive and for its negative levels.
        bias: of each row; empty if the phase has no element-wise stage.
        peepholes: p_i, p_f and p_o of each cell; empty if the phase has no LSTM stage.
    """

    record: dict[str, int]
    counts: list[int]
    matrix: list[list[int]]
    scales: list[tuple[int, int]]
    bias: list[int]
    peepholes: list[tuple[int, ...]]


@dataclass
class DecodedImage:
    """Content of an image.

    Attributes:
        header: fields of the header by name.
        crc: the checksum.
        codebooks: 16 levels of each codebook.
        table: value and slope of each segment of the tanh table.
        phases: the phases in order.
    """

    header: dict[str, int]
    crc: int
    codebooks: list[list[int]]
    table: list[tuple[int, int]]
    phases: list[DecodedPhase]


def signed(value: int, bits: int) -> int:
    """The value of a two's complement number of `bits` bits."""
    return value - (value >> (bits - 1) << bits)


def field(data: bytes, bit: int, bits: int) -> int:
    """Some bits of a stream as an unsigned number, least significant bit first.

    Args:
        data: the stream.
        bit: number of the first bit.
        bits: how many bits to take.
    """
    return int.from_bytes(data[bit // 8 : (bit + bits + 7) // 8], "little") >> bit % 8 & ((1 << bits) - 1)


def fields(data: bytes, count: int, bits: int) -> list[int]:
    """The fields of a section, all of one width; unused bits of the last word must be zero.

    Args:
        data: the section's bytes.
        count: number of fields.
        bits: width of a field.

    Raises:
        ValueError: if unused bits are set.
    """
    used = count * bits
    require(field(data, used, 8 * len(data) - used) == 0, "unused bits are set")
    return [field(data, index * bits, bits) for index in range(count)]


def require(condition: bool, message: str) -> None:
    """Raise ValueError with this message if the condition does not hold."""
    if not condition:
        raise ValueError(message)


def word_shape(facts: Facts, full: bool) -> tuple[int, int, int]:
    """Bits of a word of entry memory, bits of an entry (or of a code if the phase is full), and entries per word."""
    code = CODE_BITS[facts.weights]
    word = 18 if facts.gap_bits + code <= 18 else 36
    bits = max(code, 2) if full else facts.gap_bits + code
    return word, bits, word // bits


def slots(words: list[int], facts: Facts, full: bool) -> list[int]:
    """The content of all slots of a PE's words, in order.

    Args:
        words: the PE's words.
        facts: gives the widths.
        full: whether slots hold codes of a full phase rather than entries.
    """
    _, bits, per_word = word_shape(facts, full)
    return [word >> slot * bits & ((1 << bits) - 1) for word in words for slot in range(per_word)]


def weights(entries: list[int], facts: Facts) -> Iterator[tuple[int, int]]:
    """Position and code of each weight among entries; the first gap counts from position 0."""
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
    """Slots that a PE's pointers point to, counted from the first slot of its memory.

    Args:
        entries: content of the PE's slots.
        pointers: the PE's pointers, one for each column and one behind the last.
        facts: gives the widths.
        full: whether the phase is full.

    Raises:
        ValueError: if a pointer points to no slot, or pointers are out of order.
    """
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
    """Position and code of each weight of a PE in skip mode.

    Args:
        entries: content of the PE's slots.
        starts: first slot of each column, and the slot behind the last column.
        stride: positions of a column.
        facts: gives the widths.

    Raises:
        ValueError: if a weight lies outside its column.
    """
    for column, (begin, end) in enumerate(pairwise(starts)):
        for row, code in weights(entries[begin:end], facts):
            require(row < stride, "a weight outside its column")
            yield column * stride + row, code


def full_weights(codes: list[int], rows: int, stride: int, facts: Facts) -> Iterator[tuple[int, int]]:
    """Position and code of each non-zero weight of a PE in a full phase; codes as entries have them.

    Args:
        codes: the PE's codes, column by column.
        rows: rows of the PE in each column.
        stride: positions of a column.
        facts: gives the kind of weights.

    Raises:
        ValueError: if a ternary code is -2.
    """
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

    An image states only the items of the stages. The rest follows from layers and parts: a kernel reads the output
    of the layer before it, a recurrent kernel the output of its own layer, a projection the cells.

    Args:
        record: the phase's record.
        stages: records of the stages by layer and whether they are a projection's.
        inputs: width of the network's input.
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
    """Decode an image.

    Raises:
        ValueError: if the image contradicts the page.
    """
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

    stages = {
        (record["layer"], record["part"] == PROJECTION): record
        for record in records
        if record["lstm"] or record["dense"]
    }
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
            pe_slots = slots(entries[pe :: facts.pes], facts, full)
            first = record["entry_word"] * word_shape(facts, full)[2]
            if facts.skip:
                require(record["columns"] == columns, "wrong number of columns")
                chosen = pointers[record["pointer"] * facts.pes + pe :: facts.pes][: columns + 1]
                starts = column_starts(pe_slots, chosen, facts, full)
                require(not full or starts == [first + full_rows * c for c in range(columns + 1)], "wrong full columns")
                placed = column_weights(pe_slots, starts, stride, facts)
            else:
                require(not full or count[pe] == full_rows * columns, "wrong count of a full phase")
                placed = weights(pe_slots[first : first + count[pe]], facts)
            if full:
                placed = full_weights(pe_slots[first : first + full_rows * columns], full_rows, stride, facts)
            for position, code in placed:
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
