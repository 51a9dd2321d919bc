# SPDX-License-Identifier: Apache-2.0
"""interface.json: what is written is read again, everything else is refused by name; samples in the model's shapes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_design import INPUTS, OUTPUTS, SOURCE, small_network, twins

from ese_host.errors import FormatError, MismatchError
from ese_host.interface import MAX_BYTES, ModelInput, ModelInterface, ModelOutput, codes_of, dump, outputs_of, read
from ese_host.ir.program import Program, run

TWO = ModelInterface(
    (
        ModelInput("x", (None, 2), "first", (0.1, -3.0), (2.0, 1e-3)),
        ModelInput("v", (3,), "second"),
    ),
    (ModelOutput("kind", (2,), ("no", "yes")), ModelOutput("size", (None, 1))),
    {"k": 0, "more": [1]},
)
FIELDS: dict[str, Any] = json.loads(dump(TWO))


def write(path: Path, value: Any) -> Path:
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return path


def with_change(place: tuple[Any, ...], value: Any) -> Any:
    changed = json.loads(dump(TWO))
    item = changed
    for key in place[:-1]:
        item = item[key]
    item[place[-1]] = value
    return changed


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "interface.json"
    path.write_bytes(dump(TWO))
    found = read(path)
    assert (found.inputs, found.outputs, found.structure) == (TWO.inputs, TWO.outputs, TWO.structure)
    assert dump(found) == dump(TWO)
    assert FIELDS["inputs"][1] == {"name": "v", "shape": [3], "key": "second"}  # what is not known is left out
    assert FIELDS["version"] == 1


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (("version",), 2, "version is 2; expected 1: convert the model again with this version of ese4ml"),
        (("version",), "1", "version is '1'; expected an integer"),
        (("more",), 1, "has fields "),
        (("inputs",), [], "a model has 0 inputs and 2 outputs"),
        (("inputs", 0, "shape"), [0, 2], "input 'x' has shape (0, 2); extents are positive"),
        (("inputs", 0, "shape"), [1 << 40, 2], "extents are positive"),
        (("inputs", 0, "shape"), [2.0, 2], "inputs[0].shape[0] is 2.0; expected an integer or null"),
        (("inputs", 0, "name"), "a\nb", "an input is called 'a\\nb'; 1 to 200 printable characters"),
        (("inputs", 0, "name"), "v", "the inputs of a model are ['v', 'v']; each needs a name of its own"),
        (("inputs", 0, "key"), None, "only the inputs with the keys ['second'] have keys"),
        (("inputs", 0, "mean"), None, "input 'x' has only one of mean and deviation"),
        (("inputs", 0, "mean"), [1.0], "input 'x': mean has 1 numbers; 2 finite ones are expected"),
        (("inputs", 0, "deviation"), [1.0, 0], "input 'x': deviation is 0 for feature 1; values cannot be divided"),
        (("outputs", 0, "classes"), ["no"], "output 'kind' has 1 names of classes; it tells 2 classes"),
        (("outputs", 0, "classes"), ["no", ""], "a class of output 'kind' is called ''"),
        (("outputs", 0, "classes"), "no", "outputs[0].classes is 'no'; expected a list or null"),
        (("structure",), [0, 0], "the structure of outputs is [0, 0]; it holds each number from 0 to 1 once"),
        (("structure",), [0, "1"], "the structure of outputs is [0, '1']"),
        (("structure",), [0, True], "the structure of outputs is [0, True]"),
        (("structure",), [0], "the structure of outputs is [0]"),
    ],
)
def test_what_is_wrong_is_refused_by_name(tmp_path: Path, place: tuple[Any, ...], value: Any, message: str) -> None:
    path = write(tmp_path / "interface.json", with_change(place, value))
    with pytest.raises(FormatError) as caught:
        read(path)
    assert message in str(caught.value) and str(path) in str(caught.value)


@pytest.mark.parametrize("text", ["", "7", "[]", "{", '{"version": 1e999}', "[" * 100, '{"a": 1, "a": 2}'])
def test_other_texts_are_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(FormatError, match=r"interface\.json"):
        read(write(tmp_path / "interface.json", text))


def test_a_large_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="larger than"):
        read(write(tmp_path / "interface.json", " " * (MAX_BYTES + 1)))


def test_recorded_values_are_scaled_in_double_precision() -> None:
    recorded = np.random.default_rng(0).normal(size=(4, 5, 2)) * 100
    given = {"first": recorded, "second": np.ones((4, 3))}
    expected = ((recorded - [0.1, -3.0]) / [2.0, 1e-3]).astype(np.float32)
    np.testing.assert_array_equal(TWO.arrays(given, scaled=False)["x"], expected)
    np.testing.assert_array_equal(TWO.arrays(given)["x"], recorded.astype(np.float32))
    np.testing.assert_array_equal(TWO.arrays(given, scaled=False)["v"], np.ones((4, 3), np.float32))


@pytest.mark.parametrize("numbers", [1, 13, 26, 1000])
def test_parts_are_the_whole(numbers: int) -> None:
    given = [np.random.default_rng(1).normal(size=(7, 5, 2)), np.arange(21).reshape(7, 3)]
    parts = list(TWO.parts(given, numbers, scaled=False))
    assert len(parts) == {1: 7, 13: 7, 26: 4, 1000: 1}[numbers]
    whole = TWO.arrays(given, scaled=False)
    for name, array in whole.items():
        np.testing.assert_array_equal(np.concatenate([part[name] for part in parts]), array)
    given[0][5, 2, 1] = np.nan
    with pytest.raises(FormatError, match=r"^input 'x' is nan at \(5, 2, 1\); only finite numbers are taken"):
        list(TWO.parts(given, numbers))


def test_no_samples_are_one_empty_part() -> None:
    (part,) = TWO.parts([np.zeros((0, 5, 2)), np.zeros((0, 3))], 100)
    assert {name: array.shape for name, array in part.items()} == {"x": (0, 5, 2), "v": (0, 3)}
    assert [value.shape for value in TWO.values(None, part)] == [(0, 2), (0, 5, 1)]


def test_a_program_has_an_interface_of_its_own() -> None:
    program = Program.of(small_network())
    interface = ModelInterface.of(program)
    interface.require_program(program)
    assert interface.inputs[0].shape == (None, INPUTS) and interface.outputs[0].shape == (None, OUTPUTS)
    x = np.random.default_rng(2).normal(size=(3, 4, INPUTS))
    arrays = interface.arrays(x)
    finished = run(program, codes_of(program, [arrays["input"]]))
    (found,) = interface.values(finished, arrays)
    expected = run(program, SOURCE.from_float(x.astype(np.float32))).values().astype(np.float32)
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(outputs_of(finished, [(None, OUTPUTS)])[0], expected)
    with pytest.raises(FormatError, match=r"^an output has 4 steps of 3 values; the shape \(5,\) that is given "):
        outputs_of(finished, [(5,)])


@pytest.mark.parametrize(
    ("interface", "message"),
    [
        (TWO, "the interface has 2 inputs and 2 outputs; the golden model has 1 and 1: convert the model again"),
        (
            ModelInterface((ModelInput("x", (None, 4)),), (ModelOutput("y", (None, OUTPUTS)),)),
            r"input 'x' has shape \(None, 4\); the golden model has frames of 5 elements",
        ),
        (
            ModelInterface((ModelInput("x", (None, None, 5)),), (ModelOutput("y", (None, OUTPUTS)),)),
            r"input 'x' has shape \(None, None, 5\); the golden model has frames of 5 elements",
        ),
        (
            ModelInterface((ModelInput("x", (None, 5)),), (ModelOutput("y", (4,)),)),
            r"output 'y' has shape \(4,\); the golden model has frames of 3 elements",
        ),
    ],
)
def test_an_interface_of_another_program_is_refused(interface: ModelInterface, message: str) -> None:
    with pytest.raises(MismatchError, match=f"^{message}"):
        interface.require_program(twins())
