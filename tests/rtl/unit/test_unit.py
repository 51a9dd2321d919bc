"""The whole unit against the golden model's functions: cells and rows, with gaps and stalls, at the clock promised."""

from typing import Any

import numpy as np
import pytest
from unit_harness import StageItems, Tabled, design_of, expected_cells, expected_rows, random_item, random_settings

from ese_host.ir import Activation, Fixed
from support.networks import HARD, HARD8, SMOOTH, SMOOTH8, SMOOTH16, Rng
from support.simulated_component import SimulatedComponent

CASES: dict[str, tuple[tuple[Activation, Activation], dict[str, Any]]] = {
    "16 bits": (SMOOTH16, {}),
    "8 bits": (SMOOTH8, {"acc_bits": 28, "acc_banks": 2, "state": Fixed(8, 1), "output": Fixed(8, 1)}),
    "unquantized": (SMOOTH, {"acc_bits": 36, "state": Fixed(16, 4, symmetric=True)}),
    "hard": (HARD, {"acc_bits": 48}),
    "hard, 8 bits": (HARD8, {"acc_bits": 12, "state": Fixed(15, 3, signed=False)}),
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


SLOW = ("8 bits", "unquantized", "hard")


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.slow if name in SLOW else []) for name in CASES])
def test_unit(name: str) -> None:
    lines, changes = CASES[name]
    design = design_of(lines, **changes)
    component = Tabled(design)
    unit = component.unit
    simulated = SimulatedComponent(component, optimize=False)
    rng = np.random.default_rng(5)
    for number in range(2 * STAGES):
        lstm = number % 2 == 0
        settings = random_settings(rng, lstm, lines, wild=number % 8 >= 6)
        stage = StageItems(settings, [random_item(rng, design) for _ in range(ITEMS // STAGES)])
        latency = unit.lstm_latency if lstm else unit.dense_latency
        gaps, stalls = 0.5 * (number % 8 in (2, 3)), 0.4 * (number % 8 in (3, 4, 6))
        clocks, times = clocks_of(rng, stage, latency, gaps, stalls)
        answers = simulated.run(clocks)
        shown = [answer for clock, answer in zip(clocks, answers, strict=True) if clock["go"]]
        assert [time - latency for time, answer in enumerate(shown) if answer["result"]["valid"]] == times
        results = [shown[time + latency]["result"] for time in times]
        new = [time - unit.cell_latency for time, answer in enumerate(shown) if answer["cell_valid"]]
        assert new == (times if lstm else [])
        if lstm:
            cells = expected_cells(design, lines, stage)
            assert [shown[time + unit.cell_latency]["cell_new"] for time in times] == [cell["cell"] for cell in cells]
            for item, result, cell in zip(stage.items, results, cells, strict=True):
                found = {key: result[key][0] for key in ("exact", "stored", "output")} | {"cell": result["cell"]}
                assert (found, result["pair"]) == (cell, 0), (settings, item)
        else:
            for item, result, rows in zip(stage.items, results, expected_rows(stage), strict=True):
                exact, stored, output = (result[key][: len(rows)] for key in ("exact", "stored", "output"))
                assert list(zip(exact, stored, output, strict=True)) == [(e, s, s) for e, s in rows], (settings, item)
                assert (result["pair"], result["cell"]) == (item["pair"], 0)
