# SPDX-License-Identifier: Apache-2.0
"""The decoder of plain images (docs/reference/image-format.md)."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from support.second_decoder import entries
from support.second_decoder.bits import fields, require, signed, words_of
from support.second_decoder.design import Facts
from support.second_decoder.records import (
    CANDIDATE,
    HEADER,
    PROJECTION,
    RECORD,
    SKIP_RECORD,
    check_record,
    check_waits,
    columns_of,
    place_of_row,
    rows_of_item,
    section_sizes,
    stages_of,
)


@dataclass
class DecodedPhase:
    """One phase of an image.

    Attributes:
        record: fields of its record by name.
        counts: entries that each PE executes.
        group: rows of sums of each item: the four of a cell, or one.
        rows: those of them to which the matrix adds.
        matrix: rows of weight levels: all items of the first of `rows`, then those of the next.
        scales: of each row, for its positive and for its negative levels.
        bias: of each row of sums, ordered as those of the matrix; empty if the phase has no element-wise stage.
        peepholes: p_i, p_f and p_o of each cell; empty if the phase has no stage of cells.
    """

    record: dict[str, int]
    counts: list[int]
    group: int
    rows: tuple[int, ...]
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
        lines: `gate_line` and `cell_line` of each format set.
        table: value and step of each segment of the tanh table.
        params: B scales and the bias of each row, four rows for each item.
        phases: the phases in order.
    """

    header: dict[str, int]
    crc: int
    codebooks: list[list[int]]
    lines: list[list[int]]
    table: list[tuple[int, int]]
    params: list[list[int]]
    phases: list[DecodedPhase]


@dataclass
class Sections:
    """Fields of the sections behind the header, by section."""

    records: list[dict[str, int]]
    counts: list[list[int]]
    codebooks: list[list[int]]
    params: list[list[int]]
    peepholes: list[tuple[int, ...]]
    entries: list[int]
    advances: list[int]
    pointers: list[int]
    lines: list[list[int]]
    table: list[tuple[int, int]]


def in_groups(values: list[int], size: int) -> list[list[int]]:
    """The values in groups of `size`."""
    return [values[first : first + size] for first in range(0, len(values), size)]


def read_header(data: bytes, facts: Facts) -> dict[str, int]:
    """Fields of a plain image's header by name.

    Raises:
        RefusedImageError: if the image is damaged or of another version or design, or does not fit the design.
    """
    words = words_of(data)
    require(len(words) >= 16, "shorter than a header")
    header = dict(zip(HEADER, words, strict=False))
    require((header["magic"], header["version"]) == (0x34455345, 2), "not an image of version 2")
    require(header["words"] == len(words), "wrong length")
    require(header["design_id"] == facts.design_id, "made for another design")
    facts.check_sizes(header)
    require(sum(section_sizes(header, facts).values()) == len(words), "wrong length for its sections")
    require(zlib.crc32(data[:-4]) == words[-1], "wrong checksum")
    require(not header["flags"] & 0xFFFC and not header["formats"] >> 18, "bits without a meaning are set")
    return header


def read_sections(data: bytes, header: dict[str, int], facts: Facts) -> Sections:
    """Read all sections of a plain image behind its header, and check each record.

    Args:
        data: the image.
        header: fields of its header.
        facts: properties of its design.

    Raises:
        RefusedImageError: if a section or a record contradicts the page.
    """
    at = 64

    def section(count: int, bits: int) -> list[int]:
        nonlocal at
        begin, at = at, at + (count * bits + 31) // 32 * 4
        return fields(data[begin:at], count, bits)

    records, counts = [], []
    for _ in range(header["phases"]):
        stored = section(13 if facts.skip else 10, 32)
        parts = RECORD | (SKIP_RECORD if facts.skip else {})
        read = {name: stored[word] >> low & ((1 << bits) - 1) for name, (word, low, bits) in parts.items()}
        records.append(read | {name: signed(read[name], 32) for name in ("smallest", "largest")})
        check_record(read, stored, header, facts)
        counts.append([] if facts.skip else section(facts.pes, 16))
    codebooks = in_groups([signed(level, 16) for level in section(16 * header["codebooks"], 16)], 16)
    require(not any(book[0] for book in codebooks), "a codebook whose level 0 is not zero")
    params = in_groups(section(header["params"] * 4 * (facts.banks + 1), 16), facts.banks + 1)
    params = [[*row[:-1], signed(row[-1], 16)] for row in params]
    peepholes = in_groups([signed(hole, 16) for hole in section(header["cells"] * 3, 16)], 3)
    words = section(header["entry_words"] * facts.pes, facts.word_bits)
    advances = section(header["entry_words"], facts.advance_bits) if facts.window else []
    pointers = section((header["flags"] >> 16) * facts.pes, 18)
    later_lines = section(2 * (len(facts.sets) - 1), 32)
    lines = in_groups([header["gate_line"], header["cell_line"], *later_lines], 2)
    check_lines(lines, {record["format_set"] for record in records if record["cells"]}, facts)
    table = [(word & 0x7FFFF, word >> 19) for word in section(1024, 32)]
    for pe in range(facts.pes):
        ascending = pointers[pe :: facts.pes]
        require(ascending == sorted(ascending), "pointers that do not ascend")
    return Sections(
        records, counts, codebooks, params, [tuple(hole) for hole in peepholes], words, advances, pointers, lines, table
    )


def check_lines(lines: list[list[int]], used: set[int], facts: Facts) -> None:
    """Refuse slopes and offsets of activations that have none, or of format sets that no stage names.

    Args:
        lines: those of the gates and of the cell, of each set.
        used: numbers of the sets that a stage names.
        facts: gives the sets.

    Raises:
        RefusedImageError: if there are such.
    """
    for number, (pair, formats) in enumerate(zip(lines, facts.sets, strict=True)):
        for line, name in zip(pair, ("gate", "cell"), strict=True):
            hard = number in used and formats[name]["kind"].startswith("hard_")
            require(hard or not line, "a slope or an offset of no activation")


def placed_weights(
    record: dict[str, int], count: int | None, memory: list[int], pointers: list[int], columns: int, facts: Facts
) -> tuple[int, Iterator[tuple[int, int, int]]]:
    """Number of a PE's entries in a phase, and number of the entry, position and code of each weight among them.

    Args:
        record: the phase's record.
        count: the PE's entries; None in skip mode, where the pointers say it.
        memory: all words of the PE.
        pointers: the PE's pointers of the phase; not used in stream mode.
        columns: of the matrix.
        facts: gives mode and widths.

    Raises:
        RefusedImageError: if counts, pointers and entries contradict each other.
    """
    rows, stride = record["full_rows"], 1 << record["log_stride"]
    full = rows > 0
    last = record["entry_word"] - (-record["fullest"] // facts.per_word(full))
    slots = entries.slots_of(memory[record["entry_word"] : last], facts, full)
    starts = []
    if count is None:
        offset = record["entry_word"] * facts.per_word(full)
        starts = [start - offset for start in entries.column_starts(pointers, facts, full)]
        require(starts[0] == 0 and starts[-1] <= len(slots), "pointers that leave the phase's entries")
        count = starts[-1]
    tail = 0 if facts.skip or full else (1 << facts.gap_bits) - 1
    require(all(slot == tail for slot in slots[count:]), "no padding behind the last entry")
    require(count <= len(slots), "more entries than the fullest PE")
    executed = slots[:count]
    if full:
        require(count == rows * columns, "a full phase of another size than its matrix")
        require(not starts or starts == [rows * column for column in range(columns + 1)], "wrong full columns")
        return count, entries.full_weights(executed, rows, stride, facts)
    if starts:
        return count, entries.column_weights(executed, starts, stride, facts)
    return count, entries.weights(executed, facts)


def level_of(code: int, record: dict[str, int], codebooks: list[list[int]], facts: Facts) -> int:
    """The level that a weight's code stands for.

    Args:
        code: the code.
        record: of its phase.
        codebooks: of the image.
        facts: gives the kind of weights.
    """
    if facts.weights == "ternary":
        return 1 - 2 * code
    return codebooks[record["codebook"]][code] if facts.weights == "codebook4" else signed(code, facts.code_bits)


def decode(data: bytes, facts: Facts) -> DecodedImage:
    """Decode a plain image.

    Raises:
        RefusedImageError: if the image contradicts the page.
    """
    header = read_header(data, facts)
    read = read_sections(data, header, facts)
    check_waits(read.records)
    stages = stages_of(read.records)
    windows = entries.columns_there(read.records, read.advances, facts) if facts.window else []
    phases, total = [], 0
    # rows of the parameters in use, each with the number of a bank whose scale is, or of the bias
    used: set[tuple[int, int]] = set()
    for number, record in enumerate(read.records):
        columns = columns_of(record, stages, header["inputs"])
        stage = stages[record["layer"], record["part"] == PROJECTION]
        rows = rows_of_item(record, stage)
        items, group = stage["items"], 4 if stage["cells"] else 1
        fullest_rows = -(-items // facts.pes) * group
        stride = 1 << record["log_stride"]
        require(stride // 2 < fullest_rows <= stride, "wrong stride")
        require(record["full_rows"] in (0, fullest_rows), "wrong rows of a full phase")
        require(not facts.skip or record["columns"] == columns, "wrong number of columns")
        matrix = [[0] * columns for _ in range(items * len(rows))]
        counts = []
        for pe in range(facts.pes):
            count = None if facts.skip else read.counts[number][pe]
            pointers = []
            if facts.skip:
                pointers = read.pointers[record["pointer"] * facts.pes + pe :: facts.pes][: columns + 1]
            memory = read.entries[pe :: facts.pes]
            executed, placed = placed_weights(record, count, memory, pointers, columns, facts)
            counts.append(executed)
            for entry, position, code in placed:
                column, local = divmod(position, stride)
                item = local // group * facts.pes + pe
                inside = column < columns and item < items and local % group in rows
                require(inside, "a weight outside its matrix")
                require(not windows or column in windows[number][entry], "a weight whose column is not in the window")
                level = level_of(code, record, read.codebooks, facts)
                matrix[rows.index(local % group) * items + item][column] = level
                total += 1
        require(max(counts) == record["fullest"], "wrong count of the fullest PE")
        # rows of the parameters, in the order of the matrix and of the sums
        places, all_places = (
            [place_of_row(stage, row, item, facts.units) for row in chosen for item in range(items)]
            for chosen in (rows, range(group))
        )
        banks = record["positive_bank"], record["negative_bank"]
        used.update((place, bank) for place in places for bank in banks)
        if record["part"] not in (PROJECTION, CANDIDATE):
            used.update((place, facts.banks) for place in places)
        scales = [(read.params[place][banks[0]], read.params[place][banks[1]]) for place in places]
        bias = [read.params[place][-1] for place in all_places] if record["cells"] or record["dense"] else []
        cell = record["first_cell"] * facts.units
        peepholes = read.peepholes[cell : cell + items] if record["cells"] else []
        require(record["peephole"] or not any(map(any, peepholes)), "peepholes of cells that have none")
        phases.append(DecodedPhase(record, counts, group, rows, matrix, scales, bias, peepholes))
    require(total == header["weights"], "wrong number of weights")
    unused = [value for place, row in enumerate(read.params) for at, value in enumerate(row) if (place, at) not in used]
    require(not any(unused), "parameters of no row")
    crc = int.from_bytes(data[-4:], "little")
    return DecodedImage(header, crc, read.codebooks, read.lines, read.table, read.params, phases)
