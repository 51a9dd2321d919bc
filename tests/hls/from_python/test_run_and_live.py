# SPDX-License-Identifier: Apache-2.0
"""`ese4ml run --input` and `ese4ml live`: floats from files and from standard input, lines and files out."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from click.testing import CliRunner
from keras import layers as kl

import ese4ml
from ese_host.bundle import TESTSET
from ese_host.cli.main import main
from support.keras_models.plugin_models import chain, classifier, dense, fill, lstm

pytestmark = pytest.mark.filterwarnings("ignore::ese_hls.warnings.ConversionWarning")
NAMES = ["a", "b, too", "c", "d", "e"]
X = np.random.default_rng(7).normal(size=(4, 6, 7)) * 2


def regression() -> Any:
    return fill(keras.Sequential([keras.Input((3,), name="v"), kl.Dense(1, name="size")]), density=1)


def two_outputs() -> Any:
    x = keras.Input((3,), name="v")
    outputs = [kl.Dense(2, name="kind")(x), kl.Dense(1, name="size")(x)]
    return fill(keras.Model(x, outputs), density=1)


MODELS: dict[str, Any] = {
    "classes": classifier,
    "frames": lambda: chain(lstm(return_sequences=True), dense(2), shape=(None, 7)),
    "regression": regression,
    "two": two_outputs,
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    out = tmp_path_factory.mktemp("designs")
    arguments: dict[str, Any] = {"classes": {"classes": NAMES, "scaling": (1, 2)}}
    return {name: ese4ml.build(model(), out / name, **arguments.get(name, {})).path for name, model in MODELS.items()}


def call(*arguments: Any, stdin: str | None = None, code: int = 0) -> Any:
    done = CliRunner().invoke(main, [str(item) for item in arguments], input=stdin)
    assert done.exit_code == code, done.output
    return done


def csv(array: Any, separator: str = ",") -> str:
    return "".join(separator.join(map(repr, row)) + "\n" for row in array.tolist())


def predicted(folder: Path, x: Any) -> Any:
    with ese4ml.open(folder) as engine:
        return engine.predict(x)


def test_files_of_every_kind_give_the_same_values(folders: dict[str, Path], tmp_path: Path) -> None:
    folder = folders["classes"]
    expected = predicted(folder, X)
    np.save(tmp_path / "x.npy", X)
    np.savez(tmp_path / "x.npz", x=X)
    names = ",".join("abcdefg") + "\n"
    (tmp_path / "x.csv").write_text(names + csv(X.reshape(-1, 7)))
    (tmp_path / "apart.csv").write_text("\n".join(csv(x, "; ") for x in X))
    for file in ("x.npy", "x.npz", "x.csv", "apart.csv"):
        shown = call("run", folder, "--input", tmp_path / file).stdout
        assert shown.splitlines() == [NAMES[number] for number in expected.argmax(axis=1)]
        done = call("run", folder, "--input", tmp_path / file, "--output", tmp_path / "y.npy")
        assert done.stdout == f"outputs of 4 samples: {tmp_path / 'y.npy'}\n"
        np.testing.assert_array_equal(np.load(tmp_path / "y.npy"), expected)
    call("run", folder, "--input", tmp_path / "x.npy", "--output", tmp_path / "y.npz")
    np.testing.assert_array_equal(np.load(tmp_path / "y.npz")["y"], expected)
    call("run", folder, "--input", tmp_path / "x.npy", "--output", tmp_path / "y.csv")
    rows = (tmp_path / "y.csv").read_text().splitlines()
    np.testing.assert_array_equal(np.array([row.split(",") for row in rows], np.float32), expected)
    found = json.loads(call("run", folder, "--input", tmp_path / "x.csv", "--json").stdout)
    assert found == {"classes": [NAMES[number] for number in expected.argmax(axis=1)]}
    np.save(tmp_path / "scaled.npy", (X - 1) / 2)
    call("run", folder, "--input", tmp_path / "scaled.npy", "--scaled", "--output", tmp_path / "y.npy")
    np.testing.assert_array_equal(np.load(tmp_path / "y.npy"), expected)


def test_sequences_of_several_lengths(folders: dict[str, Path], tmp_path: Path) -> None:
    folder = folders["frames"]
    (tmp_path / "x.csv").write_text(csv(X[0]) + "\n\n" + csv(X[1][:2]))
    call("run", folder, "--input", tmp_path / "x.csv", "--output", tmp_path / "y.csv")
    blocks = (tmp_path / "y.csv").read_text().split("\n\n")
    for block, x in zip(blocks, (X[0], X[1][:2]), strict=True):
        rows = np.array([row.split(",") for row in block.split()], np.float32)
        np.testing.assert_array_equal(rows, predicted(folder, x[None])[0])
    refused = call("run", folder, "--input", tmp_path / "x.csv", "--output", tmp_path / "y.npy", code=2)
    assert "y.npy: the sequences have different lengths; write a .csv file" in refused.stderr


def test_values_and_several_outputs(folders: dict[str, Path], tmp_path: Path) -> None:
    v = X[0, :, :3]
    np.save(tmp_path / "v.npy", v)
    (tmp_path / "v.csv").write_text(csv(v))
    expected = predicted(folders["regression"], v)
    for file in ("v.npy", "v.csv"):
        shown = call("run", folders["regression"], "--input", tmp_path / file).stdout.split()
        np.testing.assert_array_equal(np.array(shown, np.float32), expected[:, 0])
    found = json.loads(call("run", folders["regression"], "--input", tmp_path / "v.csv", "--json").stdout)
    np.testing.assert_array_equal(np.array(found["values"], np.float32), expected)
    kind, size = predicted(folders["two"], v)
    call("run", folders["two"], "--input", tmp_path / "v.csv", "--output", tmp_path / "y.npz")
    np.testing.assert_array_equal(np.load(tmp_path / "y.npz")["y_0"], kind)
    np.testing.assert_array_equal(np.load(tmp_path / "y.npz")["y_1"], size)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("x.csv", "1,2,3\n", "line 1: '1,2,3' is no frame of 7 finite numbers, separated by commas or blanks"),
        ("x.csv", csv(X[0][:5]), "has a sequence of 5 rows; the model takes 6 steps: give whole sequences"),
        ("x.csv", "1,2,3,4,5,6,nan\n", "line 1: "),
        ("x.csv", "\n", "holds no row; write one frame of 7 numbers a line"),
        ("x.csv", None, "No such file or directory; name a file of samples"),
        ("x.npy", "1", "cannot be read as .npy"),
        ("x.npy", None, "does not exist; name an .npz file with `x`"),
        ("x.npz", "1", "cannot be read as .npz"),
        ("x.txt", "1", "samples are read from .csv, .npy, .npz files: give one of these"),
    ],
)
def test_wrong_files_are_refused(
    folders: dict[str, Path], tmp_path: Path, name: str, text: str | None, message: str
) -> None:
    if text is not None:
        (tmp_path / name).write_text(text)
    assert message in call("run", folders["classes"], "--input", tmp_path / name, code=2).stderr


def test_wrong_options_are_refused(folders: dict[str, Path], tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", X)
    np.savez(tmp_path / "z.npz", z=X)
    refused = call("run", folders["classes"], "--output", tmp_path / "y.csv", code=2)
    assert "--output needs --input" in refused.stderr
    assert "--scaled needs --input" in call("run", folders["classes"], "--scaled", code=2).stderr
    for folder, file, out, message in (
        ("classes", "x.npy", "y.txt", "y.txt ends in '.txt'; .csv or .npy or .npz is allowed"),
        ("classes", "z.npz", "y.csv", "z.npz: has the arrays ['z']; expected `x`, or `x_0`"),
        ("two", "x.npy", "y.csv", ""),
    ):
        done = call("run", folders[folder], "--input", tmp_path / file, "--output", tmp_path / out, code=2)
        assert message in done.stderr and not (tmp_path / out).exists()


def test_a_test_set_is_run_as_before(folders: dict[str, Path]) -> None:
    folder = folders["classes"]
    assert call("run", folder, "--input", folder / TESTSET).stdout == call("run", folder).stdout


def test_frames_from_standard_input(folders: dict[str, Path]) -> None:
    folder = folders["classes"]
    with ese4ml.open(folder) as engine, engine.session() as session:
        values = session.feed(X[0])
    expected = [f"{NAMES[row.argmax()]} {row.max()}" for row in values]
    assert call("live", folder, stdin=csv(X[0])).stdout.splitlines() == expected
    assert call("live", folder, "--frames-per-packet", 4, stdin=csv(X[0], " ")).stdout.splitlines() == expected
    lines = [json.loads(line) for line in call("live", folder, "--json", stdin=csv(X[0])).stdout.splitlines()]
    assert [line["frame"] for line in lines] == [1, 2, 3, 4, 5, 6]
    assert [line["class"] for line in lines] == [NAMES[row.argmax()] for row in values]
    np.testing.assert_array_equal(np.array([line["values"] for line in lines], np.float32), values)
    v = X[0, :, :3]
    shown = call("live", folders["regression"], stdin=csv(v)).stdout.split()
    np.testing.assert_array_equal(np.array(shown, np.float32), predicted(folders["regression"], v)[:, 0])
    assert call("live", folder, stdin="").stdout == ""


@pytest.mark.parametrize("frames", [1, 4])
def test_a_line_that_is_no_frame_is_refused_by_its_number(folders: dict[str, Path], frames: int) -> None:
    done = call("live", folders["classes"], "--frames-per-packet", frames, stdin=csv(X[0][:3]) + "1,x\n", code=2)
    assert len(done.stdout.splitlines()) == 3
    assert done.stderr == (
        "error: standard input, line 4: '1,x' is no frame of 7 finite numbers, separated by commas or blanks\n"
    )


def test_lines_come_as_frames_do_and_an_interrupt_ends_it(folders: dict[str, Path]) -> None:
    command = [sys.executable, "-c", "from ese_host.cli.main import main; main(prog_name='ese4ml')", "live"]
    process = subprocess.Popen(
        [*command, str(folders["frames"])], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, env=os.environ,
        # a shell without a terminal lets what runs in the background ignore interrupts
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    assert process.stdin is not None and process.stdout is not None
    for row in X[0]:
        process.stdin.write(csv(row[None]))
        process.stdin.flush()
        number, value = process.stdout.readline().split()
        assert number in "01" and float(value) == np.float32(value)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (130, "interrupted\n")
