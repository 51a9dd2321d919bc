# SPDX-License-Identifier: Apache-2.0
"""Keras operations between layers: the golden model computes what Keras computes, or they are refused by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers, ops

from ese_host.errors import UnsupportedError
from support.keras_models.plugin_models import as_list, convert, dense, fill, frames, functional, golden_values

PER_CHANNEL = np.arange(1, 8, dtype=np.float32) / 4

EXACT: dict[str, Callable[[Any], Any]] = {
    "sum": lambda q: q + q * 0.5,
    "difference and constants": lambda q: (1.0 - q) - (q - 0.25),
    "product": lambda q: q * q + ops.square(q),
    "quotient and sign": lambda q: -q / 2.0 + 1.5,
    "a constant for each channel": lambda q: ops.multiply(q, PER_CHANNEL) + PER_CHANNEL,
    "larger and smaller": lambda q: ops.maximum(q, -q) - ops.minimum(q, q * 0.25),
    "bounds": lambda q: ops.maximum(ops.minimum(q, 1.0), -0.75) + ops.minimum(-0.5, q),
    "relu": lambda q: ops.maximum(q, 0.0) + ops.relu(-q),
    "side by side": lambda q: ops.concatenate([q, -q], axis=-1),
    "shape": lambda q: ops.squeeze(ops.expand_dims(ops.reshape(q, (-1, 42)), 1), 1),
    "order of steps": lambda q: ops.flip(q, axis=1),
    "order of axes": lambda q: ops.transpose(q, (0, 2, 1)),
    "one step": lambda q: q[:, -1],
    "some steps": lambda q: q[:, 1::2],
    "steps from the end": lambda q: q[:, ::-2],
    "some features": lambda q: q[..., :3],
    "order of features": lambda q: ops.flip(q, axis=-1),
    "one feature": lambda q: q[:, :, 2],
    "everything": lambda q: q[:, :, 0:7],
}


@pytest.mark.parametrize("name", EXACT)
def test_operations_are_exact(name: str) -> None:
    model = functional(lambda q: layers.Activation("linear", name="end")(EXACT[name](q)))
    x = frames(model)
    value = golden_values(convert(model).ese_conversion, x)[0]
    assert np.array_equal(value, as_list(model(x, training=False))[0])


@pytest.mark.parametrize("function", [ops.gelu, ops.elu, ops.silu, ops.abs, lambda x: ops.clip(x, -0.5, 1.25)])
def test_functions_of_single_elements(function: Any) -> None:
    model = functional(lambda q: layers.Activation("linear", name="end")(function(q)))
    x = frames(model)
    value = golden_values(convert(model).ese_conversion, x)[0]
    assert np.abs(value - as_list(model(x, training=False))[0]).max() < 2.0**-10


def test_operations_between_engine_layers_and_in_inner_models() -> None:
    y = keras.Input((6, 7), name="y")
    inner = keras.Model(y, y * 0.5 + 0.25, name="inner")
    model = functional(lambda q: ops.tanh(dense(name="last")(dense(7, name="first")(inner(q)) - q)))
    x = frames(model)
    graph = convert(model)
    assert np.abs(golden_values(graph.ese_conversion, x)[0] - as_list(model(x))[0]).max() < 2.0**-12
    assert "inner_multiply" in str(graph)
    assert "inner_add" in str(graph)


def test_one_letter_names_are_kept() -> None:
    names = list("inputl")
    model = fill(keras.Sequential([keras.Input((7,), name="x"), *(layers.Dense(7, name=name) for name in names)]))
    assert [node.name for node in convert(model).get_layers()][1:] == names


REFUSALS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "power": (lambda q: q**3, r"layer '\w+' \(Power\) has no place in the engine; it runs"),
    "constant at every step": (
        lambda q: q * np.ones((6, 1), np.float32),
        r"\(Multiply\) combines a tensor with a constant of shape \(6, 1\); one number, or one for each element of the",
    ),
    "quotient of tensors": (lambda q: q / (q + 4.0), r"\(TrueDivide\) divides by a tensor or by zero; only a division"),
    "samples and steps": (
        lambda q: ops.reshape(q, (-1, 7)),
        r"\(Reshape\) makes tensors of shape \(6, 7\) into",
    ),
    "samples": (lambda q: ops.flip(q, axis=0), r"\(Flip\) reverses the axis of the samples; the axes behind it"),
    "some samples": (
        lambda q: q[2:, :],
        r"\(GetItem\) takes only some of the samples, \[2:, :\]; all are",
    ),
    "new axis": (
        lambda q: q[:, None],
        r"\(GetItem\) takes elements \[:, None\]; whole numbers, slices and ... are",
    ),
    "no axis": (lambda q: ops.reshape(q, (-1, 42))[:, 0], r"\(GetItem\) has a tensor of shape \(samples,\); at least"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_operations_without_a_step_are_refused_by_name(case: str) -> None:
    build, message = REFUSALS[case]
    with pytest.raises(UnsupportedError, match=message):
        convert(functional(build))


def test_an_input_without_features_is_refused() -> None:
    x = keras.Input((), name="x")
    with pytest.raises(UnsupportedError, match=r"layer 'x' \(InputLayer\) has a tensor of shape \(samples,\); .*say"):
        convert(keras.Model(x, layers.Dense(2)(layers.Reshape((1,))(x))))
