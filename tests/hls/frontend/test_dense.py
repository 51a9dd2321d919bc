# SPDX-License-Identifier: Apache-2.0
"""Fully connected layers, with every argument that changes what they compute: exact or refused."""

from __future__ import annotations

from itertools import product
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers
from qkeras import QActivation, QDense, QDenseBatchnorm, bernoulli, quantized_bits, quantized_relu

from ese_host.errors import UnsupportedError
from support.keras_models.plugin_models import as_list, bits, convert, fill, frames, golden_values


def batchnorm(use_bias: bool, mode: str, delay: int | None, alpha: Any = 1.0, **options: Any) -> Any:
    return QDenseBatchnorm(
        5,
        kernel_quantizer=quantized_bits(6, 0, alpha=alpha),
        bias_quantizer=bits(12, 3),
        use_bias=use_bias,
        folding_mode=mode,
        ema_freeze_delay=delay,
        name="folded",
        **options,
    )


def model_of(*made: Any, shape: tuple[int, ...] = (7,)) -> Any:
    """A model of the layers; its statistics and factors are random."""
    source = QActivation(bits(8, 2), name="source")
    model = fill(keras.Sequential([keras.Input(shape, name="x"), source, *made]), density=1.0)
    rng = np.random.default_rng(5)
    for variable in model.weights:
        if variable.path.split("/")[-1] in ("gamma", "beta", "moving_mean", "moving_variance"):
            variable.assign(rng.uniform(-1 if "mean" in variable.path or "beta" in variable.path else 0.3, 2, 5))
    return model


def equal(model: Any) -> None:
    x = frames(model)
    value = golden_values(convert(model).ese_conversion, x)[0]
    assert np.array_equal(value, as_list(model(x, training=False))[0])


@pytest.mark.parametrize(
    ("use_bias", "mode", "delay"), list(product([True, False], ["ema_stats_folding", "batch_stats_folding"], [None, 7]))
)
def test_batch_norm_folded_into_the_kernel(use_bias: bool, mode: str, delay: int | None) -> None:
    equal(model_of(batchnorm(use_bias, mode, delay)))


def test_batch_norm_folded_with_an_activation_at_every_step() -> None:
    folded = batchnorm(True, "ema_stats_folding", None, "auto_po2", activation=quantized_relu(8, 3))
    equal(model_of(layers.TimeDistributed(folded, name="every"), shape=(4, 7)))


@pytest.mark.parametrize("mode", ["int8", "int4", "float8"])
def test_weights_that_keras_quantized_are_refused_by_name(mode: str) -> None:
    for layer in (layers.Dense(2, name="small"), layers.TimeDistributed(layers.Dense(2, name="inner"), name="small")):
        shape = (7,) if isinstance(layer, layers.Dense) else (4, 7)
        model = fill(keras.Sequential([keras.Input(shape, name="x"), layer]))
        model.quantize(mode)
        with pytest.raises(UnsupportedError, match=rf"layer 'small' \(Dense\) was quantized by Keras to {mode}, .*: c"):
            convert(model)


def test_lora_is_part_of_the_kernel() -> None:
    model = model_of(layers.Dense(5, name="tuned"))
    model.get_layer("tuned").enable_lora(2)
    for variable in model.get_layer("tuned").weights:
        if "lora" in variable.path:
            variable.assign(np.random.default_rng(2).integers(-2, 3, variable.shape) / 4)
    kernel = np.asarray(model.get_layer("tuned").kernel)
    model.get_layer("tuned")._kernel.assign(np.round(model.get_layer("tuned")._kernel * 64) / 64)
    assert not np.array_equal(kernel, np.asarray(model.get_layer("tuned")._kernel))
    x = frames(model)
    value = golden_values(convert(model).ese_conversion, x)[0]
    assert np.abs(value - as_list(model(x))[0]).max() < 0.02


class DoubledDense(layers.Dense):  # type: ignore[misc]
    """A layer with a call() of its own."""

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        return super().call(inputs, training) * 2


class OwnQDense(QDense):  # type: ignore[misc]
    """A subclass of a QKeras layer."""


@pytest.mark.parametrize("kind", [DoubledDense, type("Dense", (DoubledDense,), {}), OwnQDense])
def test_classes_of_others_are_refused_by_name(kind: Any) -> None:
    for layer in (kind(3, name="own"), layers.TimeDistributed(kind(3), name="own")):
        shape = (4, 7) if isinstance(layer, layers.TimeDistributed) else (7,)
        with pytest.raises(UnsupportedError, match=r"layer 'own' \(\w+\) (has no place in the engine|wraps \w+)"):
            convert(fill(keras.Sequential([keras.Input(shape, name="x"), layer])))


@pytest.mark.parametrize("shape", [(4,), (3, 4), (2, 3, 4)])
def test_flatten_of_channels_first(shape: tuple[int, ...]) -> None:
    equal(model_of(layers.Flatten(data_format="channels_first", name="flat"), shape=shape))


@pytest.mark.parametrize("kind", ["float16", "bfloat16"])
def test_half_precision_is_refused_by_name(kind: str) -> None:
    model = fill(keras.Sequential([keras.Input((6,)), keras.layers.Dense(3, dtype=kind, name="half")]))
    with pytest.raises(UnsupportedError, match=rf"^layer 'half' \(Dense\) computes in {kind}; float32 is allowed"):
        convert(model)


def test_a_bias_of_random_numbers_is_refused_by_name() -> None:
    model = fill(keras.Sequential([keras.Input((6,)), QDense(3, bias_quantizer=bernoulli(), name="d")]))
    with pytest.raises(UnsupportedError, match=r"^layer 'd': bias has quantizer bernoulli.*, which is not for weights"):
        convert(model)
