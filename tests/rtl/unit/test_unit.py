"""The whole unit against the golden model's functions: cells and rows, with gaps and stalls, at the clock promised."""

from typing import Any

import numpy as np
import pytest
from unit_harness import Stage, Tabled, design_of, expected_cells, expected_rows, random_item, random_settings

from ese_host.ir import Activation, Fixed
from support.networks import HARD, HARD8, SMOOTH, SMOOTH8, SMOOTH16
from support.simulated_component import SimulatedComponent

CASES: dict[str, tuple[tuple[Activation, Activation], dict[str, Any]]] = {
    "16 bits": (SMOOTH16, {}),
    "8 bits": (SMOOTH8, {"acc_bits": 28, "acc_banks": 2, "state": Fixed(8, 1), "output": Fixed(8, 1)}),
    "unquantized": (SMOOTH, {"acc_bits": 36, "state": Fixed(16, 4, symmetric=True)}),
    "hard": (HARD, {"acc_bits": 48}),
    "hard, 8 bits": (HARD8, {"acc_bits": 12, "state": Fixed(15, 3, signed=False)}),
}
STAGES, CELLS, ROWS = 10, 2000, 2000


@pytest.mark.parametrize("name", CASES)
def test_unit(name: str) -> None:
    lines, changes = CASES[name]
    design = design_of(lines, **changes)
    component = Tabled(design)
    latencies = component.unit.dense_latency, component.unit.lstm_latency
    cell_latency = component.unit.cell_latency
    simulated = SimulatedComponent(component, optimize=False)
    rng = np.random.default_rng(5)
    seen = 0
    for number in range(2 * STAGES):
        lstm = number % 2 == 0
        settings = random_settings(rng, lstm, lines, wild=number % 8 >= 6)
        stage = Stage(settings, [random_item(rng, design) for _ in range((CELLS if lstm else ROWS) // STAGES)])
        waiting, clocks = list(stage.items), []
        times: list[int] = []
        gaps, stalls = 0.5 * (number % 4 == 1), 0.4 * (number % 6 == 2)
        moving = 0
        while waiting or moving <= times[-1] + latencies[lstm]:
            going = rng.random() >= stalls
            clock: dict[str, Any] = {"go": int(going), "settings": settings}
            if waiting and rng.random() >= gaps:
                clock["item"] = waiting[0]
                if going:
                    times.append(moving)
                    waiting.pop(0)
            clocks.append(clock)
            moving += going
        shown = [after for clock, after in zip(clocks, simulated.run(clocks), strict=True) if clock["go"]]
        due = {time + latencies[lstm]: at for at, time in enumerate(times)}
        cells_due = {time + cell_latency: at for at, time in enumerate(times)} if lstm else {}
        cells = expected_cells(design, lines, stage) if lstm else []
        rows = [] if lstm else expected_rows(stage)
        for time, after in enumerate(shown):
            result = after["result"]
            assert bool(after["cell_valid"]) == (time in cells_due)
            if time in cells_due:
                assert after["cell_new"] == cells[cells_due[time]]["cell"]
            assert bool(result["valid"]) == (time in due)
            if time not in due:
                continue
            seen += 1
            if lstm:
                found = {key: result[key][0] for key in ("exact", "stored", "output")} | {"cell": result["cell"]}
                assert found == cells[due[time]], (time, settings, stage.items[due[time]])
                assert not result["pair"]
            else:
                wanted = rows[due[time]]
                found_rows = list(zip(result["exact"], result["stored"], strict=True))[: len(wanted)]
                assert found_rows == wanted, (time, settings, stage.items[due[time]])
                assert result["output"][: len(wanted)] == result["stored"][: len(wanted)]
                assert (result["pair"], result["cell"]) == (len(wanted) - 1, 0)
    assert seen == CELLS + ROWS
