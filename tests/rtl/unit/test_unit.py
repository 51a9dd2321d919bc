# SPDX-License-Identifier: Apache-2.0
"""The whole unit against the golden model's functions: cells and rows, with gaps and stalls, at the clock promised."""

from typing import Any

import numpy as np
import pytest
from unit_harness import (
    StageItems,
    Tabled,
    design_of,
    expected_cells,
    expected_grus,
    expected_rows,
    random_items,
    random_settings,
)

from ese_host.image import CELL_KINDS
from ese_host.ir import Activation, Fixed
from support.networks import HARD, HARD8, SMOOTH, SMOOTH8, SMOOTH16, Rng
from support.simulated_component import SimulatedComponent

HARD_OF_MOST_BITS = (
    Activation("hard_sigmoid", Fixed(16, 0, signed=False), slope=6553, offset=1 << 14),
    Activation("hard_tanh", Fixed(16, 1), slope=1 << 15),
)
COARSE = (
    Activation("hard_sigmoid", Fixed(1, 0, signed=False), slope=1 << 13, offset=1 << 14),
    Activation("hard_tanh", Fixed(17, 2), slope=1 << 15),
)
"""Gates of a half at most, and candidates beside which the state is small."""
CASES: dict[str, tuple[tuple[Activation, Activation], dict[str, Any]]] = {
    "16 bits": (SMOOTH16, {}),
    "8 bits": (SMOOTH8, {"acc_bits": 28, "acc_banks": 2, "state": Fixed(8, 1), "output": Fixed(8, 1)}),
    "unquantized": (SMOOTH, {"acc_bits": 36, "state": Fixed(16, 4, symmetric=True)}),
    "hard": (HARD, {"acc_bits": 48}),
    "hard, 8 bits": (HARD8, {"acc_bits": 12, "state": Fixed(15, 3, signed=False)}),
    "gru": (SMOOTH16, {"cells": "gru"}),
    "gru, 8 bits": (SMOOTH8, {"cells": "gru", "acc_banks": 2, "state": Fixed(8, 1), "output": Fixed(8, 1)}),
    "gru, hard": (HARD_OF_MOST_BITS, {"cells": "gru", "acc_bits": 48, "acc_banks": 4, "output": Fixed(16, -10)}),
    "gru, coarse": (COARSE, {"cells": "gru", "state": Fixed(2, 0), "output": Fixed(16, 1)}),
    "both": (SMOOTH16, {"cells": "lstm+gru", "acc_banks": 2}),
    "both, hard": (HARD8, {"cells": "lstm+gru", "acc_bits": 12, "state": Fixed(15, 3, signed=False)}),
}
Clock = dict[str, Any]
STAGES, ITEMS = 10, 2000
"""Stages of each kind in a test, and the items of all of them."""


def clocks_of(rng: Rng, stage: StageItems, latency: int, gaps: float, stalls: float) -> tuple[list[Clock], list[int]]:
    """The inputs of the unit, clock by clock until all results have come, and the time at which it takes each item.

    Time does not pass while the unit stands still. Between items there is one that is not valid.

    Args:
        rng: source of random numbers.
        stage: settings and items.
        latency: clocks from an item to its result.
        gaps: share of the clocks without an item.
        stalls: share of the clocks in which the unit stands still.
    """
    clocks: list[Clock] = []
    times: list[int] = []
    time, other = 0, {**stage.items[0], "valid": 0}
    while len(times) < len(stage.items) or time <= times[-1] + latency:
        ready = len(times) < len(stage.items) and rng.random() >= gaps
        going = bool(rng.random() >= stalls)
        clocks.append(
            {"go": int(going), "settings": stage.settings, "item": stage.items[len(times)] if ready else other}
        )
        if ready and going:
            times.append(time)
        time += going
    return clocks, times


SLOW = ("gru, hard", "8 bits", "unquantized", "hard", "gru, 8 bits", "gru, coarse", "both, hard")


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.slow if name in SLOW else []) for name in CASES])
def test_unit(name: str) -> None:
    lines, changes = CASES[name]
    design = design_of(lines, **changes)
    component = Tabled(design)
    unit = component.unit
    simulated = SimulatedComponent(component, optimize=False)
    rng = np.random.default_rng(5)
    kinds = [*(kind for kind in CELL_KINDS if kind.partition("_")[0] in unit.latencies), "dense"]
    for number in range(len(kinds) * STAGES):
        kind, turn = kinds[number % len(kinds)], number // len(kinds)
        settings = random_settings(rng, kind, design, lines, wild=turn % 4 == 3)
        stage = StageItems(settings, random_items(rng, design, settings, ITEMS // STAGES))
        computes = kind.partition("_")[0]
        latency, cell_latency = unit.latencies[computes], unit.cell_latencies.get(computes)
        gaps, stalls = 0.5 * (turn % 4 == 1), 0.4 * (turn % 4 in (1, 2, 3) and number % 2)
        clocks, times = clocks_of(rng, stage, latency, gaps, stalls)
        answers = simulated.run(clocks)
        shown = [answer for clock, answer in zip(clocks, answers, strict=True) if clock["go"]]
        assert [time - latency for time, answer in enumerate(shown) if answer["result"]["valid"]] == times
        results = [shown[time + latency]["result"] for time in times]
        new = [time for time, answer in enumerate(shown) if answer["cell_valid"]]
        assert new == ([] if cell_latency is None else [time + cell_latency for time in times])
        if kind != "dense":
            cells = (expected_cells if kind == "lstm" else expected_grus)(design, lines, stage)
            if cell_latency is not None:
                assert [shown[time]["cell_new"] for time in new] == [cell["cell"] for cell in cells]
            for item, result, cell in zip(stage.items, results, cells, strict=True):
                found = {key: result[key][0] for key in ("exact", "stored", "output")} | {"cell": result["cell"]}
                assert (found, result["pair"]) == (cell, 0), (settings, item)
        else:
            for item, result, rows in zip(stage.items, results, expected_rows(stage), strict=True):
                exact, stored, output = (result[key][: len(rows)] for key in ("exact", "stored", "output"))
                assert list(zip(exact, stored, output, strict=True)) == [(e, s, s) for e, s in rows], (settings, item)
                assert (result["pair"], result["cell"]) == (item["pair"], 0)
