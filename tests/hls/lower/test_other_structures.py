# SPDX-License-Identifier: Apache-2.0
"""Models whose structure is unlike the others': shared layers, no layer with weights, signs of tiny inputs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import hls4ml
import keras
import numpy as np
import pytest
from keras import layers
from qkeras import QActivation, binary, quantized_bits, quantized_po2

from ese_hls.emulate import codes_of
from ese_hls.warnings import ConversionWarning
from ese_host.interface import outputs_of
from ese_host.ir.program import run
from support.keras_models.plugin_models import fill


def outputs(model: Any, x: Any, out: Path) -> Any:
    """The first output of the converted model, by the golden model."""
    config = hls4ml.utils.config_from_keras_model(model, granularity="name", backend="ESE")
    graph = hls4ml.converters.convert_from_keras_model(model, hls_config=config, backend="ESE", output_dir=str(out))
    conversion = graph.ese_conversion
    return outputs_of(run(conversion.program, codes_of(conversion, [x])), conversion.outputs)[0]


def shared(layer: Any, shape: tuple[int, ...]) -> Any:
    x = keras.Input(shape)
    return fill(keras.Model(x, layer(layer(x))), density=1.0)


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (lambda: layers.Dense(4, activation="tanh"), (4,)),
        (lambda: layers.LSTM(4, return_sequences=True), (5, 4)),
        (lambda: layers.Bidirectional(layers.LSTM(2, return_sequences=True)), (5, 4)),
    ],
)
def test_a_float_layer_that_is_called_twice(layer: Any, shape: tuple[int, ...], tmp_path: Path) -> None:
    model = shared(layer(), shape)
    x = np.random.default_rng(0).normal(size=(20, *shape)).astype(np.float32)
    assert np.abs(outputs(model, x, tmp_path) - np.asarray(model(x))).max() < 0.005


@pytest.mark.parametrize("layer", [lambda: layers.Dropout(0.5), lambda: layers.Activation("linear")])
def test_a_model_that_changes_nothing(layer: Any, tmp_path: Path) -> None:
    x = np.linspace(-3, 3, 12, dtype=np.float32).reshape(2, 6)
    model = keras.Sequential([keras.Input((6,)), layer()])
    assert np.abs(outputs(model, x, tmp_path) - x).max() <= 2.0**-11


@pytest.mark.parametrize(
    "quantizer",
    [lambda: quantized_bits(1, 0, alpha=1), lambda: quantized_bits(1, 1), lambda: binary(alpha=1), quantized_po2],
)
def test_the_sign_of_an_input_by_itself(quantizer: Any, tmp_path: Path) -> None:
    made = quantizer(4) if quantizer is quantized_po2 else quantizer()
    model = keras.Sequential([keras.Input((6,)), QActivation(made)])
    x = np.array([[-1.5, -0.9, -0.3, 0.3, 0.9, 1.5], [0.0, -0.0, 1e-30, -1e-30, 1e-6, -1e-6]], np.float32)
    assert np.array_equal(outputs(model, x, tmp_path), np.asarray(model(x)))


@pytest.mark.parametrize("function", ["gelu", "elu", "swish"])
@pytest.mark.filterwarnings("ignore::ese_hls.warnings.ConversionWarning")
def test_a_table_of_a_float_layer_is_as_fine_as_the_precision(function: str, tmp_path: Path) -> None:
    keras.utils.set_random_seed(3)
    first, second = (layers.Dense(16, activation=function) for _ in range(2))
    model = keras.Sequential([keras.Input((10,)), first, second, layers.Dense(5)])
    x = np.random.default_rng(1).normal(size=(200, 10)).astype(np.float32)
    expected = np.asarray(model(x))
    assert np.abs(outputs(model, x, tmp_path) - expected).max() < 0.003 * np.abs(expected).max() + 0.002


def test_saturation_before_a_table_is_a_warning(tmp_path: Path) -> None:
    model = fill(keras.Sequential([keras.Input((10,)), layers.Dense(8, name="sums", activation="gelu")]), density=1.0)
    with pytest.warns(ConversionWarning, match="layer 'sums'.*saturated beyond fixed<16,6>"):
        outputs(model, np.zeros((1, 10), np.float32), tmp_path)
