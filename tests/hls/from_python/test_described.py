# SPDX-License-Identifier: Apache-2.0
"""Scaling and names of classes: arguments of the conversion, files, and what a provenance record says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from ese_hls.backend import names_from
from ese_hls.backend.described import described
from ese_host.bundle import INTERFACE, Folder
from ese_host.errors import EseError, FormatError, MismatchError, MissingError, UnsupportedError
from ese_host.interface import ModelInput, ModelInterface, ModelOutput, read
from support.keras_models.plugin_models import classifier, fill

MEAN, DEVIATION = [0.5, -1.0, 3.0], [2.0, 0.1, 1.0]
ONE = ModelInterface((ModelInput("x", (None, 3)),), (ModelOutput("y", (2,)),))
TWO = ModelInterface(
    (ModelInput("a", (3,)), ModelInput("b", (2,))), (ModelOutput("p", (2,)), ModelOutput("q", (3,))), [0, 1]
)


def converted(model: Any, out: Path, **arguments: Any) -> Any:
    import hls4ml

    config = hls4ml.utils.config_from_keras_model(model, granularity="name", backend="ESE")
    return hls4ml.converters.convert_from_keras_model(
        model, backend="ESE", output_dir=str(out), hls_config=config, **arguments
    )


def record(path: Path, **data: Any) -> Path:
    fields = {"name": "d", "samples": {}, "sha256": {}, "mean": MEAN, "deviation": DEVIATION, **data}
    path.write_text(json.dumps({"format": 1, "data": fields}))
    return path


def test_a_project_and_its_designs_say_what_the_model_takes_and_gives(tmp_path: Path) -> None:
    names = ["a", "e", "i", "o", "u"]
    scaling = np.arange(7.0), np.full(7, 0.5)
    graph = converted(classifier(), tmp_path / "prj", classes=names, scaling=scaling)
    graph.build(emulated=True, design=tmp_path / "one")
    folder = Folder.open(tmp_path / "one")
    interface = read(folder.file(INTERFACE))
    assert interface.inputs == (ModelInput("x", (6, 7), None, tuple(scaling[0]), tuple(scaling[1])),)
    assert interface.outputs == (ModelOutput("softmax", (5,), tuple(names)),)
    graph.build(emulated=True, design=tmp_path / "two")
    assert Folder.open(tmp_path / "two").manifest.files == folder.manifest.files
    converted(classifier(), tmp_path / "prj", classes=names[::-1]).build(emulated=True, design=tmp_path / "two")
    assert read(Folder.open(tmp_path / "two").file(INTERFACE)).outputs[0].classes == tuple(names[::-1])


def test_shapes_of_several_inputs_and_outputs(tmp_path: Path) -> None:
    a, b = keras.Input((None, 3), name="a"), keras.Input((3,), name="b")
    last = keras.layers.LSTM(3, name="lstm")(a)
    first = keras.layers.Dense(2, name="first")(keras.layers.Add(name="add")([last, b]))
    model = fill(keras.Model({"one": a, "two": b}, {"k": first, "more": [last, first]}), density=1)
    graph = converted(model, tmp_path / "prj", scaling={"b": (0, 2)})
    assert graph.ese_interface.inputs == (
        ModelInput("a", (None, 3), "one"),
        ModelInput("b", (3,), "two", (0.0,) * 3, (2.0,) * 3),
    )
    assert [item.shape for item in graph.ese_interface.outputs] == [(2,), (3,), (2,)]
    assert graph.ese_interface.structure == {"k": 0, "more": [1, 2]}


def test_arguments_by_name_and_in_a_file(tmp_path: Path) -> None:
    made = described(TWO, {"q": ["1", "2", "3"]}, {"b": (1, [2, 3])})
    assert made.outputs == (TWO.outputs[0], ModelOutput("q", (3,), ("1", "2", "3")))
    assert made.inputs == (TWO.inputs[0], ModelInput("b", (2,), None, (1.0, 1.0), (2.0, 3.0)))
    np.savez(tmp_path / "s.npz", mean=MEAN, deviation=np.float32(2))
    assert described(ONE, None, tmp_path / "s.npz").inputs[0] == ModelInput(
        "x", (None, 3), None, tuple(MEAN), (2.0, 2.0, 2.0)
    )


def test_what_is_not_given_comes_from_the_record_of_training(tmp_path: Path) -> None:
    path = record(tmp_path / "a.json", classes=["n", "y"])
    made = described(ONE, None, None, path)
    assert made.inputs[0].mean == tuple(MEAN) and made.inputs[0].deviation == tuple(DEVIATION)
    assert made.outputs[0].classes == ("n", "y")
    made = described(ONE, ["no", "yes"], (0, 1), path)
    assert made.inputs[0].mean == (0.0, 0.0, 0.0) and made.outputs[0].classes == ("no", "yes")
    assert described(TWO, None, None, path) is not None and described(TWO, None, None, path).inputs == TWO.inputs
    assert described(ONE, None, None, record(path, mean=None, deviation=None)).inputs == ONE.inputs
    path.write_text("{}")
    assert described(ONE, None, None, path).inputs == ONE.inputs
    with pytest.raises(FormatError, match=r"a\.json: input 'x': mean has 2 numbers; 3 .* take this file of another "):
        described(ONE, None, None, record(path, mean=[1, 2]))


@pytest.mark.parametrize(
    ("face", "classes", "scaling", "kind", "message"),
    [
        (ONE, "ab", None, UnsupportedError, "classes is 'ab'; a list of names, or a dict of such lists by the name"),
        (ONE, [1, 2], None, UnsupportedError, r"classes of output 'y' are \[1, 2\]; a list of names"),
        (ONE, {"z": ["a"]}, None, UnsupportedError, "classes has 'z'; the model has y: name one of them"),
        (ONE, ["a"], None, FormatError, "output 'y' has 1 names of classes; it tells 2 classes"),
        (TWO, ["a", "b"], None, UnsupportedError, r"classes is \['a', 'b'\], and the model has p, q: give a dict by "),
        (ONE, None, (1, 2, 3), UnsupportedError, r"scaling of input 'x' is \(1, 2, 3\); a pair \(mean, deviation\)"),
        (ONE, None, ("a", 1), FormatError, "scaling of input 'x' "),
        (ONE, None, (np.zeros((2, 3)), 1), FormatError, r"scaling of input 'x' has arrays of shape \(2, 3\) and \(\)"),
        (ONE, None, (MEAN, 0), FormatError, "input 'x': deviation is 0 for feature 0"),
        (ONE, None, "none.npz", MissingError, "none.npz does not exist; scaling is a pair"),
    ],
)
def test_other_arguments_are_refused(
    face: ModelInterface, classes: Any, scaling: Any, kind: type[EseError], message: str
) -> None:
    with pytest.raises(kind, match=f"^{message}"):
        described(face, classes, scaling)


def test_names_of_a_regression_are_refused(tmp_path: Path) -> None:
    model = fill(keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, name="size")]), density=1)
    with pytest.raises(MismatchError, match=r"^output 'size' has names of classes; it is a single value that is "):
        converted(model, tmp_path / "prj", classes=["small", "large"])


def test_names_on_a_command_line(tmp_path: Path) -> None:
    file = tmp_path / "names.txt"
    file.write_text("one, with a comma\n\n two \n", encoding="utf-8")
    assert names_from("a, b,c") == ["a", "b", "c"]
    assert names_from(f"@{file}") == ["one, with a comma", "two"]
    with pytest.raises(MissingError, match=r"none: No such file or directory; name a text file with the name of one "):
        names_from("@none")
    file.write_bytes(b"\xff")
    with pytest.raises(FormatError, match=r"names\.txt: not UTF-8 \(invalid start byte\); write the name of one class"):
        names_from(f"@{file}")
