# SPDX-License-Identifier: Apache-2.0
"""A converted model's project becomes a design folder that `check` and `run` take, with a test set of its own."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest
from click.testing import CliRunner

from ese_hls.backend.test_set import labels_of
from ese_hls.backend.test_set import test_set_of as set_of
from ese_host.bundle import testset
from ese_host.cli.main import main
from ese_host.errors import EseError, FormatError, MissingError, UnsupportedError
from ese_host.files import npz
from ese_host.ir.program import Output, Program, Tensor
from support.keras_models.plugin_models import convert, fill

RNG = np.random.default_rng(8)
X = [RNG.normal(size=(9, 4)), RNG.normal(size=(9, 3))]
CLASSES, VALUES = RNG.integers(0, 2, 9), RNG.normal(size=9)


def two_inputs() -> Any:
    """A float MLP of two inputs: a classifier and a regression, in a dict."""
    a, b = keras.Input((4,), name="a"), keras.Input((3,), name="b")
    joined = keras.layers.Concatenate(name="joined")([a, b])
    hidden = keras.layers.Dense(6, activation="relu", name="hidden")(joined)
    kind = keras.layers.Dense(2, activation="softmax", name="kind")(hidden)
    return fill(keras.Model([a, b], {"kind": kind, "size": keras.layers.Dense(1, name="size")(hidden)}), density=1)


def recurrent() -> Any:
    layers = [keras.layers.LSTM(5, name="lstm"), keras.layers.Dense(1, name="out")]
    return fill(keras.Sequential([keras.Input((6, 4), name="x"), *layers]), density=1)


def converted(model: Any, out: Path, **arguments: Any) -> Any:
    import hls4ml

    config = hls4ml.utils.config_from_keras_model(model, granularity="name", backend="ESE")
    return hls4ml.converters.convert_from_keras_model(
        model, backend="ESE", output_dir=str(out), hls_config=config, **arguments
    )


def command(*arguments: Any) -> Any:
    done = CliRunner().invoke(main, [str(item) for item in arguments])
    assert done.exit_code == 0, done.output
    return done


def checked(folder: Path, report: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(command("check", folder, "--json", "--report", report).stdout)
    assert found["bit_exact"]
    return found


def test_two_inputs_and_a_dict_of_outputs(tmp_path: Path) -> None:
    model = two_inputs()
    graph = converted(model, tmp_path / "prj", test=(X, {"kind": np.eye(2)[CLASSES], "size": VALUES}))
    report = graph.build(emulated=True)
    folder = tmp_path / "prj" / "design"
    assert str(report) == f"design folder: {folder}"
    found = checked(folder, tmp_path / "report")
    kind, size = found["outputs"]
    expected = model.predict(X, verbose=0)
    assert found["accuracy"] == {"engine": kind["accuracy"]} and found["sequences"] == 9
    assert kind["agreement_with_keras"] == found["agreement_with_keras"] == 1.0
    assert kind["accuracy"] == pytest.approx((expected["kind"].argmax(axis=1) == CLASSES).mean())
    assert 0 < kind["difference_from_keras"] < 0.01 > size["difference_from_keras"] > 0
    error = float(np.sqrt(((expected["size"][:, 0] - VALUES) ** 2).mean()))
    assert size["rms_error_of_keras"] == pytest.approx(error, rel=1e-5) == pytest.approx(size["rms_error"], rel=0.02)
    assert "agreement_with_keras" not in size
    shown = command("check", folder, "--report", tmp_path / "report").stdout
    assert "kind: largest difference from Keras: " in shown
    assert "size: root mean square error of the engine " in shown
    assert "Root mean square error" in (tmp_path / "report" / "report.html").read_text()
    assert len(command("run", folder, "--all").stdout.split()) == 9


def test_samples_of_the_self_check_and_values_without_classes(tmp_path: Path) -> None:
    model = recurrent()
    graph = convert(model, tmp_path / "prj")
    x = np.random.default_rng(2).normal(size=(7, 6, 4)).astype(np.float32)
    expected = model.predict(x, verbose=0)
    graph.ese_samples = {"x": x}
    graph.ese_test_set = set_of(graph)
    graph.build(emulated=True, design=tmp_path / "bits")
    found = checked(tmp_path / "bits", tmp_path / "report")
    assert list(found["outputs"][0]) == ["output", "difference_from_keras"] and found["accuracy"] == {}
    values = [float(line) for line in command("run", tmp_path / "bits", "--all").stdout.split()]
    np.testing.assert_allclose(values, expected[:, 0], rtol=0, atol=0.02)
    assert json.loads(command("run", tmp_path / "bits", "--json").stdout)["values"] == pytest.approx(values)


def test_what_keras_computes_must_be_numbers(tmp_path: Path) -> None:
    graph = convert(recurrent(), tmp_path / "prj")
    graph.ese_samples = {"x": np.zeros((2, 6, 4), np.float32)}
    graph.config.config["KerasModel"] = lambda *_, **__: np.array([[np.nan], [1.0]])
    with pytest.raises(
        FormatError, match=r"^Keras computes NaN as output 'out' of the test set's samples: give other "
    ):
        set_of(graph)
    graph.config.config["KerasModel"] = lambda *_, **__: np.array([[np.inf], [1.0]])
    (tmp_path / "t.npz").write_bytes(set_of(graph) or b"")
    (output,) = testset.read(tmp_path / "t.npz", graph.ese_conversion.program).outputs
    assert output.predictions is not None and output.predictions.max() == np.finfo(np.float32).max


def test_a_project_of_another_model_is_written_again(tmp_path: Path) -> None:
    model = recurrent()
    convert(model, tmp_path / "prj").write()
    fill(model, density=1, seed=1)
    graph = converted(model, tmp_path / "prj", test=(np.ones((3, 6, 4)), None))
    graph.build(emulated=True)
    kept = tmp_path / "prj" / "mine.txt"
    kept.write_text("of a tool")
    tests = testset.read(tmp_path / "prj" / "design" / "testset.npz", graph.ese_conversion.program)
    (output,) = tests.outputs
    assert output.predictions is not None
    np.testing.assert_allclose(output.predictions[:, 0], model.predict(np.ones((3, 6, 4)), verbose=0), rtol=1e-6)
    checked(tmp_path / "prj" / "design", tmp_path / "report")
    graph.build(emulated=True)
    assert kept.exists()


def test_a_folder_without_test_set_says_how_to_get_one(tmp_path: Path) -> None:
    graph = convert(recurrent(), tmp_path / "prj")
    graph.ese_test_set = graph.ese_samples = None  # as without self-check
    graph.build(emulated=True)
    done = CliRunner().invoke(main, ["check", str(tmp_path / "prj" / "design")])
    assert done.exit_code == 2
    assert (
        "convert the model again with test=(x, y), or with `ese4ml emit --test FILE.npz`, and build it" in done.stderr
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"emulated": True, "csim": True}, r"^build has emulated=True and csim=True; an emulated design needs no tool"),
        (
            {"design": "x"},
            r"^design is 'x'; only emulated=True and bitfile=True make a design folder: add one of them$",
        ),
    ],
)
def test_builds_that_contradict_themselves(tmp_path: Path, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(UnsupportedError, match=message):
        convert(recurrent(), tmp_path / "prj").config.backend.build(None, **arguments)


def test_without_vivado_the_way_out_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = convert(recurrent(), tmp_path / "prj")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingError, match=r"an emulated bitstream, as hls_model\.build\(emulated=True\) does$"):
        graph.build(bitfile=True)


def one_output(width: int, head: Any, steps: int | None = 1) -> Any:
    """The part of a program that `labels_of` looks at; None for sequences of any length."""
    tensor = Tensor(width, 0, 0, 1, "vector" if steps == 1 else "sequence", steps)
    return SimpleNamespace(outputs=(Output("t", "out", head),), tensors={"t": tensor})


@pytest.mark.parametrize(
    ("y", "width", "head", "name", "expected"),
    [
        ([0, 2, 1], 3, "softmax", "labels", [0, 2, 1]),
        ([[0], [2], [1]], 3, "none", "labels", [0, 2, 1]),
        (np.array([0.0, 2.0, 1.0]), 3, "none", "labels", [0, 2, 1]),
        (np.eye(3, dtype=bool), 3, "softmax", "labels", [0, 1, 2]),
        (np.ones((3, 3)), 3, "sigmoid", "targets", [[1, 1, 1]] * 3),
        ([0, 1, 1], 1, "sigmoid", "labels", [0, 1, 1]),
        ([[True], [False], [True]], 1, "sigmoid", "labels", [1, 0, 1]),
        ([0, 1, 1], 1, "none", "targets", [[0], [1], [1]]),
        ([0.5, 1, 1], 1, "sigmoid", "targets", [[0.5], [1], [1]]),
    ],
)
def test_labels_are_classes_or_targets(y: Any, width: int, head: Any, name: str, expected: Any) -> None:
    program = one_output(width, head)
    [(found, array)] = labels_of(np.asarray(y, np.float64), program, 0, (3, width), "y").items()
    assert found == name and array.tolist() == expected


def test_classes_of_every_step_count_at_the_last() -> None:
    program, framewise = one_output(2, "softmax"), one_output(2, "softmax", None)
    for y in (np.eye(2)[[[0, 1], [1, 0]]], np.array([[0.0, 1.0], [1.0, 0.0]])):
        assert labels_of(y, program, 0, (2, 2, 2), "y")["labels"].tolist() == [1, 0]
        found = labels_of(y, framewise, 0, (2, 2, 2), "y")
        assert found["labels"].tolist() == [1, 0] and found["frame_labels"].tolist() == [[0, 1], [1, 0]]
    assert list(labels_of(np.array([1.0, 0.0]), framewise, 0, (2, 2, 2), "y")) == ["labels"]


@pytest.mark.parametrize(
    ("y", "message"),
    [
        ([3] * 9, r"has values from 3 to 3; allowed are classes from 0 to 1 of shape \(9,\), and values or one-hot "),
        ([0, 1], r"has shape \(2,\); allowed are classes from 0 to 1 of shape \(9,\)"),
        ([0, np.nan, 1], r"holds NaN or infinity; only finite numbers are taken"),
        (["a", "b", "c"], r"holds values of type <U1; NumPy arrays, lists of numbers"),
    ],
)
def test_other_labels_are_refused(tmp_path: Path, y: Any, message: str) -> None:
    with pytest.raises(FormatError, match=f"^y of output 'kind' {message}"):
        converted(two_inputs(), tmp_path / "prj", test=(X, {"kind": y, "size": None}))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"test": 7}, UnsupportedError, r"^test is 7; a pair \(x, y\) of samples and labels, or the path of an \.npz"),
        ({"test": "none.npz"}, MissingError, r"^none\.npz does not exist; name an \.npz file with `x`, or `x_0`"),
        ({"test": (X[0], None)}, FormatError, r"^x of test: it is a single ndarray; the model has the inputs a, b: "),
        ({"test": (X, [CLASSES])}, FormatError, r"^y of test has another structure than the model's outputs, which"),
        ({"test": (X, [CLASSES + 1, None])}, FormatError, r"^y of output 'kind' has values from 1 to 2; allow"),
        (
            {"calibration": [X[0], X[1][:, :2]]},
            FormatError,
            r"^calibration: input 'b' has shape \(9, 2\); the model ta",
        ),
        ({"calibration": [X[0][:0], X[1][:0]]}, FormatError, r"^calibration holds no samples; at least one is "),
        ({"strict": "yes"}, UnsupportedError, r"^strict is 'yes'; True and False are allowed$"),
        (
            {"test": (X, None), "files": {"testset.npz": Path("t.npz")}},
            UnsupportedError,
            r"^test is given, and files has testset\.npz; a project has one test set: leave one of the two out$",
        ),
    ],
)
def test_wrong_samples_are_refused_before_anything_is_written(
    tmp_path: Path, arguments: dict[str, Any], error: type[EseError], message: str
) -> None:
    with pytest.raises(error, match=message):
        converted(two_inputs(), tmp_path / "prj", **arguments)
    assert not (tmp_path / "prj").exists()


def test_samples_in_files(tmp_path: Path) -> None:
    np.savez(tmp_path / "t.npz", x_0=X[0], x_1=X[1], y_0=CLASSES, y_1=VALUES)
    graph = converted(two_inputs(), tmp_path / "prj", test=tmp_path / "t.npz", calibration=str(tmp_path / "t.npz"))
    config = graph.config.config
    np.testing.assert_array_equal(config["ESECalibration"]["b"], X[1].astype(np.float32))
    (tmp_path / "made.npz").write_bytes(graph.ese_test_set)
    arrays = npz.read(tmp_path / "made.npz", 1 << 20)
    assert set(arrays) == {"inputs_0", "inputs_1", "labels", "targets_1", "keras_predictions", "keras_predictions_1"}
    np.save(tmp_path / "x.npy", np.ones((2, 6, 4)))
    graph = converted(recurrent(), tmp_path / "other", calibration=tmp_path / "x.npy")
    assert graph.config.config["ESECalibration"]["x"].shape == (2, 6, 4)
    for name, content, message in (
        ("bad.npz", b"PK", r"bad\.npz: cannot be read as \.npz \(.*\); write it with numpy\.savez$"),
        ("bad.npy", b"", r"bad\.npy: cannot be read as \.npy \(.*\); write it with numpy\.save$"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(FormatError, match=message):
            converted(recurrent(), tmp_path / "other", calibration=tmp_path / name)
    np.savez(tmp_path / "y.npz", y=CLASSES)
    with pytest.raises(FormatError, match=r"y\.npz: has the arrays \['y'\]; expected `x`, or `x_0`, `x_1` \.\.\. for "):
        converted(recurrent(), tmp_path / "other", test=tmp_path / "y.npz")


def test_a_large_test_set_is_stored_so_that_it_can_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Zeros would unpack to more than a reader takes of so small a file."""
    monkeypatch.setattr(npz, "FREE_BYTES", 1000)
    graph = converted(recurrent(), tmp_path / "prj", test=(np.zeros((500, 6, 4)), None))
    (tmp_path / "testset.npz").write_bytes(graph.ese_test_set)
    program: Program = graph.ese_conversion.program
    assert len(testset.read(tmp_path / "testset.npz", program).steps) == 500
    monkeypatch.setattr(testset, "MAX_BYTES", 8 * 25 * 100)
    with pytest.raises(
        FormatError, match=r"samples, whose numbers take 100000 bytes; 20000 are allowed: give at most 1"
    ):
        converted(recurrent(), tmp_path / "prj", test=(np.zeros((500, 6, 4)), None))
