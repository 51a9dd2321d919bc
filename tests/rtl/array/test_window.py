# SPDX-License-Identifier: Apache-2.0
"""The activation window against a few lines of Python: what has entered, and what each PE finds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from amaranth.hdl import Const

from ese_host.image import WINDOW_STEP, Design
from ese_rtl.array import READ_LATENCY
from ese_rtl.records import LoadTarget
from ese_rtl.sizes import Sizes
from ese_rtl.vectors import Window
from support.rtl import CASES
from support.simulated_component import SimulatedComponent

ADVANCES = Const.cast(LoadTarget.WINDOW).value
COLUMNS, WORDS, PES = 64, 40, 3


def design_of(window: int) -> Design:
    """A small design with a window."""
    return replace(
        CASES["ternary-4"].make()[1], pes=PES, window=window, vector_depth=COLUMNS, entry_depth=WORDS, full_phases=True
    )


@pytest.mark.parametrize("columns", [8, 32])
def test_each_pe_finds_the_columns_that_entered_last(columns: int) -> None:
    """Matrices begin anywhere in either RAM, beats pause, and after each advance a PE asks for any column it holds."""
    rng = np.random.default_rng(3)
    design = design_of(columns)
    simulated = SimulatedComponent(Window(Sizes(design)), optimize=False)
    elements = rng.integers(-(1 << 15), 1 << 16, (2, COLUMNS))
    slots = design.widths.per_word(True)
    bits = rng.integers(0, 2, (WORDS, slots))
    inputs: list[dict[str, Any]] = [
        {"writes": {"rams": [[port(ram, 2 * pair), port(ram, 2 * pair + 1)] for ram in elements]}}
        for pair in range(COLUMNS // 2)
    ]
    inputs += [
        {"load": {"memory": ADVANCES, "address": n, "data": int(word @ (1 << np.arange(slots)))}}
        for n, word in enumerate(bits)
    ]
    expected = {}  # by clock: the elements that the PEs must find
    asked: dict[int, list[int]] = {}
    for first_word in range(0, WORDS, 5):
        base, ram = 4 * int(rng.integers(COLUMNS // 4)), int(rng.integers(2))
        entered = 0
        for beat in range(5 * slots):
            word, slot = first_word + beat // slots, beat % slots
            inputs += [{}] * int(rng.integers(3) == 0)
            clock = len(inputs)
            inputs.append({"beat": {
                "run": 1, "first": int(beat == 0), "base": base, "source_ram": ram, "address": word, "slot": slot,
            }})  # fmt: skip
            entered += WINDOW_STEP * int(bits[word, slot])
            if entered:
                found = base + rng.integers(max(0, entered - columns), entered, PES)
                asked[clock + READ_LATENCY] = (found % COLUMNS).tolist()
                expected[clock + READ_LATENCY + 1] = elements[ram, found % COLUMNS].tolist()
    inputs += [{}] * (READ_LATENCY + 2)
    shown = simulated.run([{**given, "column6": asked.get(clock, [0] * PES)} for clock, given in enumerate(inputs)])
    assert len(expected) > 100
    for clock, values in expected.items():
        seen = shown[clock]
        assert [seen["values7"][place][p] for p, place in enumerate(seen["place7"])] == values, clock


def port(ram: Any, element: int) -> dict[str, int]:
    """A write of an element."""
    return {"enable": 1, "address": element, "value": int(ram[element])}
