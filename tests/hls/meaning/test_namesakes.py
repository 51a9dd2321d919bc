# SPDX-License-Identifier: Apache-2.0
"""Functions and quantizers that only share a name, and one-bit quantizers: computed as Keras does, or refused."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers as kl
from qkeras import QActivation, binary, quantized_bits, quantized_hswish, quantized_linear, quantized_tanh

from ese_host.errors import UnsupportedError
from support.keras_models.plugin_models import chain, convert, dense, golden_values, lstm


def relu(x: Any) -> Any:
    return x * 2


def linear(x: Any) -> Any:
    return x * 2


def softmax(x: Any) -> Any:
    return x * 2


def tanh(x: Any) -> Any:
    return keras.activations.relu(x)


def hard_sigmoid(x: Any) -> Any:
    return keras.activations.hard_sigmoid(x) - 1


class HalvedTanh(quantized_tanh):  # type: ignore[misc]
    def __call__(self, x: Any) -> Any:
        return super().__call__(x * 0.5)


HalvedTanh.__name__ = "quantized_tanh"

FUNCTIONS = [relu, linear, softmax, tanh, hard_sigmoid]
SIGNS = [
    quantized_bits(1, 0, alpha=1),
    quantized_bits(1, 1),
    quantized_bits(1, 0, alpha=0.5),
    quantized_linear(1, 0),
    binary(alpha=1),
    binary(alpha=1, use_01=True),
    "binary_tanh",
    "binary_sigmoid",
]


def binary_net(sign: Any) -> Any:
    """Layers of signs, with the activation between them."""
    layers = [dense(8, name="first", kernel_quantizer=binary(alpha=1)), kl.BatchNormalization(epsilon=0.0, name="n")]
    layers += [QActivation(sign, name="sign"), dense(3, kernel_quantizer=binary(alpha=1))]
    return chain(*layers, shape=(6,), density=1.0)


def of(build: Callable[[Any], Any], *given: Any) -> dict[str, Callable[[], Any]]:
    """Models that differ in a function or quantizer, each built when it is needed, by names for pytest."""
    return {f"{build.__name__} {number}": partial(build, one) for number, one in enumerate(given)}


def dense_of(function: Any) -> Any:
    return chain(kl.Dense(3, activation=function), shape=(6,))


def activation_of(function: Any) -> Any:
    return chain(dense(), QActivation(function), shape=(6,))


def cell_of(function: Any) -> Any:
    return chain(lstm(activation=function))


def gate_of(function: Any) -> Any:
    return chain(lstm(recurrent_activation=function))


def state_of(sign: Any) -> Any:
    return chain(lstm(state_quantizer=sign))


def input_of(sign: Any) -> Any:
    return chain(dense(), shape=(6,), source=QActivation(sign))


MODELS = {
    **of(dense_of, *FUNCTIONS),
    **of(activation_of, *FUNCTIONS, HalvedTanh(8), quantized_hswish(8, 2)),
    **of(cell_of, tanh, HalvedTanh(8), *SIGNS),
    **of(gate_of, hard_sigmoid, *SIGNS),
    **of(state_of, *SIGNS),
    **of(input_of, *SIGNS),
    **of(binary_net, *SIGNS),
}


@pytest.mark.parametrize("name", MODELS)
def test_a_model_is_computed_or_refused(name: str) -> None:
    model = MODELS[name]()
    x = np.random.default_rng(0).normal(size=(40, *model.inputs[0].shape[1:])).astype(np.float32)
    try:
        found = golden_values(convert(model).ese_conversion, [x])[0]
    except UnsupportedError as error:
        assert "layer " in str(error)
        return
    expected = np.asarray(model(x, training=False))
    exact = name.split()[0] in ("input_of", "binary_net")
    np.testing.assert_allclose(found, expected, rtol=0, atol=0 if exact else 2.0**-8 * (1 + np.abs(expected).max()))


@pytest.mark.parametrize("quantizer", [q for q in SIGNS if not isinstance(q, str)], ids=lambda q: type(q).__name__)
def test_signs_as_weights_are_exact(quantizer: Any) -> None:
    model = chain(dense(5, kernel_quantizer=quantizer), shape=(6,), density=1.0)
    x = np.random.default_rng(0).normal(size=(40, 6)).astype(np.float32)
    found = golden_values(convert(model).ese_conversion, [x])[0]
    np.testing.assert_array_equal(found, np.asarray(model(x, training=False)))
