# SPDX-License-Identifier: Apache-2.0
"""Models give the same images under Keras 3 with qkeras-v3 and under Keras 2 with QKeras 0.9.

These tests run in both environments, by `make test` and `make test-keras2`. images.json is recorded under Keras 3.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import hls4ml
import keras
import numpy as np
import pytest
from keras2_models import MODELS, bits, cell, converted, dense, filled, lstm, sequential
from qkeras import QActivation, quantized_bits
from record_keras2 import IMAGES, digest

from ese_hls.emulate import codes_of
from ese_hls.frontend import parse
from ese_hls.frontend.saved_model import load_model
from ese_hls.keras_version import is_keras2
from ese_hls.quantize.weights import evaluate
from ese_host.errors import UnsupportedError
from ese_host.interface import outputs_of
from ese_host.ir import golden
from ese_host.ir.activations import Activation
from ese_host.ir.network import Lstm
from ese_host.ir.program import run

RECORDED = json.loads(IMAGES.read_text(encoding="utf-8"))


def test_generation_is_what_keras_says() -> None:
    assert is_keras2() == (keras.__version__ < "3")


def test_every_model_is_recorded() -> None:
    assert list(RECORDED) == list(MODELS)


@pytest.mark.parametrize("name", MODELS)
def test_image_is_the_recorded_one(name: str, tmp_path: Path) -> None:
    assert digest(filled(MODELS[name]()), tmp_path / "out") == RECORDED[name]


def test_logits_are_keras_own(tmp_path: Path) -> None:
    model = filled(MODELS["classifier"]())
    network = converted(model, tmp_path / "out").ese_conversion.network
    x = np.random.default_rng(3).normal(size=(20, 6, 7)).astype(np.float32)
    result = golden.run(network, network.source.from_float(x))
    logits = keras.Model(model.inputs, model.get_layer("dense").output).predict(x, verbose=0)
    assert np.array_equal(np.ldexp(result.outputs[:, 0], -result.frac), logits)


@pytest.mark.parametrize("name", MODELS)
def test_calls_compute_what_the_model_computes(name: str) -> None:
    model = filled(MODELS[name]())
    x = np.random.default_rng(3).normal(size=(5, *model.inputs[0].shape[1:])).astype(np.float32)
    x[:2, 1:3] = 0
    calls = parse.calls_of(model)
    values = {calls[0].outputs[0].name: x}
    for call in calls:
        values |= call.compute(values)
    assert np.array_equal(values[calls[-1].outputs[0].name], np.asarray(model(x, training=False)))


def operations(q: Any) -> Any:
    return (q * 0.5 - q) + -q / 2.0 + 1.0


def cells(q: Any) -> Any:
    return keras.layers.RNN([cell(5, "low"), cell(4, "high")], name="stack")(keras.layers.Masking()(q))


def both(q: Any) -> Any:
    layer, kernel = keras.layers.Bidirectional, quantized_bits(4, 0, alpha=1.0)
    first = lstm(3, "first", kernel, kernel, return_sequences=True, go_backwards=True)
    second = lstm(3, "second", kernel, kernel, return_sequences=True)
    return layer(first, backward_layer=second, name="both")(q)


@pytest.mark.parametrize("build", [operations, cells, both])
def test_readers_are_those_of_both_generations(build: Any, tmp_path: Path) -> None:
    x = keras.Input((6, 7), name="x")
    model = filled(keras.Model(x, build(QActivation(bits(8, 2), name="source")(x))))
    samples = np.random.default_rng(3).normal(size=(5, 6, 7)).astype(np.float32)
    samples[:2, 1:3] = 0
    conversion = converted(model, tmp_path / "out").ese_conversion
    value = outputs_of(run(conversion.program, codes_of(conversion, [samples])), conversion.outputs)[0]
    assert np.array_equal(value, np.asarray(model(samples, training=False)))


def test_hard_sigmoid_is_the_generations_own(tmp_path: Path) -> None:
    state, kernel = bits(8, 1), quantized_bits(4, 0, alpha=1.0)
    function = keras.activations.hard_sigmoid
    layer = lstm(4, "lstm", kernel, kernel, recurrent_activation=function, state_quantizer=state)
    model = filled(sequential(layer, QActivation(bits(16, 0), name="h"), dense(3, "dense", kernel)))
    first = converted(model, tmp_path / "out").ese_conversion.network.layers[0]
    assert isinstance(first, Lstm)
    slope = round((0.2 if is_keras2() else 1 / 6) * 2**15)
    assert first.gate == Activation("hard_sigmoid", first.gate.out, slope, 1 << 14)
    values = np.linspace(-4, 4, 999, dtype=np.float32)
    line = np.clip(slope / 2**15 * values + 0.5, 0, 1)
    assert np.abs(evaluate(function, values) - line).max() < 4 * 2.0**-16


def test_a_saved_model_is_read_back(tmp_path: Path) -> None:
    model = filled(MODELS["functional"]())
    path = tmp_path / ("model.h5" if is_keras2() else "model.keras")
    model.save(path)
    assert digest(load_model(path), tmp_path / "out") == RECORDED["functional"]


def test_other_backends_read_as_before(tmp_path: Path) -> None:
    layers = [keras.Input((7,), name="x"), keras.layers.Dense(4, activation="relu", name="plain")]
    model = filled(keras.Sequential(layers))
    config = hls4ml.utils.config_from_keras_model(model, granularity="name", backend="Vitis")
    graph = hls4ml.converters.convert_from_keras_model(
        model, backend="Vitis", hls_config=config, output_dir=str(tmp_path / "out")
    )
    assert [node.class_name for node in graph.get_layers()] == ["Input", "Dense", "Activation"]


def test_layers_without_a_place_are_refused_by_name(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((8, 8, 1), name="x"), keras.layers.Conv2D(2, 2, name="conv")])
    with pytest.raises(UnsupportedError, match=r"layer 'conv' \(Conv2D\) has no place in the engine"):
        converted(model, tmp_path / "out")


def test_a_model_in_a_file_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parse, "requested_backend", lambda: "ese")
    with pytest.raises(
        UnsupportedError, match=r"the model is given as a file; .*: load the file, and pass the model to conv"
    ):
        parse.ParseForEse(lambda *_: None, lambda *_: None)({}, object())


def test_stock_function_is_called_for_other_backends() -> None:
    stock = parse.ParseForEse(lambda arch, reader: (arch, reader), lambda *_: None)
    assert stock("arch", "reader") == ("arch", "reader")
