# SPDX-License-Identifier: Apache-2.0
"""Seeded models that are the same in both generations of Keras; every activation is a QKeras quantizer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from qkeras import (
    QLSTM,
    QActivation,
    QDense,
    QLSTMCell,
    binary,
    quantized_bits,
    quantized_po2,
    quantized_relu,
    quantized_sigmoid,
    quantized_tanh,
    stochastic_ternary,
    ternary,
)


def bits(width: int, integer: int) -> Any:
    return quantized_bits(width, integer, alpha=1)


def activations() -> dict[str, Any]:
    """The hard activations of a recurrent layer."""
    return {"activation": quantized_tanh(8), "recurrent_activation": quantized_sigmoid(8)}


def of_cells() -> dict[str, Any]:
    """The 8-bit quantizers and hard activations of an LSTM, without those of its kernels."""
    return {"bias_quantizer": bits(8, 2), "state_quantizer": bits(8, 1), **activations()}


def lstm(units: int, name: str, kernel: Any, recurrent: Any, **changes: Any) -> Any:
    """An 8-bit LSTM; QLSTM of qkeras-v3 uses a name only for its cell, so the layer's name is set afterwards."""
    options = {**of_cells(), "kernel_quantizer": kernel, "recurrent_quantizer": recurrent, **changes}
    layer = QLSTM(units, **options)
    layer._name = name
    if hasattr(layer, "path"):
        layer.name = name
    return layer


def gru(units: int, name: str, **options: Any) -> Any:
    """A GRU of Keras with the activations of `lstm`; QGRU of QKeras 0.9 cannot be called with TensorFlow 2.14."""
    return keras.layers.GRU(units, name=name, **activations(), **options)


def cell(units: int, name: str) -> Any:
    """An 8-bit LSTM cell."""
    kernel = quantized_bits(4, 0, alpha=1.0)
    return QLSTMCell(units, kernel_quantizer=kernel, recurrent_quantizer=kernel, name=name, **of_cells())


def dense(units: int, name: str, kernel: Any, **changes: Any) -> Any:
    return QDense(units, kernel_quantizer=kernel, bias_quantizer=bits(8, 2), name=name, **changes)


def sequential(*layers: Any, shape: tuple[int, ...] = (6, 7)) -> Any:
    source = QActivation(bits(8, 2), name="source")
    return keras.Sequential([keras.Input(shape, name="x"), source, *layers])


def classifier() -> Any:
    """Kernels with alpha='auto_po2', alpha=1.0, and alpha=None, which QLSTM changes to 'auto_po2'."""
    return sequential(
        lstm(10, "lstm", quantized_bits(4, 0, alpha="auto_po2"), quantized_bits(4, 0)),
        dense(5, "dense", quantized_bits(4, 0, alpha=1.0)),
        keras.layers.Activation("softmax", name="softmax"),
    )


def stacked() -> Any:
    """Two LSTM layers with Dropout and quantizers between layers, a ReLU, and kernels with alpha='auto'."""
    return sequential(
        lstm(6, "first", quantized_bits(4, 0, alpha="auto"), quantized_bits(4, 0, alpha="auto"), return_sequences=True),
        keras.layers.Dropout(0.3, name="drop"),
        QActivation(bits(8, 0), name="h"),
        lstm(5, "second", quantized_bits(4, 0, alpha=1.0), quantized_bits(4, 0, alpha=1.0), use_bias=False),
        QActivation(bits(8, 0), name="g"),
        dense(6, "hidden", quantized_bits(4, 0, alpha="auto"), activation=quantized_relu(8, 2)),
        dense(4, "last", quantized_bits(4, 0, alpha="auto_po2")),
    )


def ternary_network() -> Any:
    """Ternary weights of every alpha, and quantizers that compute a smooth tanh and sigmoid."""
    smooth = {
        "activation": quantized_tanh(8, use_real_tanh=True),
        "recurrent_activation": quantized_sigmoid(8, use_real_sigmoid=True),
    }
    return sequential(
        lstm(8, "lstm", ternary(alpha="auto"), ternary(alpha="auto_po2"), **smooth),
        dense(5, "dense", stochastic_ternary(alpha="auto")),
    )


def mixed() -> Any:
    """Kernels of different quantizers, which the engine stores as one weight kind."""
    return sequential(
        lstm(6, "lstm", ternary(alpha=0.5, threshold=0.2), quantized_bits(8, 0, 1, alpha="auto_po2")),
        QActivation(bits(8, 0), name="h"),
        dense(5, "binary", binary(alpha=1.0)),
        QActivation(quantized_relu(6, 1), name="relu"),
        dense(5, "powers", quantized_po2(4, 1)),
        QActivation(bits(16, 2), name="wide"),
        dense(4, "last", quantized_bits(12, 1, alpha=1.0), use_bias=False),
    )


def functional() -> Any:
    """A fully connected network, built as a functional model."""
    x = keras.Input((12,), name="x")
    value = QActivation(bits(6, 1), name="source")(x)
    value = dense(9, "hidden", quantized_bits(6, 0, 1, alpha="auto_po2"))(value)
    value = QActivation(quantized_relu(8, 3), name="relu")(value)
    return keras.Model(x, dense(3, "last", quantized_bits(8, 1, alpha=None))(value))


def wrapped() -> Any:
    """Wrapper layers, a normalization that becomes a host operation, and masked frames."""
    kernel = quantized_bits(4, 0, alpha=1.0)
    x = keras.Input((6, 7), name="x")
    value = keras.layers.Masking(0.0, name="mask")(x)
    inner = lstm(5, "inner", kernel, quantized_bits(4, 0, alpha="auto_po2"), return_sequences=True)
    value = keras.layers.Bidirectional(inner, name="both")(QActivation(bits(8, 2), name="source")(value))
    value = keras.layers.TimeDistributed(dense(4, "each", kernel), name="every")(
        QActivation(bits(8, 0), name="h")(value)
    )
    value = keras.layers.BatchNormalization(name="norm")(value)
    value = keras.layers.Flatten(name="flat")(QActivation(bits(8, 2), name="n")(value))
    return keras.Model(x, dense(3, "last", kernel)(value))


def gated() -> Any:
    """GRU layers of both forms, one of which runs backwards, and a cell."""
    low = keras.layers.GRUCell(3, name="low", **activations())
    high = keras.layers.GRUCell(4, name="high", reset_after=False, **activations())
    return sequential(
        gru(5, "before", reset_after=False, return_sequences=True),
        gru(4, "after", return_sequences=True, go_backwards=True, use_bias=False),
        keras.layers.RNN([low, high], name="stack"),
        dense(3, "last", quantized_bits(4, 0, alpha=1.0)),
    )


MODELS: dict[str, Callable[[], Any]] = {
    "classifier": classifier,
    "stacked": stacked,
    "ternary": ternary_network,
    "mixed": mixed,
    "functional": functional,
    "wrapped": wrapped,
    "gated": gated,
}


def filled(model: Any, density: float = 0.4, seed: int = 11) -> Any:
    """The model with seeded weights; a share of about `density` of each kernel is not zero."""
    rng = np.random.default_rng(seed)
    for layer in (inner for outer in model.layers for inner in _within(outer)):
        holder = getattr(layer, "cell", layer)
        names = ("kernel", "recurrent_kernel", "bias")
        for owner, name in ((one, name) for one in getattr(holder, "cells", [holder]) for name in names):
            variable = getattr(owner, name, None)
            if variable is not None:
                values = rng.normal(scale=0.5, size=tuple(variable.shape))
                if name != "bias":
                    values[rng.random(values.shape) >= density] = 0
                variable.assign(values)
    return model


def _within(layer: Any) -> list[Any]:
    """The layers that a layer wraps, or the layer itself."""
    if hasattr(layer, "forward_layer"):
        return [layer.forward_layer, layer.backward_layer]
    return [getattr(layer, "layer", layer)]


def converted(model: Any, folder: Any) -> Any:
    """The model converted through hls4ml with backend ESE, as a user does it."""
    import hls4ml

    config = hls4ml.utils.config_from_keras_model(model, granularity="name", backend="ESE")
    config["Model"]["PEs"] = 2
    return hls4ml.converters.convert_from_keras_model(
        model, backend="ESE", output_dir=str(folder), hls_config=config, io_type="io_stream"
    )
