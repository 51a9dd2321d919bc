# SPDX-License-Identifier: Apache-2.0
"""Layers that no program can compute are refused by name, with what to change."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import keras
import pytest
from keras import layers as kl
from qkeras import QActivation, QConv1D

from ese_hls.frontend import MAPPED
from ese_host.errors import UnsupportedError
from support.keras_models.plugin_models import bits, convert, dense, fill, functional, recurrent


def after(*layers: Any, shape: tuple[int | None, ...] = (6, 7)) -> Callable[[], Any]:
    def build(q: Any) -> Any:
        for layer in layers:
            q = layer(q)
        return q

    return lambda: functional(build, shape)


def unequal(q: Any) -> Any:
    return kl.Add(name="sum")([dense(4, name="a")(q), dense(1, name="b")(q)])


def started() -> Any:
    x, h, c = keras.Input((6, 7), name="x"), keras.Input((4,), name="h"), keras.Input((4,), name="c")
    return fill(keras.Model([x, h, c], recurrent("l", units=4)(x, initial_state=[h, c])))


REFUSALS: dict[str, tuple[Callable[[], Any], str]] = {
    "states": (
        lambda: functional(lambda q: dense()(recurrent("l", return_state=True)(q)[2])),
        "layer 'l' (QLSTM) returns a state that the model reads; of the states only h of the last cell is allowed, "
        "since it is the last output: build the layer with return_state=False, or use only its output and h",
    ),
    "initial state": (
        started,
        "layer 'l' (QLSTM) is called with an initial state; the engine starts with states of zero: call the layer with "
        "one tensor",
    ),
    "unmapped layer of QKeras": (
        after(QConv1D(2, 2, name="every")),
        f"layer 'every' (QConv1D) has no place in the engine; it runs {MAPPED}: replace the layer or leave it out",
    ),
    "convolution at every step": (
        after(kl.TimeDistributed(kl.Conv1D(2, 2), name="every"), shape=(6, 7, 3)),
        "layer 'every' (TimeDistributed) wraps Conv1D; Dense, QDense, QDenseBatchnorm, Activation, QActivation, ReLU, "
        "LeakyReLU, ELU, BatchNormalization, QBatchNormalization, LayerNormalization and Dropout are allowed: use one "
        "of them",
    ),
    "normalization along steps": (
        after(kl.BatchNormalization(axis=1, name="norm"), dense()),
        "layer 'norm' (BatchNormalization) normalizes axis 1; the last axis is allowed: build it with axis=-1",
    ),
    "shapes that differ": (
        lambda: functional(unequal, (7,)),
        "layer 'sum' (Add) combines tensors of shapes [(4,), (1,)]; only equal shapes are allowed: repeat or reshape "
        "the smaller",
    ),
    "reshaped, of any length": (
        after(kl.Reshape((-1, 14), name="pairs"), dense(), shape=(None, 7)),
        "layer 'pairs' (Reshape) gives tensors of shape (None, 14); only axes of known length are allowed: give the "
        "model's input a fixed number of steps",
    ),
    "mask value": (
        after(kl.Masking(-0.3, name="mask"), recurrent("l"), dense()),
        "layer 'mask' (Masking) has mask_value=-0.3; only values of its input's format (fixed<8,3>) are allowed, since "
        "a frame can equal no other value: choose such a value, e.g. 0.0",
    ),
    "masked and backwards": (
        after(kl.Masking(0.0, name="mask"), recurrent("l", go_backwards=True, return_sequences=True), dense()),
        "layer 'l' (QLSTM) runs backwards over masked sequences and returns sequences; that is allowed only within "
        "Bidirectional, since Keras orders masked frames differently elsewhere: wrap the layer in Bidirectional, or "
        "leave Masking out",
    ),
    "masked softmax": (
        after(kl.Masking(0.0, name="mask"), dense(), kl.Softmax(name="soft")),
        "layer 'soft' (Softmax) gets a mask, which Keras's Softmax layer applies to features; a softmax without a mask "
        "is allowed: use Activation('softmax'), which takes none",
    ),
    "nested convolution": (
        after(keras.Sequential([keras.Input((6, 7)), kl.Conv1D(2, 2, name="conv")], name="inner")),
        f"layer 'inner_conv' (Conv1D) has no place in the engine; it runs {MAPPED}: replace the layer or leave it out",
    ),
    "five formats of LSTM": (
        after(
            *(recurrent(f"l{n}", return_sequences=True, state_quantizer=bits(8, n)) for n in range(4)),
            recurrent("l4", state_quantizer=bits(8, 4)),
        ),
        "layers 'l0', 'l1', 'l2', 'l3' and 'l4' differ in the formats of state, output or activations; an engine has 4 "
        "sets of them: give some of these layers the same state_quantizer, activation, recurrent_activation and "
        "quantizer behind them, or make two models",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSALS)
def test_refused_by_name(case: str) -> None:
    build, message = REFUSALS[case]
    with pytest.raises(UnsupportedError, match=f"^{re.escape(message)}" + "$"):
        convert(build())


def test_input_without_known_axes() -> None:
    x = keras.Input((None, None, 3), name="x")
    model = fill(keras.Model(x, dense()(QActivation(bits(8, 2), name="q")(x))))
    with pytest.raises(
        UnsupportedError,
        match=r"^input 'x' has shape \(None, None, 3\); allowed are \(features,\), \(steps, features\) with a known or "
        r"varying number of steps, and shapes of more axes that are all known: give the input such a shape$",
    ):
        convert(model)
