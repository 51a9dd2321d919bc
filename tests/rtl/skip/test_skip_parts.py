# SPDX-License-Identifier: Apache-2.0
"""The parts of skip mode, side by side in one simulation, each against a few lines of Python."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from amaranth.hdl import Const, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import Out

from ese_host.estimate import COLUMNS_IN_FLIGHT, fifo_places
from ese_host.image import FIELDS, SCAN_WIDTH
from ese_host.ir import Codes
from ese_rtl.packet.scan_check import ScanCheck
from ese_rtl.records import LoadTarget
from ese_rtl.sizes import Sizes
from ese_rtl.skip.column_pointers import TRAVEL, ColumnPointers
from ese_rtl.skip.scanner import Scanner
from ese_rtl.skip.taker import Taker
from support.designs import roomy
from support.simulated_component import SimulatedComponent

DESIGN = roomy("delta-google", cells_per_cycle=1)[1]
"""Ternary with full phases, 8 PEs, FIFOs of one column."""
SIZES = Sizes(DESIGN)
WIDTHS = DESIGN.widths
PHASE, POINTER = (Const.cast(target).value for target in (LoadTarget.PHASE, LoadTarget.POINTER))
Clock = dict[str, Any]


class SkipParts(wiring.Component):
    """All parts, each with its own ports."""

    def __init__(self) -> None:
        self._parts: dict[str, wiring.Component] = {
            "scanner": Scanner(SIZES),
            "taker": Taker(SIZES),
            "pointers": ColumnPointers(SIZES),
            "check": ScanCheck(DESIGN),
        }
        super().__init__({name: Out(part.signature) for name, part in self._parts.items()})

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        for name, part in self._parts.items():
            m.submodules[name] = part
            wiring.connect(m, wiring.flipped(getattr(self, name)), part)
        return m


@cache
def simulated() -> SimulatedComponent:
    return SimulatedComponent(SkipParts(), optimize=False)


def step(part: str, **values: Any) -> Clock:
    """One clock of a part; the others see zeros."""
    prefix = f"{part}__"
    shown = simulated().step(**{prefix + name: value for name, value in values.items()})
    return {name.removeprefix(prefix): value for name, value in shown.items() if name.startswith(prefix)}


def write_vector(ram: int, vector: Codes) -> None:
    """Write the elements of a vector, two in a clock, as frames and results are."""
    nothing = [{"enable": 0}, {"enable": 0}]
    for at in range(0, len(vector), 2):
        pair = [{"enable": int(at + k < len(vector)), "address": at + k, "value": 0} for k in range(2)]
        for k, value in enumerate(vector[at : at + 2].tolist()):
            pair[k]["value"] = value
        step("scanner", writes={"rams": [pair, nothing] if ram == 0 else [nothing, pair]})
    step("scanner")


def sent(rng: np.random.Generator, scan: Clock, fresh: bool, holds: float) -> list[tuple[int, int]]:
    """Columns and values that the scanner sends."""
    step("scanner", scan=scan, prepare=1)
    found, idle = [], 0
    while idle < 3:
        shown = step("scanner", scan=scan, run=1, fresh=int(fresh), hold=int(rng.random() < holds))
        if shown["valid"]:
            found.append((shown["column"], shown["value"]))
        idle = 0 if shown["scanning"] else idle + 1
    return found


@pytest.mark.parametrize("holds", [0.0, 0.5])
def test_elements_that_are_not_zero_are_sent_in_order(holds: float) -> None:
    rng = np.random.default_rng(1)
    for columns in (1, 3, 4, 5, DESIGN.vector_depth):
        vector = rng.integers(-(1 << 17), 1 << 17, columns) * (rng.random(columns) < 0.4)
        write_vector(columns % 2, vector)
        scan = {"columns": columns, "source_ram": columns % 2}
        wanted = [(int(c), int(vector[c])) for c in np.flatnonzero(vector)]
        assert sent(rng, scan, fresh=False, holds=holds) == wanted


def test_changes_beyond_the_threshold_are_sent_and_remembered() -> None:
    rng = np.random.default_rng(2)
    columns, threshold, base = 10, 50, SCAN_WIDTH
    scan = {"columns": columns, "delta": 1, "threshold": threshold, "last_base": base}
    last, vector = np.zeros(columns, np.int64), np.zeros(columns, np.int64)
    for turn in range(12):
        vector = np.clip(vector + rng.integers(-80, 81, columns), -(1 << 16), 1 << 16)
        write_vector(0, vector)
        difference = vector - last
        counts = abs(difference) > threshold
        wanted = [(int(c), int(difference[c])) for c in np.flatnonzero(counts)]
        assert sent(rng, scan, fresh=not turn, holds=0.3 * (turn % 2)) == wanted
        last = np.where(counts, vector, last)
    ordinary = {"columns": columns}
    assert sent(rng, ordinary, fresh=False, holds=0.0) == [(int(c), int(vector[c])) for c in np.flatnonzero(vector)]


def fields(entry: int, full: bool) -> int:
    """A pointer to an entry: the address of its word, and its slot."""
    word, slot = divmod(entry, WIDTHS.per_word(full))
    return word << WIDTHS.slot_bits | slot


def test_a_taker_walks_through_columns_and_never_loses_one() -> None:
    """Columns come as fast as they may: until a clock after the FIFO says that it is full, and those under way."""
    assert COLUMNS_IN_FLIGHT == TRAVEL + 2  # the scanner is told a clock late, and stops a clock later
    rng = np.random.default_rng(3)
    tail = 0
    for full in (False, True):
        sizes = rng.choice([0, 0, 1, 2, 3, 9, 20], 120)
        begins = np.cumsum(sizes) - sizes
        left = [
            {
                "begin": fields(int(begin), full),
                "end": fields(int(begin + size), full),
                "some": int(size > 0),
                "brief": int(size <= 1),
                "value": number,
            }
            for number, (begin, size) in enumerate(zip(begins, sizes, strict=True))
        ]
        wanted = [
            (int(entry == 0), *divmod(int(begin) + entry, WIDTHS.per_word(full)), number)
            for number, (begin, size) in enumerate(zip(begins, sizes, strict=True))
            for entry in range(size)
        ]
        under_way: list[Clock | None] = [None] * (COLUMNS_IN_FLIGHT - 1)
        found: list[tuple[int, int, int, int]] = []
        works, told, times_told = True, False, 0
        while left or any(under_way) or works:
            under_way.append(left.pop(0) if left and not told else None)
            column = under_way.pop(0)
            shown = step("taker", full=int(full), push=int(column is not None), tail=tail, column=column or {})
            tail = (tail + (column is not None)) % fifo_places(DESIGN.fifo_depth)
            works, told = bool(shown["works"]), bool(shown["crowded"])
            times_told += told
            if shown["run"]:
                found.append((shown["first"], shown["address"], shown["slot"], shown["value"]))
        assert found == wanted and times_told > 0


def test_every_pe_gets_its_own_pointers() -> None:
    rng = np.random.default_rng(4)
    count = DESIGN.pointer_depth
    entries = np.sort(rng.integers(0, 40, (DESIGN.pes, count)), axis=1)
    for column in range(count):
        for pe in range(DESIGN.pes):
            load = {
                "memory": POINTER,
                "address": column,
                "lane": pe,
                "data": fields(entries[pe, column], False),
            }
            step("pointers", load=load)
    step("pointers")
    base = 3
    order = rng.permutation(count - base - 1).tolist()
    arrived = []
    for clock in range(len(order) + TRAVEL):
        asked = {"valid": 1, "column": order[clock], "value": -clock} if clock < len(order) else {}
        shown = step("pointers", base=base, **asked)
        if shown["arrived"]:
            arrived.append((clock, shown["columns"]))
    assert [clock for clock, _ in arrived] == [clock + TRAVEL for clock in range(len(order))]
    for number, (column, (_, parts)) in enumerate(zip(order, arrived, strict=True)):
        for pe, part in enumerate(parts):
            begin, end = entries[pe, base + column : base + column + 2].tolist()
            assert part == {
                "begin": fields(begin, False),
                "end": fields(end, False),
                "some": int(end > begin),
                "brief": int(end <= begin + 1),
                "value": -number,
            }


def inside(loads: list[Clock], pointers: int = 9, entry_words: int = 5) -> bool:
    """Whether the check finds the writes of an image sound."""
    step("check", begin=1)
    shown: Clock = {}
    for load in [*loads, {}, {}, {}, {}]:
        shown = step("check", load=load, pointers=pointers, entry_words=entry_words)
    return bool(shown["inside"])


def test_columns_without_pointers_are_found() -> None:
    lane = FIELDS["columns"].word
    for base, columns in ((0, 8), (8, 0), (3, 5), (0, 9), (9, 0), (65535, 65535), (65535, 1)):
        load = {"memory": PHASE, "lane": lane, "data": columns << 16 | base}
        other = {"memory": PHASE, "lane": lane - 1, "data": 0xFFFFFFFF}
        assert inside([other, load, other]) == (base + columns < 9)


def test_pointers_that_descend_or_name_no_stored_slot_are_found() -> None:
    def loads(*values: int) -> list[Clock]:
        return [
            {"memory": POINTER, "address": n, "lane": pe, "data": value}
            for n, value in enumerate(values)
            for pe in range(2)
        ]

    word = 1 << WIDTHS.slot_bits
    most = WIDTHS.per_word(True) - 1
    for values, sound in (
        ((0, 1, word, 5 * word), True),
        ((4 * word + most, 5 * word), True),
        ((5 * word + 1,), False),
        ((6 * word,), False),
        ((word, word - 1), False),
        ((most + 1,), most + 1 == word),
        ((2 * word, 2 * word), True),
    ):
        assert inside(loads(*values)) == sound, values
        assert inside(loads(*values)[::2]) == sound, values
    assert inside([*loads(3 * word), *loads(0)])  # another image begins anew
