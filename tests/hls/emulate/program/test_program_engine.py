# SPDX-License-Identifier: Apache-2.0
"""A program on its compiled engine compared with the golden model and Keras; its project, and commands on it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from click.testing import CliRunner
from keras import layers as kl
from qkeras import QActivation, quantized_tanh

from ese_hls.project import vectors
from ese_hls.project.project import Project
from ese_host.bundle import golden_file, manifest
from ese_host.cli.main import main
from ese_host.errors import FormatError
from support.keras_models.plugin_models import as_list, bits, convert, dense, fill, frames, golden_values, recurrent


def everything() -> Any:
    """A model with every kind of step: bidirectional, masked, backward, merged, normalized, with activations."""
    x, y = keras.Input((6, 7), name="x"), keras.Input((4,), name="y")
    q = QActivation(bits(8, 2), name="qx")(x)
    z = QActivation(bits(8, 1), name="qy")(y)
    both = kl.Bidirectional(recurrent("l", units=4, return_sequences=True), name="both")(q)
    steps = dense(3, name="steps")(QActivation(bits(8, 0), name="qboth")(both))
    kept = kl.Masking(0.0, name="kept")(q)
    last = recurrent("m2", units=4)(recurrent("m1", units=4, return_sequences=True)(kept))
    back = dense(4, name="behind")(recurrent("back", units=4, go_backwards=True)(q))
    bent = QActivation(quantized_tanh(8), name="bent")(back)
    norm = kl.BatchNormalization(name="norm")(dense(4, name="plain")(z))
    total = kl.Add(name="total")([last, bent, norm])
    ends = kl.Concatenate(name="ends")([QActivation(bits(8, 2), name="qtotal")(total), z])
    return fill(keras.Model([x, y], [steps, dense(3, name="classes", activation="softmax")(ends)]))


@pytest.fixture(scope="module")
def model() -> Any:
    return everything()


@pytest.fixture(scope="module")
def graph(model: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    made = convert(model, tmp_path_factory.mktemp("program") / "project", PEs=2)
    made.compile()
    return made


def test_engine_golden_model_and_keras_agree(model: Any, graph: Any) -> None:
    x = frames(model, samples=70, masked=True)
    found, expected = graph.predict(x), as_list(model(x))
    for ours, golden, theirs in zip(found, golden_values(graph.ese_conversion, x), expected, strict=True):
        np.testing.assert_array_equal(ours, golden)
        assert ours.shape == theirs.shape
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_allclose(
        found[1], expected[1], rtol=0, atol=2e-4
    )  # the factors of the normalization have 16 bits
    named = graph.predict({"y": x[1], "x": x[0]})
    assert all(np.array_equal(a, b) for a, b in zip(found, named, strict=True))


def test_trace_of_a_program(model: Any, graph: Any) -> None:
    x = frames(model, masked=True)
    _, found = graph.trace(x)
    layers = [layer for layer in model.layers if not isinstance(layer, kl.InputLayer) and layer.name != "classes"]
    made = keras.Model(model.inputs, [layer.output for layer in layers])(x)
    expected = {layer.name: np.asarray(value) for layer, value in zip(layers, made, strict=True)}
    assert set(expected) - set(found) == {
        "kept",
        "m1",
        "plain",
    }  # kept, m1: masked within a chain; plain: the normalization is folded into its sums
    for name in set(expected) & set(found) - {"norm", "total", "qtotal", "ends"}:
        np.testing.assert_array_equal(found[name], expected[name], err_msg=name)
    np.testing.assert_allclose(found["norm"], expected["norm"], rtol=0, atol=2e-4)


def test_project_has_an_image_and_vectors_for_each_chain(graph: Any) -> None:
    program = graph.ese_conversion.program
    project = Project.open(Path(graph.config.get_output_dir()))
    chains = len(program.chains)
    assert chains == 7
    assert all((project.path / manifest.image_name(number)).is_file() for number in range(chains))
    assert not (project.path / manifest.image_name(chains)).exists()
    assert len(project.description["further_images"]) == chains - 1
    for name in (vectors.INPUT, vectors.EXPECTED):
        assert len(vectors.read(project.path / "tb" / name)) == 2 * chains
    assert [type(step) for step in golden_file.load(project.path / "golden.npz").steps] == [
        type(step) for step in program.steps
    ]
    assert "7 networks for its memories" in (project.path / "README.md").read_text()


def test_a_sample_that_is_masked_away_is_refused(model: Any, graph: Any) -> None:
    x = frames(model, masked=True)
    x[0][1] = 0
    with pytest.raises(
        FormatError, match=r"^sample 1 has only masked steps; at least one other is needed: remove the "
    ):
        graph.predict(x)


def test_emit_and_build_commands_take_a_program(model: Any, tmp_path: Path) -> None:
    file, project, folder = tmp_path / "model.keras", tmp_path / "project", tmp_path / "design"
    model.save(file)
    runner = CliRunner()
    emitted = runner.invoke(main, ["emit", str(file), "--out", str(project), "--pes", "2", "--json"])
    assert emitted.exit_code == 0, emitted.output
    found = json.loads(emitted.stdout)
    places = {row["layer"]: row["place"] for row in found["summary"]["layers"]}
    assert places["total"] == "host: Merge"
    assert places["total"] == "host: Merge"
    assert places["norm"] == "folded into 'plain'" and places["bent"] == "host: Apply"
    built = runner.invoke(main, ["build", str(project), "--out", str(folder), "--json"])
    assert built.exit_code == 0, built.output
    assert len(json.loads(built.stdout)["further_images"]) == 6
    program = golden_file.load(folder / manifest.GOLDEN)
    assert [port.name for port in program.inputs] == ["x", "y"]
