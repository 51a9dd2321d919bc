# SPDX-License-Identifier: Apache-2.0
"""The grid behind the page of `ese4ml estimate --html`: each of its points is what `estimate` says."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path
from typing import Any

import calls
import pytest

from ese_host.boards import board_names, load_board
from ese_host.errors import EseError
from ese_host.estimate import NAMES, DesignOptions, Pruning, explorer, sized
from ese_host.estimate.cycles import CAUSES
from ese_host.estimate.search import MIN_REACH
from ese_host.estimate.timing import entries_of_plan, planned
from ese_host.image import DenseSize, GruSize, LayerSize, LstmSize

MIB = 1 << 20
CASES: dict[str, tuple[LayerSize, Pruning, DesignOptions, int | None]] = {
    "LSTM": (LstmSize(20, 256), Pruning(0.07), DesignOptions(7, 1, 100), None),
    "LSTM, window": (LstmSize(20, 64), Pruning(0.5, window=64), DesignOptions(8, 2, 100), 6),
    "GRU": (GruSize(9, 40), Pruning(0.2, "magnitude", seed=3), DesignOptions(8, 1, 100, 2, hard=True), 6),
    "Dense": (DenseSize(300, 200), Pruning((0.3,), "pe-balanced"), DesignOptions(8, 2, 100), None),
}


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ese_host.estimate.explorer.grid.PES", (1, 16))
    monkeypatch.setattr("ese_host.estimate.explorer.grid.DENSITIES", (0.01, 0.4))


def decoded(grid: dict[str, Any], point: list[Any], family: int) -> dict[str, Any]:
    """The figures of a point on boards of a family, under the names that an estimate gives them."""
    gap_bits, time, energy, basis, assumed, *resources = point
    figures = dict(zip((*grid["figures"], *grid["causes"]), grid["times"][time], strict=True))
    *uses, upper = resources[family * (len(NAMES) + 1) : (family + 1) * (len(NAMES) + 1)]
    lists = (grid["uses"][use] for use in uses)
    parts = [(used, dict(zip(grid["parts"][names], of, strict=True))) for names, used, *of in lists]
    texts = [[grid["texts"][text] for text in grid["bases"][number]] for number in (basis, assumed)]
    return {"gap_bits": gap_bits, "energy": energy, "luts_upper": upper, "parts": parts, "texts": texts} | figures


def expected(found: dict[str, Any], assumed: tuple[str, ...]) -> dict[str, Any]:
    figures = ("cycles_per_step", "utilisation", "matvec_utilisation", "nonzero_weights", "padding_entries")
    return {
        **{name: found[name] for name in (*figures, "kept_weights", "gap_bits", "luts_upper")},
        **found["cycles_by_cause"],
        "energy": found["energy_pj"]["total"],
        "parts": [(found["resources"][name]["used"], found["resources"][name]["parts"]) for name in NAMES],
        "texts": [[found["basis"][name] for name in ("cycles_per_step", "energy_pj", *NAMES)], list(assumed)],
    }


@pytest.mark.parametrize("case", CASES)
def test_each_point_is_the_estimate(case: str) -> None:
    layer, pruning, options, gap_bits = CASES[case]
    grid = json.loads(json.dumps(explorer.grid_of(case, {case: layer}, pruning, options, gap_bits)))
    axes = grid["axes"]
    assert options.pes in axes["pes"] and set(CAUSES) == set(grid["causes"])
    points = 0
    for at in product(*(enumerate(axes[name]) for name in ("engine", "units", "code", "density", "pes"))):
        point = grid["points"]
        for number, _ in at:
            point = point[number]
        engine, units, kind, density, pes = (value for _, value in at)
        if point is None:
            assert units == 2 and (pes % 2 or (engine == "rtl" and not pruning.window))
            continue
        density = tuple(density) if isinstance(density, list) else density
        bits = gap_bits or (point[0] if isinstance(point, list) else 5)
        asked = Pruning(density, pruning.masks, kind, bits, pruning.seed, pruning.window)
        chosen = DesignOptions(pes, units, 100, options.acc_banks, hard=options.hard)
        try:
            made = sized(case, {case: layer}, asked, chosen, engine)
        except EseError as error:
            assert grid["texts"][point] == str(error)
            continue
        points += 1
        for name in board_names():
            board = grid["boards"][name]
            assert {key: board[key] for key in NAMES} == {key: getattr(load_board(name), key) for key in NAMES}
            found = made.estimate(load_board(name))
            assert decoded(grid, point, board["family"]) == expected(found, made.subject.assumed), (at, name)
        if gap_bits is None:
            assert wide_enough(layer, asked, pes) or bits == 12
            assert bits == 5 or not wide_enough(layer, Pruning(density, pruning.masks, kind, bits - 1), pes)
    assert points > 30


def wide_enough(layer: LayerSize, pruning: Pruning, pes: int) -> bool:
    matrices = entries_of_plan(planned([layer]), pruning, pes)
    return min(matrix.reach for matrix in matrices) >= MIN_REACH


def test_a_design_that_cannot_be_is_refused_as_by_the_command() -> None:
    layer = LstmSize(153, 1024, 512)
    grid = explorer.grid_of("LSTM", {"LSTM": layer}, Pruning(0.4), DesignOptions(1, 1, 100))
    number = grid["points"][0][0][0][grid["axes"]["density"].index(0.4)][0]
    sizes = ("--inputs", "153", "--units", "1024", "--projection", "512", "--density", "0.4", "--pes", "1")
    result = calls.call("estimate", "lstm", *sizes)
    assert result.exit_code == 2 and result.stderr == f"error: {grid['texts'][number]}\n"


def test_the_page_holds_what_was_given_and_writes_nothing_elsewhere(tmp_path: Path) -> None:
    path = tmp_path / "new" / "page.html"
    line = ("gru", "--inputs", "9", "--units", "40", "--reset-before", "--hard", "--masks", "magnitude", "--seed", "3")
    result = calls.call("estimate", *line, "--acc-banks", "2", "--pes", "7", "--html", str(path), "--json")
    assert result.exit_code == 0 and json.loads(result.stdout)["pes"] == 7
    text = path.read_text()
    command = "ese4ml estimate gru --inputs 9 --units 40 --reset-before --hard --masks magnitude --acc-banks 2 --seed 3"
    assert f'"command":"{command}"' in text and '"pes":[1,7,16]' in text
    assert list(path.parent.iterdir()) == [path]


def test_the_page_of_a_network_names_its_folder(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    result = calls.call("estimate", "network", str(folder), "--masks", "pe-balanced", "--pes", "2", "--html", str(path))
    assert result.exit_code == 0, result.output
    text = path.read_text()
    assert '"name":"small: logits"' in text
    assert f'"command":"ese4ml estimate network {folder} --masks pe-balanced"' in text


def test_the_page_and_a_search_exclude_each_other_and_the_path_is_judged_first(tmp_path: Path) -> None:
    sizes = ("dense", "--inputs", "60", "--outputs", "100")
    result = calls.call("estimate", *sizes, "--search", "--html", str(tmp_path / "page.html"))
    assert result.exit_code == 2 and "leave one of them out" in result.stderr and not [*tmp_path.iterdir()]
    assert calls.call("estimate", *sizes, "--html", "/proc/none/page.html").exit_code == 4
    assert calls.call("estimate", *sizes, "--html", str(tmp_path / "page.txt")).exit_code == 2


@pytest.mark.slow
def test_the_page_of_eses_layer_is_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    path = tmp_path / "page.html"
    sizes = ("lstm", "--inputs", "153", "--units", "1024", "--projection", "512", "--peepholes", "--pes", "64")
    assert calls.call("estimate", *sizes, "--html", str(path)).exit_code == 0
    assert path.stat().st_size < 2 * MIB
