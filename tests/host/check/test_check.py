# SPDX-License-Identifier: Apache-2.0
"""`check` counts the values that it compares, finds those that differ, and writes a report that needs no other file."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from small_design import INPUTS, OUTPUTS, small_design, small_network, write_manifest

from ese_host.boards import load_board
from ese_host.bundle import manifest, testset
from ese_host.check import checker as check_module
from ese_host.check import report
from ese_host.check.checker import check
from ese_host.check.compare import Comparison, compare
from ese_host.device import platform
from ese_host.device.emulated.faults import Faults, PacketFault
from ese_host.errors import FormatError, MismatchError
from ese_host.estimate import percentages, use
from ese_host.estimate.cycles import CAUSES
from ese_host.files.words import Words
from ese_host.ir.program import Program
from ese_host.protocol.answer_shape import AnswerShape, Trace
from ese_host.protocol.results import RunResult

REQUIRED = {
    "bit_exact", "values_compared", "mismatches", "agreement_with_keras", "accuracy", "density", "entries_per_pe",
    "cycles_per_step", "frames_per_s", "seeds", "versions", "latency_ms", "cycles_by_cause", "bytes_by_cause",
    "energy_by_cause", "boards",
}  # fmt: skip


def test_a_sound_design_is_bit_exact(folder: Path) -> None:
    done = []
    found = check(folder, driver="adapter", progress=lambda count, total: done.append((count, total)))
    assert set(found) >= REQUIRED
    assert found["timeout_s"] is None and check(folder, driver="adapter", timeout=7)["timeout_s"] == 7
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["bit_exact"] and found["mismatches"] == 0 and found["first_mismatch"] is None
    frames = 40 * 6
    assert found["values_compared"] == 3 * frames * OUTPUTS
    assert found["accuracy"] == {"dense": 0.97, "ternary": 0.95, "engine": 0.9}
    assert found["agreement_with_keras"] == 1.0
    assert found["seeds"] == {"train": 1}
    magnitude = {"entries": [4, 12], "iterations": 12, "worst_max_over_mean": 1.5}
    assert found["entries_per_pe"]["masks"] == {"magnitude": magnitude}
    assert datetime.fromisoformat(found["date"]).utcoffset() == timedelta(0)
    assert found["density"] == np.count_nonzero(small_network().layers[0].kernel.codes) / (INPUTS * OUTPUTS)
    assert found["cycles_per_step"] == INPUTS * OUTPUTS
    assert found["frames_per_s"] == pytest.approx(100e6 / 15)
    assert found["basis"]["frames_per_s"]["label"] == "modelled"
    assert all(set(item) == {"label", "text", "command"} for item in found["basis"].values())
    assert sum(count for count, _ in done) == 40 and {total for _, total in done} == {40}


def test_cycles_of_rtl_are_simulated(folder: Path) -> None:
    path = folder / manifest.NAME
    path.write_text(json.dumps({**json.loads(path.read_text()), "engine": "rtl"}))
    found = check(folder, driver="adapter")
    labels = {name: item["label"] for name, item in found["basis"].items()}
    assert {labels[name] for name in ("cycles_per_step", "frames_per_s")} == {"simulated"}
    assert labels["cycles_by_cause"] == "modelled"
    assert found["engine"] == "rtl" and list(found["cycles_by_cause"]) == list(CAUSES)
    page = report.html(found)
    assert "clocks of the RTL at 100 MHz" in page and "RTL simulated clock by clock" in page
    expected = percentages(use(small_design(), load_board("pynq-z2"), "rtl"))
    assert found["boards"]["pynq-z2"]["percent"] == expected
    assert expected != percentages(use(small_design(), load_board("pynq-z2"), "hls"))
    assert labels["step_timeline"] == "modelled" and found["step_timeline"][0]["cycles"] > 0


def test_without_trace_outputs_alone_are_compared(folder: Path) -> None:
    found = check(folder, driver="adapter", trace=False)
    assert found["bit_exact"] and found["values_compared"] == 40 * 6 * OUTPUTS


@pytest.mark.parametrize("accuracy", ["NaN", "Infinity", "1e999", '{"train": 1, "test": NaN}'])
def test_what_json_cannot_say_does_not_reach_the_report(folder: Path, accuracy: str) -> None:
    (folder / manifest.PROVENANCE).write_text(f'{{"accuracy": {{"dense": {accuracy}}}}}')
    write_manifest(folder)
    with pytest.raises(FormatError, match=r"an accuracy is (nan|inf); 0 to 1 are allowed"):
        check(folder, driver="adapter")


def test_a_report_that_is_no_json_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        report.write({"accuracy": {"dense": float("nan")}}, tmp_path / "report")
    assert not (tmp_path / "report").exists()


def wrong_once(words: Words) -> Words:
    words[4 * 6 * OUTPUTS * 3] ^= 2
    return words


def test_one_wrong_bit_is_found_and_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine computes one bit of one output of sequence 3 otherwise; the first packet is the image."""
    choose = platform.choose_platform

    def faulty(*args: Any, **options: Any) -> Any:
        return choose(*args, **{**options, "faults": Faults(packets=[None, PacketFault(computed=wrong_once)])})

    monkeypatch.setattr("ese_host.runtime.accelerator.choose_platform", faulty)
    found = check(folder, driver="adapter")
    assert not found["bit_exact"]
    assert found["mismatches"] == 2
    assert re.fullmatch(r"outputs: sequence 3, step 0, item 0: engine -?\d+, golden -?\d+", found["first_mismatch"])
    assert "Not bit-exact." in report.html(found)


def test_compare_counts_and_names_a_traced_value() -> None:
    network = small_network()
    shape = AnswerShape.of(network)
    inputs = np.ones((2, 3, INPUTS), dtype=np.int64)
    exact = np.broadcast_to((network.layers[0].kernel.codes.sum(axis=1)) << (36 - 5), (2, 3, OUTPUTS)).copy()
    trace = Trace(shape.stages[0], exact.copy(), exact, exact)
    trace.exact[1, 2, 0] += 1

    comparison = Comparison()
    found = RunResult(exact, 36, np.array([3, 3]), True, [trace], 0, 0.0)
    compare(comparison, network, inputs, found, shape, first=10)
    assert (comparison.values, comparison.mismatches) == (36, 1)
    assert comparison.first is not None
    assert comparison.first.startswith("logits rows exact: sequence 11, step 2, item 0: engine ")


def test_arrays_of_another_shape_are_refused() -> None:
    with pytest.raises(MismatchError, match=r"outputs: engine gives \(1, 1, 2\), golden \(1, 1, 3\)"):
        Comparison().add("outputs", np.zeros((1, 1, 2), np.int64), np.zeros((1, 1, 3), np.int64), np.zeros(1, np.int64))


def test_the_page_stands_alone(folder: Path, tmp_path: Path) -> None:
    paths = report.write(check(folder, driver="adapter"), tmp_path / "report")
    assert [path.name for path in paths] == ["report.json", "report.html"]
    page = paths[1].read_text(encoding="utf-8")
    assert "<script" not in page and "@import" not in page and "url(" not in page and "src=" not in page
    assert set(re.findall(r'https?://[^"\'\s<)]+', page)) <= {"http://www.w3.org/2000/svg"}
    drawings = re.findall(r"<svg.*?</svg>", page, flags=re.DOTALL)
    assert len(drawings) == 3  # entries with two families of masks, and the step
    for drawing in drawings:
        ElementTree.fromstring(drawing)  # noqa: S314 - our own
    titles = ("Accuracy", "One step", "Entries per PE", "Cycles by", "Bytes by", "Energy by", "Boards that")
    for text in ("Bit-exact.", *(f"<h2>{title}" for title in titles)):
        assert text in page


def test_texts_from_files_are_escaped(folder: Path) -> None:
    (folder / manifest.PROVENANCE).write_text(json.dumps({"accuracy": {"<script>x": 0.5}, "seeds": {"<b>": 1}}))
    write_manifest(folder)
    page = report.html(check(folder, driver="adapter"))
    assert "<script" not in page and "<b>&lt;" not in page and "&lt;b&gt;" in page


def test_a_design_without_provenance(folder: Path) -> None:
    (folder / manifest.PROVENANCE).unlink()
    write_manifest(folder)
    found = check(folder, driver="adapter")
    assert found["accuracy"] == {"engine": 0.9} and found["seeds"] == {}
    report.html(found)


@pytest.mark.parametrize(
    "text", ["[]", "{", "7", '{"seeds": []}', '{"accuracy": {"dense": "x"}}', '{"masks": {"a": {"b": {}}}}']
)
def test_a_provenance_that_is_none_is_refused(folder: Path, text: str) -> None:
    (folder / manifest.PROVENANCE).write_text(text)
    write_manifest(folder)
    with pytest.raises(FormatError, match=r"provenance.json: "):
        check_module.check(folder, driver="adapter")


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({}, "has no array 'inputs'"),
        ({"inputs": np.zeros((2, 3))}, r"inputs are float64 \(2, 3\); expected numbers \(N, T, 5\)"),
        ({"inputs": np.full((2, 3, 5), np.nan)}, "is NaN"),
        ({"inputs": np.full((2, 3, 5), -np.inf)}, "inputs hold infinity; only finite numbers are taken"),
        ({"inputs": np.zeros((2, 3, 5)), "labels": np.zeros(3, np.int64)}, r"labels are int64 \(3,\)"),
        ({"inputs": np.zeros((2, 3, 5)), "steps": np.array([4, 1])}, "steps span 1..4; 1..3 are allowed"),
        ({"inputs": np.zeros((2, 3, 5)), "keras_predictions": np.zeros((2, 2))}, r"keras_predictions are \(2, 2\)"),
        ({"inputs": np.array([[[object()]]])}, "cannot be read as .npz"),
    ],
)
def test_wrong_test_sets_are_refused(tmp_path: Path, arrays: dict[str, Any], message: str) -> None:
    path = tmp_path / "testset.npz"
    np.savez(path, **arrays)
    with pytest.raises(FormatError, match=message):
        testset.read(path, Program.of(small_network()))


def test_test_set_of_real_numbers(tmp_path: Path) -> None:
    path = tmp_path / "testset.npz"
    np.savez(path, inputs=np.full((2, 3, 5), 0.5), steps=[1, 3], keras_predictions=np.arange(18).reshape(2, 3, 3))
    found = testset.read(path, Program.of(small_network()))
    assert (
        (found.inputs["input"].codes[1] == 16).all()
        and found.steps.tolist() == [1, 3]
        and found.outputs[0].labels is None
    )
    assert found.outputs[0].predictions is not None
    assert found.outputs[0].predictions.tolist() == np.arange(18).reshape(2, 3, 3).tolist()
