# SPDX-License-Identifier: Apache-2.0
"""Estimates of the engine in RTL: counts where there are any, and a model that is near them."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

import pytest

from ese_host.boards.board import load_board
from ese_host.estimate.design_choice import DesignOptions, design_of
from ese_host.estimate.estimator import Subject, estimate
from ese_host.estimate.masks import Pruning
from ese_host.estimate.resources import counts, recorded_counts, rtl, use
from ese_host.estimate.search import HEADROOM, SearchRange, search
from ese_host.estimate.timing import of_sizes
from ese_host.image import USUAL_WINDOW, Design
from ese_host.image.sizes import LayerSize, LstmSize

ESE = LstmSize(153, 1024, 512, True)
RECORDS = recorded_counts()
TOLERANCE = 0.1


def of(layer: LayerSize, pes: int, window: int = 0, units: int = 1, **choices: Any) -> dict[str, Any]:
    pruning = Pruning(0.1, window=window)
    timed, plan, matrices = of_sizes([layer], pruning, pes, units, "rtl")
    design = design_of(plan, matrices, pruning, DesignOptions(pes, units, 100, **choices))
    return estimate(Subject("layer", 1), timed, design, load_board("pynq-z2"), 1, "rtl")


@pytest.mark.parametrize("name", RECORDS)
def test_the_model_is_near_every_count(name: str) -> None:
    record, modelled = RECORDS[name], rtl.modelled(RECORDS[name].design)
    found = {resource: sum(parts.values()) for resource, parts in modelled.items()}
    assert found["bram36"] == record.count.bram36 and found["dsps"] == record.count.dsps
    assert found["luts"] == pytest.approx(record.count.luts, rel=TOLERANCE)
    assert found["flip_flops"] == pytest.approx(record.count.flip_flops, rel=TOLERANCE)
    assert found["lutram"] == pytest.approx(record.count.lutram, rel=TOLERANCE)


@pytest.mark.parametrize("name", RECORDS)
def test_a_counted_design_shows_its_count(name: str) -> None:
    record = RECORDS[name]
    found = use(replace(record.design, clock_mhz=50), load_board("pynq-z2"), "rtl")
    assert found["luts"].used == record.count.luts + 4900  # the AXI DMA and the interconnect, LUTRAM among them
    assert found["bram36"].used == record.count.bram36 + 3
    assert rtl.basis(record.design)["luts"].startswith("counted: the whole engine by Yosys ")


def test_a_design_that_is_not_counted_is_modelled() -> None:
    found = of(LstmSize(20, 32, 0, False), 8)
    assert found["engine"] == "rtl" and found["resources"]["luts"]["basis"].startswith("modelled: ")
    for item in found["resources"].values():
        assert sum(item["parts"].values()) == item["used"] and all(value > 0 for value in item["parts"].values())
    assert found["resources"]["luts"]["used"] < found["luts_upper"] < 1.3 * found["resources"]["luts"]["used"]


@pytest.mark.parametrize(
    ("sizes", "cycles"), [((64,), 5600), ((128,), 3500), ((64, USUAL_WINDOW), 5400), ((128, USUAL_WINDOW, 2), 3000)]
)
def test_eses_layer_keeps_to_its_cycles(sizes: tuple[int, ...], cycles: int) -> None:
    found = of(ESE, *sizes)
    assert found["cycles_per_step"] == sum(found["cycles_by_cause"].values()) <= cycles
    assert found["fits"]


@pytest.mark.parametrize("name", ["pynq-z2", "zcu104"])
def test_the_search_beats_every_other_number_of_pes_that_fits(name: str) -> None:
    board = load_board(name)
    ranges = replace(SearchRange.of("rtl"), gap_bits=(5,))
    found = search([ESE], Pruning(0.1), DesignOptions(1, 1, 100), board, ranges, "rtl")
    assert (found.design.cells_per_cycle, found.design.window) == (2, USUAL_WINDOW)
    assert found.cycles == of(ESE, found.design.pes, USUAL_WINDOW, 2)["cycles_per_step"]
    assert name == "pynq-z2" or found.design.pes == 256
    for other, sizes in product(range(16, 257, 16), ((0, 1), (USUAL_WINDOW, 1), (USUAL_WINDOW, 2))):
        estimated = of(ESE, other, *sizes)
        design = Design.from_json(estimated["design"])
        roomy = all(
            item.used <= HEADROOM.get(resource, 1) * item.budget for resource, item in use(design, board, "rtl").items()
        )
        assert not roomy or estimated["cycles_per_step"] >= found.cycles


def test_hard_activations_take_no_table() -> None:
    soft, hard = of(ESE, 16), of(ESE, 16, hard=True)
    assert soft["bram36"] - hard["bram36"] == 3 and "tanh table" not in hard["memory_bits"]


def test_records_are_written_and_read(tmp_path: Any) -> None:
    path = tmp_path / "counts.json"
    assert counts.read(path) == {}
    counts.write(RECORDS, path)
    assert counts.read(path) == RECORDS
