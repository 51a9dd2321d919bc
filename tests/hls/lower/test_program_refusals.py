"""Layers that no program can compute are refused by name, with what to change."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import keras
import pytest
from keras import layers as kl
from qkeras import QActivation, QConv1D, binary, quantized_bits, ternary

from ese_host.errors import UnsupportedError
from support.plugin_models import bits, convert, dense, fill, functional, recurrent

ACTIVATIONS = (
    "relu, tanh, sigmoid, hard_tanh, hard_sigmoid, quantized_bits, quantized_relu, quantized_tanh, quantized_sigmoid "
    "and ternary are allowed, and softmax as the model's last layer: use one of them"
)
MAPPED = (
    "LSTM, QLSTM, QLSTMP, Dense, QDense, Bidirectional, TimeDistributed, activations and quantizers, "
    "BatchNormalization, Masking, merges along the last axis, Reshape, Flatten, RepeatVector, Dropout, and a softmax "
    "at the end"
)


def after(*layers: Any, shape: tuple[int | None, ...] = (6, 7)) -> Callable[[], Any]:
    def build(q: Any) -> Any:
        for layer in layers:
            q = layer(q)
        return q

    return lambda: functional(build, shape)


def unequal(q: Any) -> Any:
    return kl.Add(name="sum")([dense(4, name="a")(q), dense(1, name="b")(q)])


def joined(q: Any) -> Any:
    return kl.Concatenate(axis=1, name="join")([dense(4, name="a")(q), dense(4, name="b")(q)])


def started() -> Any:
    x, h, c = keras.Input((6, 7), name="x"), keras.Input((4,), name="h"), keras.Input((4,), name="c")
    return fill(keras.Model([x, h, c], recurrent("l", units=4)(x, initial_state=[h, c])))


REFUSALS: dict[str, tuple[Callable[[], Any], str]] = {
    "states": (
        lambda: functional(lambda q: dense()(recurrent("l", return_state=True)(q)[0])),
        "layer 'l' (QLSTM) has return_state=True; only False is allowed, since the engine runs whole sequences and "
        "returns no states: build the layer with return_state=False",
    ),
    "initial state": (
        started,
        "layer 'l' (QLSTM) is called with an initial state or with a mask that another layer computes; the engine "
        "starts with states of zero and takes masks only from Masking layers: call the layer with one tensor",
    ),
    "GRU both ways": (
        after(kl.Bidirectional(kl.GRU(3), name="both")),
        "layer 'both' (Bidirectional) wraps GRU; LSTM, QLSTM and QLSTMP are allowed: use one of them",
    ),
    "GRU backwards": (
        after(kl.Bidirectional(kl.LSTM(3), backward_layer=kl.GRU(3, go_backwards=True), name="both")),
        "layer 'both' (Bidirectional) wraps GRU; LSTM, QLSTM and QLSTMP are allowed: use one of them",
    ),
    "unmapped layer of QKeras": (
        after(QConv1D(2, 2, name="every")),
        f"layer 'every' (QConv1D) has no place in the engine; it runs {MAPPED}: replace the layer or leave it out",
    ),
    "convolution at every step": (
        after(kl.TimeDistributed(kl.Conv1D(2, 2), name="every"), shape=(6, 7, 3)),
        "layer 'every' (TimeDistributed) wraps Conv1D; Dense, QDense, Activation, QActivation, ReLU and Dropout are "
        "allowed: use one of them",
    ),
    "bounded ReLU": (
        after(dense(), kl.ReLU(max_value=6, name="six")),
        "layer 'six' (ReLU) has max_value=6; only None is allowed: leave the option out, or use QActivation with "
        "quantized_relu(bits, integer), which bounds values by its format",
    ),
    "function": (
        after(dense(), kl.Activation("gelu", name="bent")),
        f"layer 'bent' (Activation, gelu) cannot stand after 'dense' (QDense); {ACTIVATIONS}",
    ),
    "ternary of a scale from the batch": (
        after(dense(), QActivation(ternary(alpha="auto"), name="three"), dense(name="last")),
        "layer 'three' is ternary(alpha='auto'), used as an activation; alpha=None or a power of two, and a positive "
        "threshold are allowed: set alpha and threshold so",
    ),
    "binary": (
        after(dense(), QActivation(binary(alpha=1.0), name="two"), dense(name="last")),
        f"layer 'two' (QActivation, binary(alpha=1.0)) cannot stand after 'dense' (QDense); {ACTIVATIONS}",
    ),
    "softmax along steps": (
        after(dense(), kl.Softmax(axis=1, name="along")),
        "layer 'along' (Softmax, softmax) cannot stand after 'dense' (QDense); a softmax is allowed only as the "
        "model's last layer, over the last axis: move it there or leave it out",
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
    "joined along steps": (
        lambda: functional(joined),
        "layer 'join' (Concatenate) joins tensors along axis 1; the last axis is allowed: build it with axis=-1",
    ),
    "swapped axes": (
        after(kl.Permute((2, 1), name="swap"), dense()),
        "layer 'swap' (Permute) swaps axes (2, 1); only an order that changes nothing is allowed: permute the data "
        "before the model",
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
    "mask through a Dense layer": (
        after(kl.Masking(0.0, name="mask"), dense(4, activation=quantized_bits(8, 2, alpha=1)), recurrent("l")),
        "layer 'l' (QLSTM) gets the mask of a Masking layer with other layers between; a Masking layer is allowed only "
        "right before LSTM layers: put it there, behind the input's quantizer",
    ),
    "masked and backwards": (
        after(kl.Masking(0.0, name="mask"), recurrent("l", go_backwards=True, return_sequences=True), dense()),
        "layer 'l' (QLSTM) runs backwards over masked sequences and returns sequences; that is allowed only within "
        "Bidirectional, since Keras orders masked frames differently elsewhere: wrap the layer in Bidirectional, or "
        "leave Masking out",
    ),
    "nested, masked from outside": (
        after(
            kl.Masking(0.0, name="mask"), keras.Sequential([keras.Input((6, 7)), recurrent("l")], name="inner"), dense()
        ),
        "layer 'inner' (Sequential) is a model that gets a mask from the outer model; masks are allowed only within "
        "one model: put the Masking layer into the inner model, or the inner model's layers into the outer model",
    ),
    "masked softmax": (
        after(kl.Masking(0.0, name="mask"), dense(), kl.Softmax(name="soft")),
        "layer 'soft' (Softmax) gets a mask, which Keras's Softmax layer applies to features; a softmax without a mask "
        "is allowed: use Activation('softmax'), which takes none",
    ),
    "nested convolution": (
        after(keras.Sequential([keras.Input((6, 7)), kl.Conv1D(2, 2, name="conv")], name="inner")),
        f"layer 'inner' (Sequential) contains layer 'conv' (Conv1D), which has no place in the engine; it runs "
        f"{MAPPED}: replace the layer or leave it out",
    ),
    "two formats of LSTM": (
        after(
            recurrent("a", return_sequences=True), kl.ReLU(name="cut"), QActivation(bits(8, 0), name="q"),
            recurrent("b", state_quantizer=bits(8, 2)),
        ),
        "layer 'b': its formats (Fixed(bits=8, integer=3, signed=True, symmetric=False), Fixed(bits=16, integer=1, "
        "signed=True, symmetric=False), ",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSALS)
def test_refused_by_name(case: str) -> None:
    build, message = REFUSALS[case]
    with pytest.raises(UnsupportedError, match=f"^{re.escape(message)}" + ("" if message.endswith(" ") else "$")):
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
