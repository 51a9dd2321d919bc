# SPDX-License-Identifier: Apache-2.0
"""The parts of the core, each against a few lines of Python."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from amaranth.hdl import Const
from control_parts import DESIGN, SIZES, UNITS, run

from ese_host.image.phases import PHASE_WORDS
from ese_host.ir import GATES
from ese_rtl.array import READ_LATENCY, WRITE_LATENCY
from ese_rtl.control.phase_table import kept_fields
from ese_rtl.control.stage import DRAINED
from ese_rtl.records import LoadTarget

RNG = np.random.default_rng(11)
PHASES = Const.cast(LoadTarget.PHASE).value
FULL_PER_WORD, PER_WORD = (DESIGN.widths.per_word(full) for full in (True, False))


def test_phase_table_keeps_the_fields_that_the_engine_reads() -> None:
    words = RNG.integers(0, 1 << 32, (DESIGN.phases, PHASE_WORDS))
    loads = [
        {"load": {"memory": PHASES, "address": phase, "lane": word, "data": int(value)}}
        for (phase, word), value in np.ndenumerate(words)
    ]
    shown = run("phases", [*loads, *({"index": index} for index in range(DESIGN.phases))])[-DESIGN.phases :]
    for index, row in enumerate(shown):
        for name, field in kept_fields(SIZES).items():
            assert field.count == 1
            value = int(words[index, field.word]) >> field.low & (1 << field.width) - 1
            if field.signed and value >> field.width - 1:
                value -= 1 << field.width
            assert row["phase"][name] == value, name


@pytest.mark.parametrize(("rows", "stride"), [(0, 1), (3, 2), (2, 1), (1, 0)])
def test_beats_walk_through_the_slots_of_all_words(rows: int, stride: int) -> None:
    """In a full phase, rows that no matrix row has are jumped over at the end of a column."""
    count, base = 11, 2
    phase = {"entry_count": count, "entry_base": base, "source_base": 5, "stride_log2": stride, "rows": rows}
    going = RNG.random(40) < 0.6
    runs = np.flatnonzero(going)[:count]
    clocks = [{"phase": phase, "run": int(clock in runs)} for clock in range(runs[-1] + 3)]
    shown = run("beats", [{"phase": phase, "prepare": 1}, *clocks])[1:]
    per_word = FULL_PER_WORD if rows else PER_WORD
    beats = [shown[clock + 1]["beat"] for clock in runs]
    assert [row["beat"]["run"] for row in shown[1:]] == [int(clock in runs) for clock in range(len(shown) - 1)]
    assert [clock for clock in runs if shown[clock]["last"]] == [runs[-1]]
    assert [(beat["address"], beat["slot"]) for beat in beats] == [
        (base + entry // per_word, entry % per_word) for entry in range(count)
    ]
    assert [beat["first"] for beat in beats] == [1] + [0] * (count - 1)
    assert beats[0]["start"] == 5 << stride and beats[0]["full"] == (rows > 0)
    if rows:
        jumps = [(1 << stride) - rows if entry and entry % rows == 0 else 0 for entry in range(count)]
        assert [beat["jump"] for beat in beats] == jumps


def test_a_row_to_be_cleared_is_a_beat_of_its_own() -> None:
    phase = {"entry_count": 4, "rows": 3, "stride_log2": 2, "source_base": 1}
    clocks: list[dict[str, Any]] = [{"phase": phase, "prepare": 1}, *[{"phase": phase, "run": 1}] * 4]
    clocks += [{"phase": phase, "sweep": 1, "sweep_row": row, "sweep_set": 1} for row in range(SIZES.rows)] + [{}]
    beats = [row["beat"] for row in run("beats", clocks)[6:]]
    assert [(beat["sweep"], beat["first"], beat["start"], beat["set"], beat["full"]) for beat in beats] == [
        (1, 1, row, 1, 0) for row in range(SIZES.rows)
    ]


@pytest.mark.parametrize("inputs", [1, 5, 8])
def test_frames_are_stored_from_element_0_on(inputs: int) -> None:
    """Words are wanted in all clocks before which the vector RAM was not in use; after `next`, some clocks later."""
    frames, words = 3, -(-inputs // 2)
    run("frames", [{"inputs": inputs, "begin": 1, "count": frames}])
    waits = 0
    for frame in range(frames):
        codes = RNG.integers(-(1 << 15), 1 << 15, 2 * words)
        found: dict[int, int] = {}
        barred, word, clock = 0, 0, 0
        while word < words:
            low, high = (int(code) & 0xFFFF for code in codes[2 * word : 2 * word + 2])
            barred_next = int(RNG.random() < 0.4)
            row = run("frames", [{"inputs": inputs, "barred": barred_next, "word": low | high << 16}])[0]
            assert row["storing"] and row["wants"] == (clock >= waits and not barred)
            assert row["wants"] or not any(port["enable"] for port in row["ports"])
            found |= {port["address"]: port["value"] for port in row["ports"] if port["enable"]}
            word += row["wants"]
            barred, clock = barred_next, clock + 1
        assert found == dict(enumerate(codes[:inputs].tolist()))
        done, after = run("frames", [{"inputs": inputs, "next": 1}, {"inputs": inputs}])
        assert not done["storing"] and not done["wants"]
        assert after["storing"] == (frame < frames - 1) and not after["wants"]
        waits = READ_LATENCY - WRITE_LATENCY - 2


def test_sweeper_clears_the_rows_of_a_stage_once_they_are_read() -> None:
    run("sweeper", [{"launch": 1, "launched_set": 1}])
    row, last = 2, None
    rows = row
    for clock in range(40):
        drained, free = clock >= 7, bool(RNG.random() < 0.5)
        shown = run("sweeper", [{"rows": rows, "drained": int(drained), "free": int(free)}])[0]
        assert shown["sweep"] == (drained and free and row > 0)
        assert shown["pending"] == (0b10 if last is None or clock <= last + 1 else 0)
        if shown["sweep"]:
            row -= 1
            assert (shown["row"], shown["set"]) == (row, 1)
            last = clock if row == 0 else None
    assert row == 0


def test_a_set_whose_sums_stay_counts_as_clear_once_they_are_read() -> None:
    """As behind a reset stage: no row is cleared, so that no clock without an entry is needed."""
    drained = 5
    clocks = [{"launch": 1}, *({"rows": 0, "drained": int(clock >= drained), "free": 0} for clock in range(10))]
    shown = run("sweeper", clocks)[1:]
    assert not any(row["sweep"] for row in shown)
    assert [row["pending"] for row in shown] == [int(clock < drained + 2) for clock in range(10)]


def test_sweeper_forgets_everything() -> None:
    shown = run("sweeper", [{"forget": 1}, *[{}] * (2 * SIZES.rows + 2)])
    cleared = [(row["set"], row["row"]) for row in shown if row["sweep"]]
    assert cleared == [(s, row) for s in range(2) for row in reversed(range(SIZES.rows))]
    assert [clock for clock, row in enumerate(shown) if row["forgotten"]] == [2 * SIZES.rows + 1]


@pytest.mark.parametrize("units", UNITS)
@pytest.mark.parametrize("kind", ["dense", "lstm"])
@pytest.mark.parametrize("items", [1, 2, 5, 7])
def test_stage_reads_all_items(kind: str, items: int, units: str) -> None:
    """Cells one by one, from PE to PE, with their rows in successive ticks; rows in pairs; the same in every unit."""
    sizes = UNITS[units]
    launched: dict[str, Any] = {"launch": 1, "fill_set": 1, "phase": {kind: 1, "items": items}, "last_step": 1}
    run("stage", [{"phase": launched["phase"]}, launched], units)  # a phase is fetched before its stage is launched
    clocks = [{"step": int(RNG.random() < 0.7)} for _ in range(80)]
    shown = run("stage", clocks, units)
    ticks = [row for row, clock in zip(shown, clocks, strict=True) if clock["step"]]
    found = [(row["pe"], row["row"], row["valid"], row["pair"] & row["valid"]) for row in ticks if row["valid"]]
    together, period = (1 + sizes.paired, 1) if kind == "dense" else (1, sizes.cell_period)
    wanted = []
    for first in range(0, items, sizes.units * together):
        group, pe = divmod(first // sizes.units, sizes.unit_pes)
        row = group if kind == "dense" else GATES * group + min(pe * period, GATES - 1)
        left = items - first
        valid = sum(1 << unit for unit in range(sizes.units) if unit < left)
        pair = sum(1 << unit for unit in range(sizes.units) if together > 1 and unit + sizes.units < left)
        wanted.append((pe, row, valid, pair))
    assert found == wanted
    drained = next(number for number, row in enumerate(ticks) if row["drained"])
    rows = -(-items // sizes.pes) * (1 if kind == "dense" else GATES)
    assert drained == (len(wanted) - 1) * period + 1 + DRAINED and ticks[drained]["rows"] == rows
    assert all(row["set"] == 1 and row["outputs"] for row in shown)


RECORDS = {
    "exact": {"emits": 1},
    "stored": {"emits": 1, "emits_stored": 1, "first_enabled": 1, "first_base": 3},
    "inside": {"first_enabled": 1, "first_ram": 1, "second_enabled": 1, "first_base": 1, "second_base": 5},
    "last step only": {"emits": 1, "output_last_only": 1, "second_enabled": 1, "second_base": 2},
}


def words_of(elements: list[dict[str, int]], record: dict[str, int], outputs: bool, trace: bool) -> list[int]:
    """The words that must leave.

    Args:
        elements: what the units give for each item.
        record: of the phase.
        outputs: whether outputs leave in this step.
        trace: whether a trace is asked for.
    """
    halves, words = [], []
    for element in elements:
        exact = [element["exact"], element["exact"] >> 32]
        if trace:
            words += [*exact, element["stored"], element["cell"]]
        elif outputs and record.get("emits_stored"):
            halves.append(element["output"] & 0xFFFF)
        elif outputs and record.get("emits"):
            words += exact
    halves += [0] * (len(halves) % 2)
    words += [low | high << 16 for low, high in zip(halves[::2], halves[1::2], strict=True)]
    return [word & 0xFFFFFFFF for word in words]


def random_element(cell: bool) -> dict[str, int]:
    """What a unit gives for an item, with a new c or without."""
    return {
        "exact": int(RNG.integers(-(1 << 47), 1 << 47)),
        **{key: int(RNG.integers(-(1 << 15), 1 << 16)) for key in ("stored", "output")},
        "cell": int(RNG.integers(-(1 << 15), 1 << 15)) if cell else 0,
    }


def results_of(elements: list[dict[str, int]], units: int) -> list[dict[str, Any]]:
    """The units' results in one tick, for some elements: row 0 of every unit, then row 1."""
    results = []
    for unit in range(units):
        there = elements[unit::units]
        rows = [*there, *(random_element(True) for _ in range(2))][:2]
        result: dict[str, Any] = {key: [row[key] for row in rows] for key in ("exact", "stored", "output")}
        results.append({**result, "valid": int(len(there) > 0), "pair": int(len(there) > 1), "cell": rows[0]["cell"]})
    return results


@pytest.mark.parametrize("trace", [False, True])
@pytest.mark.parametrize("name", RECORDS)
@pytest.mark.parametrize(("items", "paired"), [(5, False), (5, True), (4, True), (1, True), (7, True), (6, True)])
@pytest.mark.parametrize("units", UNITS)
def test_retire_writes_results_and_gives_their_words(
    name: str, trace: bool, items: int, paired: bool, units: str
) -> None:
    number, outputs = UNITS[units].units, bool(RNG.integers(2))
    record = {key: value * (4 if number > 1 and "base" in key else 1) for key, value in RECORDS[name].items()}
    elements = [random_element(not paired) for _ in range(items)]
    together = number * (1 + paired)
    held = {"record": record, "outputs": int(outputs), "trace": int(trace)}
    phase = {**record, "items": items}
    run("retire", [{**held, "phase": phase}, {**held, "launch": 1, "phase": phase}], units)
    words: list[int] = []
    found: dict[tuple[int, int], int] = {}
    announced = [0, 0]
    # results are announced in the tick before them; now and then a tick has none
    nothing = results_of([], number)
    ticks = []
    for first in range(0, items, together):
        ticks += [nothing] * int(RNG.integers(3)) + [results_of(elements[first : first + together], number)]
    for results, following in zip([nothing, *ticks], [*ticks, nothing], strict=True):
        coming = {
            f"next_{key}": sum(result[key] << unit for unit, result in enumerate(following))
            for key in ("valid", "pair")
        }
        while True:
            shown = run("retire", [{**held, **coming, "results": results}], units)[0]
            assert shown["busy"]
            words += [shown["word"]] * shown["word_valid"]
            assert [ports[0]["enable"] for ports in shown["writes"]] == announced
            announced = shown["next_writes"]
            for ram in range(2):
                for port in shown["writes"][ram]:
                    if port["enable"]:
                        found[ram, port["address"]] = port["value"]
            if shown["step"]:
                break
    idle = run("retire", [held], units)[0]
    assert not idle["busy"] and not idle["word_valid"] and idle["targets"] == [0, 0]
    assert words == words_of(elements, record, outputs, trace)
    wanted: dict[tuple[int, int], int] = {}
    if record.get("second_enabled") and outputs:
        base, ram = record.get("second_base", 0), record.get("second_ram", 0)
        wanted |= {(ram, base + at): element["output"] for at, element in enumerate(elements)}
    if record.get("first_enabled"):
        base, ram = record.get("first_base", 0), record.get("first_ram", 0)
        wanted |= {(ram, base + at): element["stored"] for at, element in enumerate(elements)}
    assert found == wanted
