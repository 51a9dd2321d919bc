# SPDX-License-Identifier: Apache-2.0
"""The whole flow on the real recordings: train, compress, emit through hls4ml, compile, run through pynq, compare.

Training is short here (the study of docs/results/accuracy.md trains in full); what is compared is exact.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import ese4ml
from ese_hls.backend.emission import emit
from ese_hls.build.build import build_emulated
from ese_hls.emulate import gxx
from ese_hls.lower.options import ConversionOptions
from ese_host.bundle import FlowName
from ese_host.check.checker import check
from ese_host.cli.main import main
from ese_models.data import Dataset
from ese_models.data.japanese_vowels import load
from ese_models.records import provenance
from ese_models.training import compression, train
from ese_models.training.tasks import task_named
from ese_models.training.train import DENSE, shortened, train_dense
from support import compiling

SEPARATE = (3, 16)
"""PEs for which the int4 network is pruned under masks of its own."""
SHARED = 8
"""PEs of the masks of the network that one PE computes, too: one PE is always balanced."""
EPOCHS = 20
UTTERANCES, STEPS, UNITS, CLASSES = 370, 29, 64, 9


@pytest.fixture(scope="module", autouse=True)
def optimized() -> Iterator[None]:
    """Engines are compiled with the optimizations that they have for a user, which most tests do without."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gxx, "FLAGS", compiling.FLAGS)
        yield


@pytest.fixture(scope="module")
def data() -> Dataset:
    return load()


@pytest.fixture(scope="module")
def dense(data: Dataset) -> Any:
    return train_dense(data, seed=0, recipe=shortened(DENSE, EPOCHS))


def plan_for(weights: str, pes: int) -> compression.Plan:
    """A short retraining."""
    return compression.Plan(
        weights=weights,  # type: ignore[arg-type]
        pes=pes,
        # 22 cells a PE leave 40 of 128 positions of each column empty: too wide for a 5-bit gap
        gap_bits=6 if pes == 3 else 5,
        prune=shortened(compression.PRUNE, 10 if pes == SHARED else 3),
        tune=shortened(compression.TUNE, 4 if pes == SHARED else 1),
        updates=8 if pes == SHARED else 2,
    )


@pytest.fixture(scope="module")
def compressed(dense: Any, data: Dataset) -> Callable[[str, int], compression.Compressed]:
    """Networks by kind of weight and PEs. For most numbers of PEs, both kinds come from one pruned network.

    Only training for `SHARED` PEs is compiled by XLA, as for a user; otherwise it is too short for that.
    """

    @cache
    def result(weights: str, pes: int) -> compression.Compressed:
        plan = plan_for(weights, pes)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(train, "XLA", pes == SHARED)
            return trained(weights, pes, plan)

    def trained(weights: str, pes: int, plan: compression.Plan) -> compression.Compressed:
        if weights == "ternary" or pes in SEPARATE:
            return compression.compress(dense, data, plan)
        # masks without padding of ternary codes, whose gaps are the shorter ones, have none of int4 codes
        ternary = result("ternary", pes)
        model = compression.quantize(ternary.pruned, dense, ternary.masks, data, plan)
        return replace(ternary, quantized=model)

    return result


@pytest.fixture(scope="module")
def dense_record(dense: Any, data: Dataset) -> Any:
    """The provenance of the trained network, with its accuracies."""
    return provenance.dense_record(task_named("japanese-vowels"), dense, data, 0, {"epochs": EPOCHS}, ["test"])


@pytest.fixture(scope="module")
def saved(
    compressed: Callable[[str, int], compression.Compressed],
    dense: Any,
    dense_record: Any,
    data: Dataset,
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[str, int], Path]:
    """Saved networks by kind of weight and PEs of their masks."""

    @cache
    def path(weights: str, pes: int) -> Path:
        model, result = tmp_path_factory.mktemp("model") / f"{weights}.keras", compressed(weights, pes)
        record = provenance.compressed_record(dense_record, dense, result, data, plan_for(weights, pes), ["test"])
        provenance.save(result.model, model, record, data)
        return model

    return path


@pytest.fixture(scope="module")
def design(
    saved: Callable[[str, int], Path], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str, int, FlowName], Path]:
    """Finished bitstreams/<design>/ folders by weights, PEs and flow, each made once; nobody changes them."""

    @cache
    def made(weights: str, pes: int, flow: FlowName) -> Path:
        folder, model = tmp_path_factory.mktemp("design"), saved(weights, SHARED if pes == 1 else pes)
        options = ConversionOptions(pes=pes, gap_bits=plan_for(weights, pes).gap_bits, flow=flow)
        emit(model, folder / "project", options)
        build_emulated(folder / "project", folder / "design")
        return folder / "design"

    return made


@pytest.fixture
def folder(design: Callable[[str, int, FlowName], Path], tmp_path: Path) -> Path:
    """A copy of the ternary design with 8 PEs, to be damaged."""
    return shutil.copytree(design("ternary", 8, "hls"), tmp_path / "design")


DEFAULT = (("ternary", 8, "hls"), ("ternary", 8, "rtl"))
"""A design in HLS, and one in RTL, whose every clock is simulated."""
SLOW = [
    ("int4", 8, "hls"),
    ("ternary", 1, "hls"),
    ("int4", 16, "hls"),
    ("ternary", 3, "hls"),
    ("ternary", 16, "hls"),
    ("int4", 1, "hls"),
    ("int4", 3, "hls"),
    ("int4", 3, "rtl"),
]


@pytest.mark.parametrize(
    ("weights", "pes", "flow"), [*DEFAULT, *(pytest.param(*case, marks=pytest.mark.slow) for case in SLOW)]
)
def test_every_value_of_every_step_of_all_utterances(
    weights: str, pes: int, flow: FlowName, design: Callable[[str, int, FlowName], Path]
) -> None:
    """Golden model and compiled engine, through pynq; widths that do not divide evenly included."""
    report = check(design(weights, pes, flow), trace=True)
    assert report["driver"] == "pynq"
    assert report["bit_exact"] is True
    assert report["mismatches"] == 0
    cells = UTTERANCES * STEPS * UNITS
    assert report["values_compared"] >= 3 * cells + UTTERANCES * CLASSES
    assert report["agreement_with_keras"] >= 0.995
    for matrix in report["entries_per_pe"]["matrices"]:
        rows = CLASSES if matrix["matrix"].startswith("dense") else 4 * UNITS
        assert pes > rows or matrix["max_over_mean"] < 1.02
    assert report["density"] == pytest.approx(0.1, abs=0.01)


def test_a_design_knows_the_scaling_and_the_classes_of_its_training(
    design: Callable[[str, int, FlowName], Path], data: Dataset
) -> None:
    """They reach it by the provenance file beside the model, without a word of the user."""
    assert data.mean is not None and data.deviation is not None
    recorded = data.test.inputs * data.deviation + data.mean
    scaled = ((recorded - data.mean) / data.deviation).astype(np.float32)
    with ese4ml.open(design("ternary", 8, "hls")) as engine:
        assert engine.classes == data.classes
        values = engine.predict(scaled, scaled=True)
        np.testing.assert_array_equal(engine.predict(recorded), values)
        assert engine.classify(recorded) == [data.classes[number] for number in values.argmax(axis=1)]


def test_the_commands_agree_with_the_report(folder: Path, tmp_path: Path) -> None:
    """run and check on one folder; a damaged one is refused by name, with a non-zero exit code."""
    runner = CliRunner()
    ran = runner.invoke(main, ["run", str(folder), "--json"])
    assert ran.exit_code == 0, ran.output
    classes = json.loads(ran.stdout)["classes"]
    labels = np.load(folder / "testset.npz", allow_pickle=False)["labels"]
    checked = runner.invoke(main, ["check", str(folder), "--json", "--report", str(tmp_path / "report")])
    assert checked.exit_code == 0, checked.output
    report = json.loads((tmp_path / "report" / "report.json").read_text())
    assert report["accuracy"]["engine"] == pytest.approx(float((np.array(classes) == labels).mean()), abs=1e-12)
    for key in (
        "bit_exact",
        "values_compared",
        "mismatches",
        "agreement_with_keras",
        "accuracy",
        "density",
        "entries_per_pe",
        "cycles_per_step",
        "frames_per_s",
        "seeds",
        "versions",
    ):
        assert key in report
    assert "<svg" in (tmp_path / "report" / "report.html").read_text()
    damaged = bytearray((folder / "image.bin").read_bytes())
    damaged[100] ^= 1
    (folder / "image.bin").write_bytes(damaged)
    refused = runner.invoke(main, ["check", str(folder)])
    assert refused.exit_code == 2
    assert "image.bin" in refused.stderr


def test_a_mismatch_is_reported_and_exits_with_1(folder: Path, tmp_path: Path) -> None:
    """A golden model of other weights than the image's is refused; one that claims to be of this image is found out."""
    from ese_host.bundle import Folder, golden_file, manifest, model_digest
    from ese_host.bundle.image_file import read_image
    from ese_host.files.hashing import digests

    network = golden_file.load_network(folder / "golden.npz")
    lstm = network.layers[0]
    bias = lstm.bias.copy()
    bias[5] += 64
    other = replace(network, layers=(replace(lstm, bias=bias), *network.layers[1:]))
    (folder / "golden.npz").write_bytes(golden_file.dump(other))
    made = json.loads((folder / manifest.NAME).read_text())
    made["files"].update(digests(folder, ["golden.npz"]))
    (folder / manifest.NAME).write_text(json.dumps(made))
    arguments = ["check", str(folder), "--json", "--report", str(tmp_path / "report")]
    refused = CliRunner().invoke(main, arguments)
    assert refused.exit_code == 2 and "do not encode the same model" in refused.stderr
    image = read_image(folder / manifest.IMAGE, Folder.open(folder).manifest.design)
    made["model"] = model_digest((folder / "golden.npz").read_bytes(), [image.words])
    (folder / manifest.NAME).write_text(json.dumps(made))
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 1, result.output
    assert json.loads((tmp_path / "report" / "report.json").read_text())["mismatches"] > 0
