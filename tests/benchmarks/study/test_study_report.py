# SPDX-License-Identifier: Apache-2.0
"""Grid, costs and page of the study, on results that are made up here."""

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from benchmarks.study import costs
from benchmarks.study.cell import StudyCell, with_trunks
from benchmarks.study.cli import study
from benchmarks.study.costs import StageTime
from benchmarks.study.grid import SIZES, questions
from benchmarks.study.metrics import Estimate, judged
from benchmarks.study.store import Store
from benchmarks.study.verdicts import ANSWERS
from ese_host.errors import FormatError, MissingError, UnsupportedError

DENSE = StudyCell("digits", "dense", 3)
SECOND = StudyCell("digits", "dense", 3, seed=1)


def all_cells(grid: str = "full") -> list[StudyCell]:
    return with_trunks(cell for question in questions(grid) for cell in question.cells)


def record(cell: StudyCell, error: float = 20.0, imbalance: float = 1.0) -> dict[str, Any]:
    """A result: phone error rate of `error`, accuracies that go with it."""
    return {
        "metrics": {
            "phone_error_rate": error / 100,
            "accuracy": 1 - error / 100,
            "non_pause_accuracy": 0.8 - error / 100,
        },
        "samples": {"errors": [10 * error] * 50, "phones": [1000] * 50} if cell.task == "festvox-ru" else {},
        "metric": "phone_error_rate" if cell.task == "festvox-ru" else "accuracy",
        "lower": cell.task == "festvox-ru",
        "remark": "one speaker" if cell.task == "festvox-ru" else "",
        "load": {}
        if cell.family == "none" or cell.stage == "dsd"
        else {
            "density": cell.density,
            "imbalance": imbalance,
            "padding": 0.03,
            "kernels": {"lstm/kernel": {"size": 3_248_128}, "dense/kernel": {"size": 9}},
        },
        "storage": {"rate_quantized": 33.0, "rate_huffman": 41.0} if cell.weights == "codebook4" else {},
        "seconds": {"epoch": 2.5, "processor": 60.0},
        "versions": {"numpy": "1.26.4"},
    }


@pytest.mark.parametrize("grid", SIZES)
def test_the_grid_is_thin_and_shares_trunks(grid: str) -> None:
    cells = all_cells(grid)
    assert len({cell.key for cell in cells}) == len(cells)
    assert len([cell for cell in cells if cell.stage == "quantized" and cell.weights == "int4"]) < 12
    # everything of question 3 but ternary and twn is trained for question 2 already
    second, third = (set(question.cells) for question in questions(grid)[1:3])
    assert {cell.weights for cell in third - second} == {"ternary", "twn"}
    for cell in cells:
        assert cell.trunk is None or cell.trunk in cells
    with pytest.raises(UnsupportedError, match=r"^grid is 'huge'; allowed: full, tiny$"):
        questions("huge")


def page(tmp_path: Path, make: Callable[[StudyCell], dict[str, Any] | None], arguments: Sequence[object] = ()) -> str:
    store = Store(tmp_path / "results")
    for cell in all_cells():
        values = make(cell)
        if values is not None:
            store.write(cell, values)
    words = ["report", "--results", store.folder, "--page", tmp_path / "docs" / "results" / "study.md"]
    words += ["--figures", tmp_path / "docs" / "figures", "--notes", tmp_path / "notes.md", *arguments]
    result = CliRunner().invoke(study, [str(word) for word in words])
    if result.exception is not None:
        raise result.exception
    return (tmp_path / "docs" / "results" / "study.md").read_text()


def verdicts(text: str) -> dict[str, tuple[str, str]]:
    rows = re.findall(r"^\| (.*) \| (.*) \| (yes|no|undecided|not run) \|$", text, re.MULTILINE)
    return {goal: (found, holds) for goal, found, holds in rows}


def worse(cell: StudyCell) -> dict[str, Any]:
    """int4 costs 0.2, codebook4 0.4, ttq 1.5; DSD gains 0.5; balanced masks are 0.1 better than unbalanced."""
    error = 20.0 + {"int4": 0.2, "codebook4": 0.4, "ttq": 1.5}.get(cell.weights, 0.0)
    error += 0.1 * (cell.family == "magnitude" and cell.stage == "quantized" and cell.weights == "int4")
    return record(cell, error - 0.5 * (cell.stage == "dsd") + cell.seed)


def test_goals_are_judged_by_the_results(tmp_path: Path) -> None:
    (tmp_path / "notes.md").write_text("Longer training was tried.\n")
    text = page(tmp_path, worse)
    found = verdicts(text)
    assert found["at least 40x smaller"] == ("41.00 (41.00 to 41.00)x", "yes")
    assert found["error no worse than dense, on the mean"] == ("0.40 (0.40 to 0.40) points", "no")
    assert found["dense phone error rate, greedily, at most 26.5%"] == ("20.00 (20.00 to 20.00)%", "yes")
    assert found["90% balanced + int4: loss at most 0.3 points"] == ("0.20 (0.20 to 0.20) points", "yes")
    assert found["90% balanced + codebook4: loss at most 0.3 points"] == ("0.40 (0.40 to 0.40) points", "no")
    assert found["90% balanced + ternary (TTQ): loss at most 1.0 points"] == ("1.50 (1.50 to 1.50) points", "no")
    for family in ("pe-balanced", "column-balanced", "gap-aware"):
        assert found[f"90% int4, {family} no worse than unbalanced"] == ("-0.10 (-0.10 to -0.10) points", "yes")
    for task in ("fashion-mnist", "festvox-ru"):
        assert found[f"{task}: DSD better than as many epochs of dense training"][1] == "yes"
    assert found["the chain at ESE's size: 3,248,128 LSTM weights, pruned, quantized"][1] == "yes"
    ours = "phone error rate at most"
    assert found[f"90% balanced + 4-bit codes: {ours} 0.3 points worse"] == ("0.20 (0.20 to 0.20) points", "yes")
    assert found[f"90% balanced + ternary codes (TTQ): {ours} 1.0 points worse"] == ("1.50 (1.50 to 1.50) points", "no")
    assert len(found) == 14
    assert "| pe-balanced | 90 | ttq | 21.50 | 1.50 ± 0.00 | 58.50 | 1.000 | 3.00 |" in text
    assert "| dense, 6 epochs more |  | float | 20.00 | 0.00 ± 0.00 | 60.00 |  |  |" in text
    written = json.loads((tmp_path / "docs" / "results" / "study.json").read_text())
    assert [entry["key"] for entry in written] == [cell.key for cell in all_cells()]
    assert all(entry["cell"]["trunk"] in {None, *(e["key"] for e in written)} for entry in written)
    assert not any("kernels" in entry["load"] for entry in written)
    again, listed = tmp_path / "again" / "docs", tmp_path / "docs" / "results" / "study.json"
    words = ["--results", listed, "--page", again / "results" / "study.md", "--figures", again / "figures"]
    result = CliRunner().invoke(study, ["report", *map(str, words), "--notes", str(tmp_path / "notes.md")])
    assert result.exit_code == 0 and (again / "results" / "study.md").read_text() == text
    assert (again / "results" / "study.json").read_text() == listed.read_text()
    listed.write_text("[1]")
    result = CliRunner().invoke(study, ["report", *map(str, words)])
    assert isinstance(result.exception, FormatError) and "study.json is no list of the study's" in str(result.exception)
    assert "festvox-ru: one speaker." in text and "Longer training was tried." in text and "Seeds: 0, 1, 2." in text
    assert "![PE-balanced masks: where each weight code breaks](../figures/study-density.svg)" in text
    assert "ttq" in (tmp_path / "docs" / "figures" / "study-density.svg").read_text()


def test_what_has_no_result_is_not_run_rather_than_judged(tmp_path: Path) -> None:
    text = page(tmp_path, lambda cell: worse(cell) if cell.stage == "dense" else None)
    found = verdicts(text)
    assert found.pop("dense phone error rate, greedily, at most 26.5%") == ("20.00 (20.00 to 20.00)%", "yes")
    assert set(found.values()) == {("", "not run")} and len(found) == 13
    missing = len([cell for cell in all_cells() if cell.stage != "dense"])
    assert f"{missing} cells have none yet" in text


def test_seeds_are_compared_with_themselves(tmp_path: Path) -> None:
    cells = [cell for cell in questions()[0].cells if (cell.stage, cell.seed) != ("dense", 2)]
    found = {cell: record(cell, 10 + cell.seed + (cell.weights == "codebook4")) for cell in cells}
    loss = ANSWERS[1](cells, found).goals[1]
    assert (loss.found, loss.verdict) == ("1.00 (1.00 to 1.00) points", "no")


def test_one_question_alone_and_none_at_all(tmp_path: Path) -> None:
    text = page(tmp_path, worse, arguments=["--question", 4])
    assert re.findall(r"^## (\d)", text, re.MULTILINE) == ["4"]
    with pytest.raises(
        MissingError, match=r"has no result of grid 'tiny'; make them with `ese4ml study run --grid tiny`$"
    ):
        page(tmp_path, lambda _: None, arguments=["--grid", "tiny"])


def test_a_goal_without_values_is_open() -> None:
    assert judged("x", None, 1.0).verdict == "not run" and judged("x", Estimate(0.5), 1.0).verdict == "undecided"
    figure = Estimate(1.0, 0.5, 1e9)  # 0.02 to 1.98
    assert [judged("x", figure, limit).verdict for limit in (0.0, 0.5, 2.0)] == ["no", "undecided", "yes"]
    assert [judged("x", figure, limit, most=False).verdict for limit in (0.0, 0.5, 2.0)] == ["yes", "undecided", "no"]


def test_costs_are_measured_once_a_kind_and_listed(tmp_path: Path) -> None:
    store, seen = Store(tmp_path), []

    def trial(cell: StudyCell) -> StageTime:
        seen.append(costs.kind(cell))
        return StageTime(10.0, 2.0)

    cells = all_cells("tiny")
    table = costs.measure(cells, store, trial)
    assert len(seen) == len(set(seen)) == len(table) and costs.measure(cells, store, trial) == table == costs.read(
        store
    )
    assert len(seen) == len(table)
    prices = costs.estimates(cells, table)
    assert prices == {cell: 10.0 + 2.0 * cell.epochs for cell in cells}
    work = sum(prices.values())
    chain = max(sum(prices[part] for part in with_trunks([cell])) for cell in cells)
    assert costs.hours(cells, prices, 1) == pytest.approx(work / 3600)
    assert costs.hours(cells, prices, 1000) == pytest.approx(chain / 3600)

    result = CliRunner().invoke(study, ["list", "--results", str(tmp_path), "--grid", "tiny", "--json"])
    listed = json.loads(result.stdout)
    assert listed["unmeasured"] == 0 and listed["hours"] == pytest.approx(costs.hours(cells, prices, 2))
    assert [row["key"] for row in listed["cells"]] == [cell.key for cell in cells]
    plain = CliRunner().invoke(study, ["list", "--results", str(tmp_path / "none")]).stdout.splitlines()
    assert plain[0].split()[:2] == ["?", "s"] and plain[-1].endswith("of unknown cost: run `ese4ml study measure`")
    costs.path(store).write_text("[]")
    with pytest.raises(
        FormatError, match=r"epochs\.json is not a table of costs \(.*\); remove it and run `ese4ml study measure`$"
    ):
        costs.read(store)
