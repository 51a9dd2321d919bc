# SPDX-License-Identifier: Apache-2.0
"""Tests of emitted projects, of `predict` with the compiled engine, and of the emulated bitstream."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from qkeras import QActivation, quantized_sigmoid, quantized_tanh

from ese_hls.build import build
from ese_hls.project import vectors
from ese_hls.project.project import Project
from ese_host.bundle import golden_file
from ese_host.bundle.folder import Folder
from ese_host.bundle.image_file import read_image
from ese_host.device.emulated.engine import EmulatedEngine
from ese_host.errors import CapacityError, FormatError, MismatchError, MissingError
from ese_host.files.hashing import Contents
from ese_host.ir import golden
from ese_host.protocol import read_trailer
from support.keras_models.plugin_models import bits, chain, classifier, convert, dense, inputs, lstm

FILES = {
    "README.md",
    "ap_types",
    "bitstream.tcl",
    "build_prj.tcl",
    "csrc",
    "design.json",
    "golden.npz",
    "image.bin",
    "tb",
}


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any]:
    """A converted and compiled model as hls4ml users have it, and its Keras model."""
    model = classifier()
    graph = convert(model, tmp_path_factory.mktemp("project") / "out", PEs=3)
    graph.compile()
    return graph, model


def folder_of(graph: Any) -> Path:
    return Path(graph.config.get_output_dir())


def test_predict_equals_keras(compiled: tuple[Any, Any]) -> None:
    graph, model = compiled
    x = inputs(model, samples=150)
    found, expected = graph.predict(x), model.predict(x, verbose=0)
    assert found.shape == expected.shape and found.dtype == np.float32
    assert np.abs(found - expected).max() < 1e-6
    with pytest.raises(FormatError, match=r"^input 'x' has shape \(150, 42\); the model takes \(samples, 6, 7\)$"):
        graph.predict(x.reshape(150, -1))
    assert np.array_equal(found[:1], graph.predict(x[:1]))


def check_bench(graph: Any) -> None:
    """Check that the compiled engine answers the test vectors of a project as the golden model did."""
    folder = folder_of(graph) / "tb"

    def packets(name: str) -> list[Any]:
        lines = (folder / name).read_text().split()
        found = []
        while lines:
            count = int(lines[0])
            found.append(np.array([int(word, 16) for word in lines[1 : count + 1]], dtype=np.uint32))
            lines = lines[count + 1 :]
        return found

    sent, expected = packets(vectors.INPUT), packets(vectors.EXPECTED)
    assert len(sent) == len(expected) == 2
    with EmulatedEngine(Contents.of(next(folder.parent.glob("*.so")))) as engine:
        for packet, answer in zip(sent, expected, strict=True):
            found = engine.packet(packet, len(answer))
            read_trailer(found)  # its CRC is right
            found[list(vectors.UNKNOWN_WORDS)] = 0
            assert np.array_equal(found, answer)


def test_engine_gives_the_golden_answers_of_the_test_bench(compiled: tuple[Any, Any]) -> None:
    check_bench(compiled[0])


def test_project_is_whole(compiled: tuple[Any, Any]) -> None:
    graph, _ = compiled
    folder = folder_of(graph)
    assert {item.name for item in folder.iterdir()} >= FILES
    opened = Project.open(folder)
    assert opened.design.pes == 3 and opened.design.cells_per_cycle == 1
    checked = read_image(folder / "image.bin", opened.design)
    assert opened.description["image_id"] == f"{checked.image_id:#010x}"
    assert opened.description["design_id"] == f"{opened.design.design_id:#010x}"
    network = golden_file.load_network(folder / "golden.npz")
    codes = vectors.example_codes(network)
    assert np.array_equal(golden.run(network, codes).outputs, golden.run(graph.ese_conversion.network, codes).outputs)
    assert not list(folder.parent.glob(".*"))


def test_the_same_model_emits_the_same_bytes(tmp_path: Path) -> None:
    contents = []
    for name in ("a", "b"):
        convert(classifier(), tmp_path / name).write()
        paths = sorted(path for path in (tmp_path / name).rglob("*") if path.is_file())
        contents.append({str(path.relative_to(tmp_path / name)): path.read_bytes() for path in paths})
    assert contents[0] == contents[1]


def test_an_earlier_project_is_replaced_but_nothing_else(tmp_path: Path) -> None:
    graph = convert(classifier(), tmp_path / "out")
    graph.write()
    (tmp_path / "out" / "stale.txt").write_text("old")
    graph.write()
    assert not (tmp_path / "out" / "stale.txt").exists()
    other = tmp_path / "thesis"
    other.mkdir()
    (other / "thesis.tex").write_text("years of work")
    with pytest.raises(MismatchError, match=r"thesis exists and holds no design\.json; it is not replaced"):
        convert(classifier(), other).write()
    assert [item.name for item in other.iterdir()] == ["thesis.tex"]


def test_nothing_is_left_of_a_project_that_fails_half_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any) -> None:
        raise CapacityError("no room")

    graph = convert(classifier(), tmp_path / "out")
    monkeypatch.setattr(vectors, "write", fails)
    with pytest.raises(CapacityError, match="no room"):
        graph.write()
    assert list(tmp_path.iterdir()) == []


def test_predict_before_compile(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match=r"not compiled: call compile\(\) before predict\(\)"):
        convert(classifier(), tmp_path / "out").predict(np.zeros((1, 6, 7), dtype=np.float32))


def test_stored_outputs_at_every_step(tmp_path: Path) -> None:
    top = lstm(3, return_sequences=True)
    top.name = "top"
    model = chain(
        lstm(4, return_sequences=True),
        QActivation(bits(8, 0), name="h"),
        top,
        QActivation(bits(8, 0), name="h_top"),
        dense(3),
        QActivation(bits(9, 3), name="logits"),
        shape=(None, 7),
    )
    graph = convert(model, tmp_path / "out", PEs=1)
    graph.compile()
    check_bench(graph)
    x = inputs(model, samples=5, steps=4)
    assert np.array_equal(graph.predict(x), model.predict(x, verbose=0))


def test_exact_lstm_output_with_smooth_activations(tmp_path: Path) -> None:
    smooth = {
        "activation": quantized_tanh(8, use_real_tanh=True),
        "recurrent_activation": quantized_sigmoid(8, use_real_sigmoid=True),
    }
    model = chain(lstm(**smooth))
    graph = convert(model, tmp_path / "out", PEs=4)
    graph.compile()
    check_bench(graph)
    x = inputs(model)
    assert np.abs(graph.predict(x) - model.predict(x, verbose=0)).max() < 2**-5


def test_dense_network_without_steps(tmp_path: Path) -> None:
    model = chain(dense(4), keras.layers.Softmax(name="softmax"), shape=(7,))
    graph = convert(model, tmp_path / "out", PEs=2)
    graph.compile()
    check_bench(graph)
    x = inputs(chain(dense(), shape=(6, 7)), samples=9)[:, 0]
    assert np.abs(graph.predict(x) - model.predict(x, verbose=0)).max() < 1e-6


def test_two_models_in_one_directory(tmp_path: Path) -> None:
    first, second = classifier(), chain(lstm(), dense(3))
    graphs = [convert(model, tmp_path / "out", PEs=1) for model in (first, second)]
    for graph in graphs:
        graph.compile()
    x = inputs(first)
    for graph, model in zip(graphs, (first, second), strict=True):
        assert np.abs(graph.predict(x) - model.predict(x, verbose=0)).max() < 1e-6


@pytest.fixture(scope="module")
def bitstream(compiled: tuple[Any, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bitstreams") / "small"
    source = folder_of(compiled[0])
    (source / "provenance.json").write_text(json.dumps({"seed": 7}))
    build.build_emulated(source, folder)
    return folder


def test_emulated_bitstream_is_a_sound_design_folder(bitstream: Path) -> None:
    opened = Folder.open(bitstream)
    opened.check()
    assert opened.manifest.kind == "emulated"
    files = {"design.bit", "design.hwh", "image.bin", "golden.npz", "provenance.json", "testset.npz", "build.log"}
    files.add("interface.json")
    assert set(opened.manifest.files) == files
    assert {"g++", "python", "hls4ml", "ese4ml", "numpy"} <= set(opened.manifest.tools)
    assert (opened.manifest.board, opened.manifest.part) == ("pynq-z2", "xc7z020clg400-1")
    with EmulatedEngine(Contents.of(bitstream / "design.bit")):
        pass


def test_missing_compiler_is_named_and_nothing_is_written(
    compiled: tuple[Any, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    with pytest.raises(MissingError, match=r"g\+\+ is not on PATH; .*apt-get install g\+\+"):
        build.build_emulated(folder_of(compiled[0]), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_build_of_something_else(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match=r"design\.json: No such file or directory; .*run `ese4ml emit` first"):
        build.build_emulated(tmp_path, tmp_path / "out")
