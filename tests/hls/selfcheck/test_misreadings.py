# SPDX-License-Identifier: Apache-2.0
"""Readers that misread a layer on purpose do not pass the self-check, which names the layer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import hls4ml
import keras
import numpy as np
import pytest
from keras import layers

from ese_hls.frontend import readers
from ese_host.errors import MismatchError
from support.keras_models.plugin_models import fill

Node = dict[str, Any]


def without_bias(node: Node) -> Node:
    return {**node, "tensors": replace(node["tensors"], bias=None)}


def swapped_gates(node: Node) -> Node:
    """Input gate and forget gate in each other's place."""

    def swapped(tensor: Any) -> Any:
        i, f, c, o = np.split(tensor.values, 4, axis=-1)
        return replace(tensor, values=np.concatenate([f, i, c, o], axis=-1))

    tensors = node["tensors"]
    kernels = {"kernel": swapped(tensors.kernel), "recurrent": swapped(tensors.recurrent)}
    return {**node, "tensors": replace(tensors, **kernels)}


def other_form(node: Node) -> Node:
    """The reset gate before the recurrent kernel in place of behind it, with the biases of the kernel only."""
    tensors = node["tensors"]
    bias = replace(tensors.bias, values=tensors.bias.values[0])
    return {**node, "tensors": replace(tensors, bias=bias, reset_after=False)}


def one_bias(node: Node) -> Node:
    """The biases of the recurrent kernel are dropped."""
    bias = node["tensors"].bias
    return {**node, "tensors": replace(node["tensors"], bias=replace(bias, values=bias.values * [[1], [0]]))}


def swapped_thirds(node: Node) -> Node:
    """Update gate and reset gate in each other's place."""

    def swapped(tensor: Any) -> Any:
        z, r, h = np.split(tensor.values, 3, axis=-1)
        return replace(tensor, values=np.concatenate([r, z, h], axis=-1))

    tensors = node["tensors"]
    parts = {part: swapped(getattr(tensors, part)) for part in ("kernel", "recurrent", "bias")}
    return {**node, "tensors": replace(tensors, **parts)}


def sigmoid_for_tanh(node: Node) -> Node:
    return {**node, "tensors": replace(node["tensors"], activation=keras.activations.sigmoid)}


def without_projected_state(node: Node) -> Node:
    """The recurrent kernel reads the state in the wrong order."""
    recurrent = node["tensors"].recurrent
    wrong = replace(recurrent, values=recurrent.values[::-1].copy())
    return {**node, "tensors": replace(node["tensors"], recurrent=wrong)}


def forwards(node: Node) -> Node:
    return {**node, "backwards": False}


def other_order(node: Node) -> Node:
    names = node["input_keras_tensor_names"]
    return {**node, "input_keras_tensor_names": names[::-1]}


def without_epsilon(node: Node) -> Node:
    return {**node, "factor": np.asarray(node["factor"]) * 1.01}


def as_it_is(node: Node) -> Node:
    return {**node, "activation": "linear"}


def other_value(node: Node) -> Node:
    return {**node, "value": 1.0}


def sequence(*stack: Any) -> Any:
    return fill(keras.Sequential([keras.Input((5, 4)), *stack]), density=0.8)


def difference() -> Any:
    x = keras.Input((4,))
    return fill(keras.Model(x, layers.Subtract()([layers.Dense(3)(x), layers.Dense(3)(x)])), density=0.8)


MISREADINGS: dict[str, tuple[str, Callable[[Node], Node], Callable[[], Any]]] = {
    "a bias is dropped": ("Dense", without_bias, lambda: sequence(layers.Dense(3, name="x"))),
    "two gates are swapped": ("LSTM", swapped_gates, lambda: sequence(layers.LSTM(3, name="x"), layers.Dense(2))),
    "tanh is read as sigmoid": ("LSTM", sigmoid_for_tanh, lambda: sequence(layers.LSTM(3, name="x"))),
    "the state is turned": ("LSTM", without_projected_state, lambda: sequence(layers.LSTM(3, name="x"))),
    "the reset gate is elsewhere": ("GRU", other_form, lambda: sequence(layers.GRU(3, name="x"))),
    "a bias of two is dropped": ("GRU", one_bias, lambda: sequence(layers.GRU(3, name="x"))),
    "z and r are swapped": ("GRU", swapped_thirds, lambda: sequence(layers.GRU(3, name="x"))),
    "a direction is lost": ("LSTM", forwards, lambda: sequence(layers.LSTM(3, go_backwards=True, name="x"))),
    "operands are swapped": ("Subtract", other_order, difference),
    "epsilon is lost": (
        "BatchNormalization", without_epsilon, lambda: sequence(layers.BatchNormalization(name="x"), layers.Dense(2))
    ),
    "a ReLU is lost": ("ReLU", as_it_is, lambda: sequence(layers.Dense(3, name="x"), layers.ReLU(), layers.Dense(2))),
    "another mask value": (
        "Masking", other_value, lambda: sequence(layers.Masking(name="m"), layers.LSTM(3, name="x"))
    ),
}  # fmt: skip
"""The layer that is misread, how, and a model with it."""


@pytest.mark.parametrize("what", MISREADINGS)
def test_a_misreading_is_found(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    kind, misread, model = MISREADINGS[what]
    read = readers.LAYERS[kind]

    def wrong(call: Any) -> tuple[Node, ...]:
        first, *others = read(call)
        return (misread(first), *others)

    built = model()
    hls4ml.converters.convert_from_keras_model(built, backend="ESE", output_dir="build/none")
    monkeypatch.setitem(readers.LAYERS, kind, wrong)
    with pytest.raises(MismatchError, match=r"layer '(x|m|subtract.*|batch.*)'.* Keras computes .* converted model"):
        hls4ml.converters.convert_from_keras_model(built, backend="ESE", output_dir="build/none")
