# SPDX-License-Identifier: Apache-2.0
"""benchmarks/upstream/side_by_side.py: what its table says, and where it says that we lose."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks.upstream import side_by_side

THEIRS = {
    "commonest": 0.4,
    "agreement": 0.9,
    "error": 0.5,
    "compile_s": 8.0,
    "predict_ms": 0.5,
    "bytes": 1000,
    "multipliers": 50.0,
}
OURS = {**THEIRS, "agreement": 1.0, "error": 0.1, "latency_us": 3.25}
TITLE = side_by_side.CASES["one"].title


def results(ours: dict[str, Any], theirs: dict[str, Any]) -> dict[str, dict[str, dict[str, Any]]]:
    return {"one": {"ESE": ours, "Vitis": theirs}}


def test_equal_or_better_is_no_loss() -> None:
    assert side_by_side.losses(results(OURS, THEIRS)) == []
    assert side_by_side.losses(results(OURS, {"failed": "Exception: no"})) == []


@pytest.mark.parametrize(
    ("ours", "theirs", "said"),
    [
        ({**OURS, "agreement": 0.5}, THEIRS, "agreement with Keras, 50.0% beside 90.0%"),
        ({**OURS, "bytes": 1001}, THEIRS, "project bytes, 1,001 beside 1,000"),
        ({"failed": "x"}, THEIRS, "refused"),
        ({"failed": "x"}, {"failed": "y"}, "neither"),
    ],
)
def test_a_loss_is_said(ours: dict[str, Any], theirs: dict[str, Any], said: str) -> None:
    assert side_by_side.losses(results(ours, theirs)) == [f"{TITLE}: {said}"]


def test_cells() -> None:
    assert side_by_side.rows(results(OURS, THEIRS)) == [
        [TITLE, "ese4ml", "40%", "100.0%", "0.1", "8.0", "0.500", "1,000", "3.25", "50"],
        [TITLE, "hls4ml, Vitis", "40%", "90.0%", "0.5", "8.0", "0.500", "1,000", "needs Vitis HLS", "50"],
    ]
    failed = side_by_side.rows(results({"failed": "E: a | b"}, THEIRS))[0]
    assert failed == [TITLE, "ese4ml", "E: a \\| b", *[""] * 7]


def test_a_failure_is_its_first_line(tmp_path: Path) -> None:
    found = side_by_side.one("ESE", "demo", tmp_path / "none.keras")
    assert found["failed"].startswith("MissingError: ") and "none.keras is not there" in found["failed"]
