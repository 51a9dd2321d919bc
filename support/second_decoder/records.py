# SPDX-License-Identifier: Apache-2.0
"""Headers and records of phases (docs/reference/image-format.md, "Sections, in order", "Header" and "Phases")."""

from __future__ import annotations

from support.second_decoder.bits import require
from support.second_decoder.design import Facts

HEADER = (
    *("magic", "version", "words", "design_id", "phases", "entry_words", "params", "cells", "codebooks"),
    *("inputs", "outputs", "flags", "gate_line", "cell_line", "formats", "weights"),
)
# Fields of a phase's record: name -> (number of the word, first bit in it, number of bits).
RECORD = {
    **{name: (0, bit, 1) for bit, name in enumerate(("cells", "dense", "source_b", "set", "ahead", "last_step"))},
    **{name: (0, 6 + bit, 1) for bit, name in enumerate(("state", "wait", "release", "leave", "leave_stored"))},
    **{name: (0, 11 + bit, 1) for bit, name in enumerate(("second_last", "first_output", "relu", "peephole"))},
    **{name: (0, 15 + bit, 1) for bit, name in enumerate(("first", "first_b", "second", "second_b"))},
    **{"codebook": (0, 20, 4), "log_stride": (0, 24, 4), "positive_bank": (0, 28, 2), "negative_bank": (0, 30, 2)},
    **{"entry_word": (1, 0, 16), "fullest": (1, 16, 16), "source": (2, 0, 16), "items": (2, 16, 16)},
    **{"first_item": (3, 0, 16), "first_cell": (3, 16, 16), "first_target": (4, 0, 16), "second_target": (4, 16, 16)},
    **{f"shift_{bank}": (5, 8 * bank, 6) for bank in range(4)},
    **{"shift_bias": (6, 0, 6), "shift_peephole": (6, 8, 6), "shift_output": (6, 16, 6)},
    **{"format_set": (6, 24, 2), "cell_kind": (6, 26, 2), "window": (6, 28, 1)},
    **{"smallest": (7, 0, 32), "largest": (8, 0, 32), "layer": (9, 0, 8), "part": (9, 8, 8), "full_rows": (9, 16, 16)},
}
SKIP_RECORD = {
    **{"delta": (0, 19, 1), "pointer": (10, 0, 16), "columns": (10, 16, 16), "group": (11, 0, 16)},
    **{"threshold": (11, 16, 16), "last": (12, 0, 16)},
}
KERNEL, RECURRENT, PROJECTION, CANDIDATE = range(4)
LSTM, RESET_AFTER, RESET_BEFORE, RESET = range(4)
"""Kinds of cells: LSTM, GRU with `reset_after` and without, and the *reset* stage of the latter."""
ROWS: dict[int, dict[int, tuple[int, ...]]] = {
    LSTM: {KERNEL: (0, 1, 2, 3), RECURRENT: (0, 1, 2, 3)},
    RESET_AFTER: {KERNEL: (0, 1, 2), RECURRENT: (0, 1, 3)},
    RESET_BEFORE: {KERNEL: (0, 1, 2), RECURRENT: (0, 1), CANDIDATE: (3,)},
}
"""For each kind of cell its matrices but a projection, and the rows of a cell's four to which each of them adds."""
STAGE_ONLY = ("items", "first_item", "first_cell", "first_target", "second_target")
LEFT_SHIFTS = (*(f"shift_{bank}" for bank in range(4)), "shift_bias", "shift_peephole")
LIMITS = ("smallest", "largest", "shift_output")
SHARED = ("items", "first_item", "first_cell", "format_set", *LEFT_SHIFTS)
"""Fields that are the same in a *reset* stage and in the cells' stage of its layer."""


def section_sizes(header: dict[str, int], facts: Facts) -> dict[str, int]:
    """Words of each section of a plain image."""
    record = 13 if facts.skip else 10 + (facts.pes + 1) // 2
    bits = {
        "header": 32 * 16,
        "phase table": 32 * header["phases"] * record,
        "codebooks": 16 * 16 * header["codebooks"],
        "scales and biases": 16 * 4 * (facts.banks + 1) * header["params"],
        "peepholes": 16 * 3 * header["cells"],
        "entries": facts.word_bits * facts.pes * header["entry_words"],
        "window": facts.advance_bits * header["entry_words"] if facts.window else 0,
        "pointers": 18 * facts.pes * (header["flags"] >> 16),
        "lines": 32 * 2 * (len(facts.sets) - 1),
        "tables": 32 * 1024,
        "checksum": 32,
    }
    return {name: (size + 31) // 32 for name, size in bits.items()}


def check_record(record: dict[str, int], stored: list[int], header: dict[str, int], facts: Facts) -> None:
    """Refuse a record that contradicts itself, the header or the design.

    Args:
        record: fields of the record.
        stored: its words.
        header: fields of the header.
        facts: properties of the design.

    Raises:
        RefusedImageError: if it does.
    """
    places = RECORD | (SKIP_RECORD if facts.skip else {})
    owned = [0] * len(stored)
    for word, low, bits in places.values():
        owned[word] |= ((1 << bits) - 1) << low
    require(not any(word & ~mask for word, mask in zip(stored, owned, strict=True)), "bits without a meaning are set")
    require(record["window"] == (facts.window > 0), "a window in a design without, or none in a design with one")
    stage, kind = record["cells"] or record["dense"], record["cell_kind"]
    require(not (record["cells"] and record["dense"]), "two stages at once")
    numbers = (*STAGE_ONLY, *LEFT_SHIFTS, *LIMITS)
    require(stage or not any(record[name] for name in numbers), "numbers of a stage without a stage")
    require(record["cells"] or not (kind or record["format_set"]), "a kind of cell or a format set without cells")
    require(record["format_set"] < len(facts.sets), "no such format set")
    require(not record["cells"] or facts.computes(gru=kind != LSTM), "a kind of cell that the design lacks")
    lstm = record["cells"] and kind == LSTM
    require(lstm or not record["peephole"], "peepholes without an LSTM")
    require(lstm or not record["first_output"], "an output's format for the first target without an LSTM")
    fourth = record["cells"] and kind != LSTM
    require(record["peephole"] or fourth or not record["shift_peephole"], "a shift of peepholes that there are not")
    rounds = record["dense"] or kind == RESET
    require(rounds or not any(record[name] for name in LIMITS), "limits of an output that has none")
    require(record["dense"] or not record["relu"], "ReLU without a Dense stage")
    require(not stage or record["items"] > 0, "a stage without items")
    require(max(record["positive_bank"], record["negative_bank"]) < facts.banks, "no such bank")
    require(record["codebook"] < max(1, header["codebooks"]), "no such codebook")
    require(record["part"] <= CANDIDATE, "no such part")
    items = record["items"]
    of_unit = -(-items // facts.units) if record["cells"] else -(-items // (4 * facts.units))
    require((record["first_item"] + of_unit) * facts.units <= header["params"], "more items than have parameters")
    cells = record["first_cell"] * facts.units + items if record["cells"] else 0
    require(cells <= header["cells"], "more cells than have peepholes")
    require(not record["full_rows"] or facts.full_phases, "a full phase in a design without")
    used = -(-record["fullest"] // facts.per_word(record["full_rows"] > 0))
    require(record["entry_word"] + used <= header["entry_words"], "a phase beyond the entry words")
    if facts.skip:
        require(record["pointer"] + record["columns"] < header["flags"] >> 16, "a phase beyond the pointers")
        require(record["delta"] or not record["threshold"], "a threshold without delta")
    if facts.skip or facts.window:
        addresses = [record.get(name, 0) for name in ("source", "first_target", "second_target", "last")]
        require(not any(address % 4 for address in addresses), "a vector that begins at no multiple of 4")


def place_of_row(stage: dict[str, int], gate: int, item: int, units: int) -> int:
    """Number of the row, among those of all parameters, that has scales and bias of a row of a stage.

    Args:
        stage: record of the stage.
        gate: number of the row in its item.
        item: number of its item.
        units: element-wise units of the design.
    """
    unit, number = item % units, item // units
    if stage["dense"]:
        number, gate = divmod(number, 4)
    return ((stage["first_item"] + number) * units + unit) * 4 + gate


def check_waits(records: list[dict[str, int]]) -> None:
    """Refuse records that wait for an input frame when a sequence has none left.

    Raises:
        RefusedImageError: if they do, in a sequence of one to four steps.
    """
    ahead = [record for record in records if record["ahead"]]
    inner = [record for record in records if not record["last_step"]]
    end = [record for record in records if not record["ahead"]]
    for steps in range(1, 5):
        left = steps
        for record in ahead + inner * (steps - 1) + end:
            require(left > 0 or not record["wait"], "a phase waits for a frame that never comes")
            left -= record["release"]


def stages_of(records: list[dict[str, int]]) -> dict[tuple[int, bool], dict[str, int]]:
    """Records of the stages but *reset* ones, by layer and whether the stage is a projection's.

    Raises:
        RefusedImageError: if a matrix is there twice or missing, or a stage is.
    """
    parts: dict[int, dict[int, dict[str, int]]] = {}
    for record in records:
        layer = parts.setdefault(record["layer"], {})
        require(record["part"] not in layer, "a matrix that is there twice")
        layer[record["part"]] = record
    require(sorted(parts) == list(range(len(parts))), "layers that are not counted from 0")
    stages = {}
    for number, layer in parts.items():
        cells = [part for part, record in layer.items() if record["cells"] and record["cell_kind"] != RESET]
        resets = [part for part, record in layer.items() if record["cells"] and record["cell_kind"] == RESET]
        require(len(cells) <= 1, "cells in two matrices")
        kind = layer[cells[0]]["cell_kind"] if cells else None
        allowed = [{KERNEL}] if kind is None else [set(ROWS[kind])]
        allowed += [{KERNEL, RECURRENT, PROJECTION}] if kind == LSTM else []
        require(set(layer) in allowed, "parts that make no layer")
        last = CANDIDATE in layer
        require(not cells or cells[0] in ({CANDIDATE} if last else {KERNEL, RECURRENT}), "cells in the wrong matrix")
        require(resets in ([[KERNEL], [RECURRENT]] if last else [[]]), "a reset stage in the wrong matrix, or none")
        dense = {part for part, record in layer.items() if record["dense"]}
        require(dense == {PROJECTION if cells else KERNEL} & set(layer), "a stage in the wrong matrix, or none")
        if kind == RESET_AFTER:
            stage, bank = layer[cells[0]], layer[RECURRENT]["positive_bank"]
            require(stage["shift_peephole"] == stage[f"shift_{bank}"], "two binary points of a recurrent kernel")
        if resets:
            check_reset(layer, layer[resets[0]])
        stages[number, False] = layer[cells[0] if cells else KERNEL]
        if PROJECTION in layer:
            stages[number, True] = layer[PROJECTION]
    return stages


def check_reset(layer: dict[int, dict[str, int]], reset: dict[str, int]) -> None:
    """Refuse a GRU without `reset_after` whose *reset* stage does not serve its candidate.

    Args:
        layer: records of the layer's matrices by part.
        reset: the one with the *reset* stage.

    Raises:
        RefusedImageError: if it does not.
    """
    candidate = layer[CANDIDATE]
    require(next(reversed(layer)) == CANDIDATE, "a candidate before the other matrices of its layer")
    require(all(reset[name] == candidate[name] for name in SHARED), "a reset stage of other cells than the candidate's")
    target = reset["first"], reset["first_b"], reset["first_target"]
    require(target == (1, candidate["source_b"], candidate["source"]), "a reset stage that the candidate does not read")
    require(not (reset["second"] or reset["leave"]), "outputs of a reset stage")
    require(layer[RECURRENT]["state"] and candidate["state"], "a state that is read in a first step")
    require(not any(record.get("delta") for record in layer.values()), "delta in a GRU without reset_after")


def rows_of_item(record: dict[str, int], stage: dict[str, int]) -> tuple[int, ...]:
    """The rows of each item to which a phase's matrix adds: some of a cell's four, or the one of another item.

    Args:
        record: the phase's record.
        stage: that of its stage.
    """
    return ROWS[stage["cell_kind"]][record["part"]] if stage["cells"] else (0,)


def columns_of(record: dict[str, int], stages: dict[tuple[int, bool], dict[str, int]], inputs: int) -> int:
    """Columns of a phase's matrix.

    An image states only the items of the stages. The rest follows from layers and parts: a kernel reads the output
    of the layer before it, a recurrent kernel the output of its own layer, a projection and a candidate the cells.

    Args:
        record: the phase's record.
        stages: records of the stages by layer and whether they are a projection's.
        inputs: width of the network's input.
    """

    def width(layer: int) -> int:
        return stages.get((layer, True), stages[layer, False])["items"]

    layer, part = record["layer"], record["part"]
    if part == KERNEL:
        return width(layer - 1) if layer else inputs
    return width(layer) if part == RECURRENT else stages[layer, False]["items"]
