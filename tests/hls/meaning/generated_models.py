# SPDX-License-Identifier: Apache-2.0
"""Random models of mapped layers: their arguments, their quantizers, and what the contract says about their values.

A `Builder` draws everything from one source of random numbers. It keeps a bound on the difference from Keras that the
formats explain: 0 as long as inputs, states and activations have hard quantizers and every scale is a power of two
(docs/reference/numerics.md, "Against Keras"), and a small share of the values' size otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any

import keras
import numpy as np
from keras import layers as kl
from qkeras import (
    QGRU,
    QLSTM,
    QActivation,
    QBatchNormalization,
    QDense,
    bernoulli,
    binary,
    quantized_bits,
    quantized_linear,
    quantized_po2,
    quantized_relu,
    quantized_relu_po2,
    quantized_sigmoid,
    quantized_tanh,
    quantized_ulaw,
    stochastic_binary,
    stochastic_ternary,
    ternary,
)

ROUNDED = 0.02
"""Largest difference of a model with roundings that Keras does not have, relative to 1 plus its largest value: some
steps of 2**-10, hls4ml's default, times the gain of a few layers. A misread argument shows as more."""


@dataclass
class Builder:
    """Draws layers.

    Attributes:
        rng: source of random numbers.
        quantized: whether layers are QKeras's, with quantizers.
    """

    rng: Random
    quantized: bool

    def __post_init__(self) -> None:
        self.bound = 0.0 if self.quantized else ROUNDED
        self.state = self.format(7, 8)
        self.gate, self.cell = quantized_sigmoid(self.rng.choice([6, 8])), quantized_tanh(self.rng.choice([6, 8]))
        if self.quantized and self.rng.random() < 0.4:
            self.gate = "hard_sigmoid"

    def one_of(self, *choices: Any) -> Any:
        """One of several values or functions; a function is called."""
        chosen = self.rng.choice(choices)
        return chosen() if callable(chosen) else chosen

    def format(self, least: int = 3, most: int = 8) -> Any:
        """A signed quantizer that rounds and saturates."""
        bits, integer = self.rng.randint(least, most), self.rng.choice([0, 1, 2])
        symmetric = self.rng.choice([0, 1])
        return self.one_of(
            lambda: quantized_bits(bits, integer, symmetric, alpha=self.one_of(1, 1.0, None)),
            lambda: quantized_linear(bits, integer, symmetric, alpha=self.one_of(None, 2.0, 0.5)),
        )

    def rectifying(self) -> Any:
        """A quantizer without negative values."""
        bits, integer = self.rng.randint(2, 8), self.rng.choice([0, 1, 2])
        return self.one_of(
            lambda: quantized_relu(bits, integer),
            lambda: quantized_bits(bits, integer, keep_negative=False, alpha=1),
            lambda: quantized_relu(bits, integer, relu_upper_bound=1.0, is_quantized_clip=self.one_of(True, False)),
        )

    def of_weights(self) -> Any:
        """A quantizer of weights whose scales are powers of two."""
        bits, integer = self.rng.randint(1, 6), self.rng.choice([0, 1])
        return self.one_of(
            lambda: quantized_bits(bits, integer, self.one_of(0, 1), alpha=self.one_of(1, None, "auto_po2", 0.5)),
            lambda: quantized_linear(bits, integer, alpha=self.one_of(1.0, None, "auto_po2")),
            lambda: ternary(alpha=self.one_of(1, 0.5, "auto_po2")),
            lambda: stochastic_ternary(alpha="auto_po2"),
            lambda: binary(alpha=self.one_of(1, "auto_po2"), use_01=self.one_of(False, True)),
            lambda: stochastic_binary(alpha=self.one_of(1.0, "auto_po2")),
            lambda: quantized_po2(3, max_value=1),  # more bits let sums outgrow a float32
            lambda: quantized_relu_po2(2, max_value=1),
        )

    def odd(self) -> Any:
        """A quantizer with options or of a class that need not have a place as an activation."""
        return self.one_of(
            lambda: quantized_bits(1, self.one_of(0, 1), alpha=self.one_of(1, None, 0.5)),
            lambda: quantized_linear(1, self.one_of(0, 1), self.one_of(0, 1)),
            lambda: quantized_bits(6, 1, alpha=self.one_of(2.0, 0.75, 0.25)),
            lambda: quantized_bits(6, 1, alpha=1, qnoise_factor=self.one_of(0.0, 0.5, 1.0)),
            lambda: quantized_relu(6, 1, negative_slope=self.one_of(0.25, 0.5)),
            lambda: quantized_relu(6, 1, use_sigmoid=1),
            lambda: quantized_relu(6, 2, relu_upper_bound=self.one_of(1.5, 2.0, 3.0), is_quantized_clip=False),
            lambda: quantized_bits(6, 1, alpha=1, use_stochastic_rounding=True),
            lambda: quantized_tanh(self.one_of(1, 4, 8), symmetric=self.one_of(False, True)),
            lambda: quantized_sigmoid(self.one_of(1, 4, 8), symmetric=self.one_of(False, True)),
            lambda: ternary(alpha=self.one_of(1, 0.75), threshold=self.one_of(0.5, 0.3)),
            lambda: binary(alpha=self.one_of(1, 0.5, None), use_01=self.one_of(False, True)),
            lambda: stochastic_binary(alpha=1),
            lambda: quantized_po2(4),
            lambda: quantized_relu_po2(4),
            lambda: quantized_ulaw(6, 1),
            lambda: bernoulli(alpha=1),
            lambda: "binary_tanh",
            lambda: "binary_sigmoid",
        )

    def activation(self, tensor: Any) -> Any:
        """A tensor behind an activation or quantizer."""
        if not self.quantized:
            return kl.Activation(self.rng.choice(["relu", "tanh", "sigmoid", "hard_sigmoid", "linear"]))(tensor)
        return self.one_of(
            lambda: QActivation(self.format())(tensor),
            lambda: QActivation(self.rectifying())(tensor),
            lambda: QActivation(quantized_tanh(self.rng.randint(2, 8)))(tensor),
            lambda: QActivation(quantized_sigmoid(self.rng.randint(2, 8)))(tensor),
            lambda: QActivation(ternary(alpha=self.one_of(1, 2), threshold=self.one_of(0.25, 0.5)))(tensor),
            lambda: kl.Activation("relu")(tensor),
            lambda: kl.ReLU()(tensor),
            lambda: kl.Dropout(0.5)(tensor),
        )

    def narrow(self, tensor: Any) -> Any:
        """A tensor that a layer with weights can read as it is."""
        return QActivation(self.format())(tensor) if self.quantized else tensor

    def dense(self, tensor: Any) -> Any:
        """A tensor behind a fully connected layer."""
        units, use_bias = self.rng.randint(1, 5), self.rng.random() < 0.7
        if not self.quantized:
            options = {"activation": self.rng.choice([None, "relu", "tanh", "sigmoid"])}
            layer = kl.Dense(units, use_bias=use_bias, **options)
        else:
            options = {"activation": self.one_of(None, None, "relu", self.format, self.rectifying)}
            layer = QDense(
                units,
                use_bias=use_bias,
                kernel_quantizer=self.of_weights(),
                bias_quantizer=self.format(),
                **options,
            )
        wrap = len(tensor.shape) == 3 and options["activation"] is None and self.rng.random() < 0.3
        return kl.TimeDistributed(layer)(self.narrow(tensor)) if wrap else layer(self.narrow(tensor))

    def cells(self, sequences: bool, **options: Any) -> Any:
        """An LSTM or a GRU; all of a model share state and activations."""
        units = options.pop("units", self.rng.randint(1, 4))
        options |= {"return_sequences": sequences, "use_bias": self.rng.random() < 0.8}
        is_gru = self.rng.random() < 0.5
        options |= {"reset_after": self.rng.random() < 0.5} if is_gru else {}
        if not self.quantized:
            layer = kl.GRU if is_gru else kl.LSTM
            return layer(units, recurrent_activation=self.rng.choice(["sigmoid", "hard_sigmoid"]), **options)
        if is_gru and isinstance(self.gate, str):  # r * h is rounded, and Keras rounds products of so many bits
            self.bound = ROUNDED
        return (QGRU if is_gru else QLSTM)(
            units,
            kernel_quantizer=self.of_weights(),
            recurrent_quantizer=self.of_weights(),
            bias_quantizer=self.format(),
            state_quantizer=self.state,
            activation=self.cell,
            recurrent_activation=self.gate,
            **options,
        )

    def recurrent(self, tensor: Any) -> Any:
        """A tensor behind a recurrent layer in one or both directions, or behind Masking and such a layer."""
        sequences = self.rng.random() < 0.6
        tensor = self.narrow(tensor)
        kind = self.rng.choice(["plain", "plain", "backwards", "both", "masked"])
        if kind == "both":
            mode = self.rng.choice(["concat", "sum", "mul", "ave", None])
            units = self.rng.randint(1, 3)
            first = self.cells(sequences, units=units)
            result = kl.Bidirectional(first, merge_mode=mode)(tensor)
            return kl.Subtract()(result) if mode is None else result
        if kind == "masked":
            tensor = kl.Masking(self.rng.choice([0.0, 0.0, 1.0]))(tensor)
        return self.cells(sequences, go_backwards=kind == "backwards")(tensor)

    def normalization(self, tensor: Any) -> Any:
        """A tensor behind a normalization whose factors are powers of two in a quantized model."""
        layer = self.one_of(
            lambda: kl.BatchNormalization(epsilon=0.0, scale=self.one_of(True, False), center=self.one_of(True, False)),
            lambda: QBatchNormalization(
                epsilon=0.0,
                gamma_quantizer=None,
                beta_quantizer=quantized_bits(6, 2, alpha=1),
                mean_quantizer=None,
                variance_quantizer=None,
            ),
        )
        return layer(tensor)

    def merge(self, tensor: Any) -> Any:
        """Two activations of a tensor, merged."""
        one, two = self.activation(tensor), self.activation(tensor)
        return self.one_of(
            lambda: kl.Add()([one, two]),
            lambda: kl.Subtract()([one, two]),
            lambda: kl.Multiply()([self.narrow(one), self.narrow(two)]),
            lambda: kl.Maximum()([one, two]),
            lambda: kl.Minimum()([one, two]),
            lambda: kl.Average()([one, two]),
            lambda: kl.Concatenate()([one, two]),
        )

    def shape(self, tensor: Any) -> Any:
        """A tensor with its elements in another shape."""
        if len(tensor.shape) == 3:
            return kl.Flatten()(tensor)
        return self.one_of(lambda: kl.RepeatVector(3)(tensor), lambda: kl.Reshape((1, tensor.shape[-1]))(tensor))

    def layer(self, tensor: Any) -> Any:
        """A tensor behind one more layer."""
        steps = [self.activation, self.activation, self.dense, self.dense, self.normalization, self.merge, self.shape]
        if len(tensor.shape) == 3:
            steps += [self.recurrent, self.recurrent, self.recurrent]
        return self.rng.choice(steps)(tensor)


def model_of(rng: Random, family: str) -> tuple[Any, float]:
    """A model with weights, and the bound on its difference from Keras.

    Args:
        rng: source of random numbers.
        family: "quantized" and "float" for models of QKeras and of Keras; "odd" for a small model with a quantizer that
            may have no place.
    """
    builder = Builder(rng, family != "float")
    x = keras.Input(rng.choice([(4,), (5, 3), (3, 2)]), name="x")
    tensor = x
    if family == "odd":
        tensor = odd_model(builder, x)
    else:
        for _ in range(rng.randint(1, 4)):
            tensor = builder.layer(tensor)
    model = keras.Model(x, tensor)
    values = np.random.default_rng(rng.randint(0, 1 << 30))
    for layer in model.layers:
        normalizes = isinstance(layer, kl.BatchNormalization)
        for weight in layer.weights:
            shape, name = weight.shape, weight.path.split("/")[-1]
            if not normalizes:
                weight.assign(values.normal(scale=0.6, size=shape) * (values.random(shape) < 0.8))
            elif name == "gamma":
                weight.assign(2.0 ** values.integers(-1, 2, shape) * values.choice([-1, 1, 1, 1], shape))
            elif name == "moving_variance":
                weight.assign(4.0 ** values.integers(-1, 2, shape))
            else:
                weight.assign(values.integers(-8, 9, shape) / 8)
    return model, builder.bound


def odd_model(builder: Builder, x: Any) -> Any:
    """The output of a model with one odd quantizer, as an activation, of weights, or within a recurrent layer."""
    place = builder.rng.choice(["input", "sum", "hidden", "cells", "weights"])
    tensor = QActivation(builder.odd() if place == "input" else builder.format())(x)
    if place == "cells" and len(x.shape) == 3:
        part = builder.rng.choice(["state", "cell", "gate"])
        setattr(builder, part, builder.odd())
        return builder.cells(True)(tensor)
    layer = builder.dense(tensor)
    if place == "weights":
        odd = builder.odd()
        weights = odd if not isinstance(odd, str) else quantized_bits(4, 0, alpha=1)
        return QDense(3, kernel_quantizer=weights, bias_quantizer=builder.format())(builder.narrow(layer))
    if place == "sum":
        return QActivation(builder.odd())(layer)
    return builder.dense(QActivation(builder.odd())(layer)) if place == "hidden" else layer
