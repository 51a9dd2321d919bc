# SPDX-License-Identifier: Apache-2.0
"""provenance.json: the bytes that every step writes, the fields that are carried over, and those that are checked."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ese_host.bundle import provenance
from ese_host.bundle.provenance import MaskWork, MatrixLoad, Provenance, ProvenanceRecord, TrainingData
from ese_host.errors import FormatError

DENSE = ProvenanceRecord(
    format=1,
    stage="dense",
    task="digits",
    remark="",
    commands=[["ese4ml", "train"]],
    seeds={"train": 0},
    versions={"python": "3.11.0"},
    recipes={"dense": {"epochs": 2, "rate": 0.005, "dropout": None}},
    epochs={"dense": 2},
    accuracy={"dense": {"train": 1.0, "test": 0.5}},
    figures={"dense": {"accuracy": 0.5}},
    density={"dense/kernel": 1.0},
    data=TrainingData("digits", {"train": 3, "test": 2}, {"x.ts": "00"}, None, None),
)
WRITTEN: dict[str, Any] = {
    "format": 1,
    "stage": "dense",
    "task": "digits",
    "remark": "",
    "commands": [["ese4ml", "train"]],
    "seeds": {"train": 0},
    "versions": {"python": "3.11.0"},
    "recipes": {"dense": {"epochs": 2, "rate": 0.005, "dropout": None}},
    "epochs": {"dense": 2},
    "accuracy": {"dense": {"train": 1.0, "test": 0.5}},
    "figures": {"dense": {"accuracy": 0.5}},
    "density": {"dense/kernel": 1.0},
    "data": {
        "name": "digits",
        "samples": {"train": 3, "test": 2},
        "sha256": {"x.ts": "00"},
        "mean": None,
        "deviation": None,
    },
}
"""The same record, as training has always written it."""
LOAD = MatrixLoad(entries_per_pe=[2, 2], further={"padding": 0}, order=("entries_per_pe", "padding"))
READ = ("stage", "commands", "seeds", "density", "seconds", "masks")


def text(value: dict[str, Any]) -> str:
    return json.dumps(value, indent=1) + "\n"


def test_every_step_adds_to_what_was_written_before(tmp_path: Path) -> None:
    path = tmp_path / "x.provenance.json"
    provenance.write(path, replace(DENSE, seconds={"train": 7.25}))
    expected = {**WRITTEN, "seconds": {"train": 7.25}}
    assert path.read_text() == text(expected)

    before = provenance.read_record(path, *READ)
    assert before.data is None and before.further["data"] == WRITTEN["data"]
    record = replace(before, stage="dsd", sparse_density={"dense/kernel": 0.5}, seconds={**before.seconds, "dsd": 1.0})
    provenance.write(path, record)
    expected = {**expected, "stage": "dsd", "sparse_density": {"dense/kernel": 0.5}}
    expected["seconds"] = {"train": 7.25, "dsd": 1.0}
    assert path.read_text() == text(expected)

    before = provenance.read_record(path, *READ)
    record = replace(before, pes=2, emphasis=(1.0, 4.0), masks={"dense/kernel": {"used": LOAD}})
    provenance.write(path, record)
    masks = {"dense/kernel": {"used": {"entries_per_pe": [2, 2], "padding": 0}}}
    expected = {**expected, "pes": 2, "emphasis": [1.0, 4.0], "masks": masks}
    assert path.read_text() == text(expected)
    assert provenance.read_record(path, *READ).masks == {"dense/kernel": {"used": LOAD}}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 63), (1 << 64) - 1) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(
    st.permutations([*WRITTEN, "unknown", "seconds", "masks"]).flatmap(
        lambda names: st.integers(0, 16).map(lambda count: names[:count])
    ),
    json_values,
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_record_is_written_as_it_was_read(tmp_path: Path, names: list[str], unknown: Any) -> None:
    valid = {**WRITTEN, "seconds": {}, "masks": {"a": {"used": {"padding": 1, "entries_per_pe": [1]}}}}
    value = {name: valid.get(name, unknown) for name in names}
    (tmp_path / "x.json").write_text(text(value))
    for asked in (READ, (), tuple(WRITTEN)):
        provenance.write(tmp_path / "y.json", provenance.read_record(tmp_path / "x.json", *asked))
        assert (tmp_path / "y.json").read_text() == text(value)


def test_a_figure_of_nothing_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    provenance.write(path, replace(DENSE, figures={"dense": {"non_pause_accuracy": math.nan}}))
    assert math.isnan(provenance.read_record(path, "figures").figures["dense"]["non_pause_accuracy"])


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([], r"x\.json: is a list; expected a JSON object: train or compress the model again$"),
        ({"seeds": []}, r"x\.json: seeds is \[\]; expected an object: train or compress"),
        ({"seeds": {"train": "7"}}, r"x\.json: seeds\.train is '7'; expected an integer: train or compress"),
        ({"versions": {"numpy": 2}}, r"x\.json: versions\.numpy is 2; expected text: train or compress"),
        (
            {"accuracy": {"dense": "x"}},
            r"x\.json: accuracy\.dense is 'x'; expected a number or an object: train or compress",
        ),
        (
            {"accuracy": {"dense": {"train": 1.0}}},
            r"x\.json: the field accuracy or masks is invalid \(KeyError\('test'\)\)",
        ),
        *(
            ({"accuracy": {"dense": value}}, rf"masks is invalid \(ValueError\('an accuracy is {value}; 0 to 1")
            for value in (math.nan, math.inf, -0.5, 97.0)
        ),
        ({"masks": {"a": {"b": {"entries_per_pe": [1] * 10**5}}}}, "entries_per_pe has 100000 items; at most 256 are"),
        ({"masks": {"a": {str(n): {"entries_per_pe": [1]} for n in range(65)}}}, "masks has 65 items; at most 64 are"),
        ({"accuracy": {str(n): 1 for n in range(65)}}, r"x\.json: accuracy has 65 items; at most 64 are allowed"),
        ({"versions": {str(n): "1" for n in range(257)}}, r"x\.json: versions has 257 items; at most 256 are allowed"),
        ({"accuracy": {"dense": 10**400}}, r"x\.json: not JSON \(the integer 10+ has more than 64 bits\)"),
        ({"seeds": {"train": math.inf}}, r"x\.json: seeds\.train is inf; expected an integer"),
        ({"masks": {"a": {"b": {}}}}, r"x\.json: the field accuracy or masks is invalid \(ValueError"),
        (
            {"masks": {"a": {"b": {"entries_per_pe": [1]}}, "c": {"b": {"entries_per_pe": [1, 2]}}}},
            r"x\.json: the field accuracy or masks is invalid \(ValueError",
        ),
        (
            {"masks": {"a": {"b": {"entries_per_pe": [1.5]}}}},
            r"x\.json: masks\.a\.b\.entries_per_pe\[0\] is 1\.5; expected an integer",
        ),
    ],
)
def test_invalid_fields_that_a_check_reports_are_refused(tmp_path: Path, value: Any, message: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(json.dumps(value))
    with pytest.raises(FormatError, match=message):
        provenance.read(path)


def test_a_check_reads_only_what_it_reports(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    masks = {"used": {}, "magnitude": {"entries_per_pe": [4, 12], "padding": "many"}}
    path.write_text(json.dumps({"pes": "eight", "data": 3, "accuracy": {"dense": 1}, "masks": {"a": masks}}))
    assert provenance.read(path) == Provenance({"dense": 1.0}, masks={"magnitude": MaskWork([4, 12], 12, 1.5)})
