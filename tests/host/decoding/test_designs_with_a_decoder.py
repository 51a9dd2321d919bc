# SPDX-License-Identifier: Apache-2.0
"""A design with a decoder: `run`, `check` and the report tell phone errors, and `decode` shows one utterance."""

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from calls import call
from small_design import OUTPUTS, small_network, write_manifest

from ese_host.bundle import manifest, testset
from ese_host.check import check, report
from ese_host.decoding import Decoder, collapsed, edit_distance, write
from ese_host.errors import FormatError
from ese_host.ir import golden
from ese_host.ir.program import Program

DECODER = Decoder(900, 2, 1, [0, -5, 9], [0, -100, 0], [-300] * 3, [[-(1 << 24), -800, -900]] * 3, {})


@pytest.fixture
def speech(folder: Path) -> Path:
    """The small design with a decoder, and random labels of the frames of its 40 samples."""
    write(folder / manifest.DECODER, DECODER)
    label(folder, np.random.default_rng(5).integers(-1, OUTPUTS, (40, 6)))
    return folder


def label(folder: Path, labels: Any) -> None:
    """Add labels of frames to the test set of a design."""
    with np.load(folder / manifest.TESTSET) as file:
        arrays = {**file, "frame_labels": labels}
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    (folder / manifest.TESTSET).write_bytes(buffer.getvalue())
    write_manifest(folder)


def expected(folder: Path) -> dict[str, list[int]]:
    """Errors of each utterance, computed from the golden model; and its numbers of phones."""
    tests = testset.read(folder / manifest.TESTSET, Program.of(small_network()))
    result = golden.run(small_network(), next(iter(tests.inputs.values())).codes)
    outputs = np.ldexp(result.outputs.astype(float), -result.frac)
    paths = DECODER.decode(outputs, np.full(40, 6))
    counts: dict[str, list[int]] = {"viterbi": [], "greedy": [], "phones": []}
    labels = tests.outputs[0].frame_labels
    assert labels is not None
    for row in range(40):
        known = [step for step in range(1, 6) if labels[row, step] >= 0]
        true = collapsed(labels[row, known])
        counts["phones"].append(len(true))
        counts["viterbi"].append(edit_distance(true, collapsed(paths[row, known])))
        counts["greedy"].append(edit_distance(true, collapsed(outputs[row, known].argmax(axis=1))))
    return counts


def test_check_and_run_tell_phone_errors(speech: Path, tmp_path: Path) -> None:
    counts = expected(speech)
    found = check(speech, driver="adapter")["phones"]
    assert (found["utterances"], found["phones"]) == (40, sum(counts["phones"]))
    for way in ("viterbi", "greedy"):
        rate = sum(counts[way]) / sum(counts["phones"])
        rest = sum((e - rate * p) ** 2 for e, p in zip(counts[way], counts["phones"], strict=True))
        error = (rest * 40 / 39) ** 0.5 / sum(counts["phones"])
        assert found[way] == {"errors": sum(counts[way]), "rate": rate, "standard_error": pytest.approx(error)}
    assert sum(counts["viterbi"]) != sum(counts["greedy"])
    assert json.loads(call("run", str(speech), "--json").stdout)["phones"] == found
    sentence = (
        f"phone error rate: {100 * found['viterbi']['rate']:.2f}% by Viterbi ({sum(counts['viterbi'])} of "
        f"{sum(counts['phones'])} phones in 40 utterances), {100 * found['greedy']['rate']:.2f}% greedily"
    )
    assert call("run", str(speech)).stdout.splitlines()[-1] == sentence
    assert sentence in call("check", str(speech), "--report", str(tmp_path)).stdout
    page = (tmp_path / report.HTML_NAME).read_text()
    assert "<h2>Phone errors</h2>" in page and '<a href="#phones">section</a>' in page


def test_without_labels_or_decoder_nothing_is_told(speech: Path) -> None:
    label(speech, np.full((40, 6), -1))
    assert "phones" not in check(speech, driver="adapter")
    assert "phone error rate" not in call("run", str(speech)).stdout
    (speech / manifest.DECODER).unlink()
    write_manifest(speech)
    assert "phones" not in check(speech, driver="adapter")
    done = call("decode", str(speech))
    assert done.exit_code == 2 and "has no decoder.json; `ese4ml train` and `compress` fit one" in done.stderr


def test_decode_shows_an_utterance(speech: Path, tmp_path: Path) -> None:
    out, counts = tmp_path / "shown", expected(speech)
    done = call("decode", str(speech), "--utterance", "7", "--out", str(out), "--json")
    assert done.exit_code == 0, done.stderr
    found = json.loads(done.stdout)
    assert found == json.loads((out / "utterance-7.json").read_text())
    assert (found["utterance"], found["frames"]) == (7, 5) and list(found["phones"]) == ["labels", "viterbi", "greedy"]
    assert all(item["end"] - item["begin"] >= 2 for item in found["phones"]["viterbi"])
    assert {way: sum(kinds.values()) for way, kinds in found["errors"].items()} == {
        way: counts[way][7] for way in ("viterbi", "greedy")
    }
    text = call("decode", str(speech), "--utterance", "7", "--out", str(out), "-q").stdout
    assert text == (out / "utterance-7.txt").read_text()
    assert text.startswith(
        f"utterance 7: 5 frames, {counts['phones'][7]} phones\n\nviterbi: errors {counts['viterbi'][7]}, "
    )
    picture = ElementTree.parse(out / "utterance-7.svg").getroot()  # noqa: S314 - our own
    assert len([item for item in picture.iter() if item.get("class") in ("same", "other", "labels")]) == sum(
        len(lane) for lane in found["phones"].values()
    )
    done = call("decode", str(speech), "--utterance", "40", "--out", str(out))
    assert done.exit_code == 2 and "utterance is 40; the test set has 40, counted from 0" in done.stderr


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (
            np.zeros((40, 5), np.int64),
            r"frame_labels are int64 \(40, 5\); expected integers \(40, T\) with T at least 6",
        ),
        (np.zeros((40, 6)), r"frame_labels are float64 \(40, 6\); expected integers"),
        (np.full((40, 6), 3), r"frame_labels span 3\.\.3; -1\.\.2 are allowed"),
        (np.full((40, 6), -2), r"frame_labels span -2\.\.-2; -1\.\.2 are allowed"),
    ],
)
def test_labels_that_do_not_fit_are_refused(folder: Path, labels: Any, message: str) -> None:
    label(folder, labels)
    with pytest.raises(FormatError, match=message):
        testset.read(folder / manifest.TESTSET, Program.of(small_network()))


def test_a_decoder_of_other_phones_is_refused(speech: Path) -> None:
    write(speech / manifest.DECODER, replace(DECODER, prior=[0], start=[0], stay=[0], change=[[0]]))
    write_manifest(speech)
    with pytest.raises(
        FormatError, match=r"^decoder\.json is for sequences of 1 phones; output 'output' is a sequence"
    ):
        check(speech, driver="adapter")
    (speech / manifest.DECODER).write_text("{}")
    done = call("run", str(speech))
    assert done.exit_code == 2 and "decoder.json: SHA-256 is " in done.stderr
