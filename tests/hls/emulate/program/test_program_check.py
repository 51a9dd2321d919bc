# SPDX-License-Identifier: Apache-2.0
"""`check` and `run` on programs: the values that are compared and counted, and the report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from ese_host.bundle import manifest, testset
from ese_host.bundle.folder import Folder
from ese_host.bundle.golden_file import load
from ese_host.check import report
from ese_host.check.checker import check
from ese_host.cli.main import main
from ese_host.device.emulated.faults import Faults, PacketFault
from ese_host.device.platform import choose_platform
from ese_host.errors import FormatError, MismatchError
from ese_host.files.words import Words
from ese_host.ir.program import run
from ese_host.runtime.accelerator import Accelerator
from ese_host.runtime.runner import run_program
from support.program_folder import SAMPLES, program_folder
from support.programs import two_inputs


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return program_folder(tmp_path_factory.mktemp("program") / "two-inputs", two_inputs(np.random.default_rng(25)))


def test_every_chain_is_compared_alone_and_end_to_end(folder: Path, tmp_path: Path) -> None:
    done: list[int] = []
    found = check(folder, driver="adapter", progress=lambda count, _: done.append(count))
    assert json.loads(json.dumps(found)) == found
    assert found["bit_exact"] and found["sequences"] == sum(done) == SAMPLES
    program = load(folder / manifest.GOLDEN)
    tests = testset.read(folder / manifest.TESTSET, program)
    made = run(program, *tests.part(0, SAMPLES))
    assert set(made.classes()) == {0, 1}
    fed = sum(value.codes.size for value in made.fed.values())
    leaving = made.output().codes.size + made.output("states").codes.size
    # compared: outputs and exact, stored, cell of recurrent; outputs, exact, stored of hidden; outputs, exact of last
    steps = int(made.fed["recurrent"].steps.sum())
    own = 4 * 5 * steps + SAMPLES * (4 + 4 + 4) + SAMPLES * 2
    once = fed + leaving + own
    assert found["values_compared"] == once + (once - 3 * 5 * steps - SAMPLES * (4 + 4) - SAMPLES)
    assert found["accuracy"]["engine"] == 1 - 1 / SAMPLES and found["agreement_with_keras"] == 1.0
    rows = found["chains"]
    assert [row["chain"] for row in rows] == ["recurrent", "hidden", "last"]
    assert [row["steps"] for row in rows] == [steps, SAMPLES, SAMPLES]
    assert sum(row["cycles"] for row in rows) == pytest.approx(found["cycles_per_step"] * found["steps"])
    assert {row["matrix"].split(": ")[0] for row in found["entries_per_pe"]["matrices"]} == {
        "recurrent",
        "hidden",
        "last",
    }
    with Accelerator(folder, driver="adapter") as engine:
        assert sum(found["cycles_by_cause"].values()) == run_program(engine, *tests.part(0, 1)).cycles
    sizes = [(folder / manifest.image_name(number)).stat().st_size for number in range(3)]
    assert sum(found["bytes_by_cause"].values()) == sum(sizes)
    page = report.write(found, tmp_path)[1].read_text()
    assert "<h2>Chains</h2>" in page and "image loads" in page


def test_one_wrong_bit_is_found_in_its_chain_and_behind_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(words: Words) -> Words:
        words[0] ^= 4
        return words

    def faulty(*args: Any, **options: Any) -> Any:
        packets = [None, None, None, PacketFault(computed=wrong)]
        return choose_platform(*args, **{**options, "faults": Faults(packets=packets)})

    monkeypatch.setattr("ese_host.runtime.accelerator.choose_platform", faulty)
    found = check(folder, driver="adapter", trace=False)
    assert not found["bit_exact"] and found["mismatches"] >= 2
    assert found["first_mismatch"].startswith("chain hidden: outputs: sequence 0, step 0, item 0: engine ")


def test_the_command_line_runs_programs(folder: Path, tmp_path: Path) -> None:
    program = load(folder / manifest.GOLDEN)
    made = run(program, *testset.read(folder / manifest.TESTSET, program).part(0, SAMPLES))
    found = CliRunner().invoke(main, ["run", str(folder), "--driver", "adapter", "--json"])
    assert found.exit_code == 0 and json.loads(found.stdout)["classes"] == made.classes().tolist()
    found = CliRunner().invoke(main, ["check", str(folder), "--driver", "adapter", "--report", str(tmp_path)])
    assert found.exit_code == 0, found.output
    assert "chain recurrent: " in found.stdout and "host, measured: engine " in found.stdout
    found = CliRunner().invoke(main, ["info", str(folder)])
    ids = [f"{number:#010x}" for number in Folder.open(folder).manifest.image_ids]
    assert len(ids) == 3 and f"images {', '.join(ids)}" in found.stdout


def test_images_that_are_not_the_programs_are_refused(folder: Path) -> None:
    sound = json.loads((folder / manifest.NAME).read_text())
    first, second = sound["further_images"]
    files = sound["files"] | {
        "image-1.bin": sound["files"]["image-2.bin"],
        "image-2.bin": sound["files"]["image-1.bin"],
    }
    swapped = {"further_images": [second, first], "files": files}
    contents = [(folder / name).read_bytes() for name in ("image-1.bin", "image-2.bin")]
    cases = [
        ({"further_images": [first]}, "golden.npz: has 3 chains; the manifest names 2 images: build the folder again"),
        ({"further_images": [second, first]}, "image-1.bin: image id is 0x"),
        (swapped, "image-1.bin: inputs: 4; golden.npz has 14: emit both from one model"),
    ]
    try:
        for change, message in cases:
            if change is swapped:
                (folder / "image-1.bin").write_bytes(contents[1])
                (folder / "image-2.bin").write_bytes(contents[0])
            (folder / manifest.NAME).write_text(json.dumps(sound | change))
            with pytest.raises(MismatchError, match=message):
                check(folder, driver="adapter")
    finally:
        (folder / "image-1.bin").write_bytes(contents[0])
        (folder / "image-2.bin").write_bytes(contents[1])
        (folder / manifest.NAME).write_text(json.dumps(sound, indent=2, sort_keys=True) + "\n")


X, V = np.zeros((2, 3, 3)), np.zeros((2, 3))


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"inputs": X}, r"has no array 'inputs_0'; found \['inputs'\]"),
        ({"inputs_0": X}, r"has no array 'inputs_1'; found \['inputs_0'\]"),
        (
            {"inputs_0": X, "inputs_1": X},
            r"input 'v': samples have 3 to 3 steps; 1 are expected",
        ),
        ({"inputs_0": X, "inputs_1": V[:, :2]}, r"inputs_1 are float64 \(2, 2\); expected numbers \(N, 3\)"),
        ({"inputs_0": X, "inputs_1": V[:1]}, r"inputs have {'x': 2, 'v': 1} samples; all must have the same number"),
        ({"inputs_0": X, "inputs_1": V, "steps_0": [1, 4]}, r"steps span 1\.\.4; 1\.\.3 are allowed"),
        ({"inputs_0": X, "inputs_1": V, "keras_predictions": V}, r"keras_predictions are \(2, 3\); expected \(2, 1\)"),
    ],
)
def test_wrong_test_sets_of_programs_are_refused(tmp_path: Path, arrays: dict[str, Any], message: str) -> None:
    np.savez(tmp_path / "testset.npz", **arrays)
    with pytest.raises(FormatError, match=message):
        testset.read(tmp_path / "testset.npz", two_inputs(np.random.default_rng(25)))


def test_test_sets_of_real_numbers(tmp_path: Path) -> None:
    np.savez(tmp_path / "t.npz", inputs_0=X + 0.5, inputs_1=V - 1, steps=[2, 3], keras_predictions=V[:, :1])
    found = testset.read(tmp_path / "t.npz", two_inputs(np.random.default_rng(25)))
    assert found.inputs["x"].codes[1, 2].tolist() == [1 << 13] * 3 and found.steps.tolist() == [2, 3]
    assert found.inputs["v"].codes.tolist() == [[[-8] * 3]] * 2
    predictions = found.outputs[0].predictions
    assert predictions is not None and predictions.shape == (2, 1, 1)
    assert found.outputs[1].predictions is None
