# SPDX-License-Identifier: Apache-2.0
"""What `train`, `compress` and `data` print: shares in percent, counts and no lists; --json keeps exact values."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ese_host.bundle import USED, MatrixLoad, ProvenanceRecord
from ese_models.cli.shared import answer, lines_of, summary_of


def record() -> ProvenanceRecord:
    """The record of a compressed network of two kernels, of which one needs padding."""
    loads = {
        "lstm/kernel": MatrixLoad(entries_per_pe=[96] * 8, further={"padding": 0}),
        "dense/kernel": MatrixLoad(entries_per_pe=[3, 5], further={"padding": 2}),
    }
    return ProvenanceRecord(
        task="vowels",
        remark="",
        accuracy={"dense": {"train": 1.0, "test": 0.9837837837837838}},
        figures={"dense": {"accuracy": 0.9837837837837838, "error of phones": 0.25}},
        density={"lstm/kernel": 0.25, "dense/kernel": 0.1},
        masks={name: {USED: load} for name, load in loads.items()},
        seconds={"train": 3.3, "compress": 11.25},
    )


def test_a_summary_is_read_by_people(capsys: pytest.CaptureFixture[str]) -> None:
    summary = summary_of([Path("a.keras"), Path("a.testset.npz")], record())
    answer(False, summary)
    assert capsys.readouterr().out.splitlines() == [
        "files: a.keras, a.testset.npz",
        "task: vowels",
        "accuracy, dense: train 100.00%, test 98.38%",
        "error of phones, dense: 0.25",
        "weights kept, lstm/kernel: 768 of 3,072 (25.0%)",
        "weights kept, dense/kernel: 6 of 60 (10.0%)",
        "entries per PE, lstm/kernel: 96 in each of 8",
        "entries per PE, dense/kernel: 3 to 5, mean 4.0, over 2",
        "seconds: train 3.3, compress 11.2",
    ]


def test_json_is_exact(capsys: pytest.CaptureFixture[str]) -> None:
    summary = summary_of([Path("a.keras")], record())
    answer(True, summary)
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert found["accuracy"]["dense"]["test"] == 0.9837837837837838
    assert found["kept_weights"] == {"lstm/kernel": [768, 3072], "dense/kernel": [6, 60]}
    assert found["entries_per_pe"]["dense/kernel"] == [3, 5]


def test_a_data_set_is_read_by_people() -> None:
    result = {"name": "Vowels", "remark": "", "classes": 9, "files": ["a.ts"], "train": [270, 29, 12], "test": [370, 1]}
    lines = ["name: Vowels", "classes: 9", "files: a.ts", "train: 270 x 29 x 12", "test: 370 x 1"]
    assert list(lines_of(result)) == lines
