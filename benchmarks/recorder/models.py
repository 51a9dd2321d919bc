# SPDX-License-Identifier: Apache-2.0
"""Seeded models for the recorder, made with Keras and QKeras; the project's classes are found by entry points."""

from __future__ import annotations

from collections.abc import Callable
from importlib import metadata
from typing import Any

import keras
import numpy as np
from keras import layers as kl
from qkeras import (
    QLSTM,
    QActivation,
    QDense,
    binary,
    quantized_bits,
    quantized_po2,
    quantized_relu,
    quantized_sigmoid,
    quantized_tanh,
    ternary,
)

OBJECTS = "ese4ml.keras_objects"
"""Group of the entry points of the project's Keras classes, which saved models name ese4ml>..."""
WEIGHTS = ("kernel", "recurrent_kernel", "projection_kernel", "peephole_kernel", "bias")
Shape = tuple[int | None, ...]


def bits(width: int, integer: int = 0, **options: Any) -> Any:
    """A signed quantizer of `width` bits and scale 1; options replace its arguments."""
    return quantized_bits(width, integer, **{"alpha": 1, **options})


def own_class(name: str) -> Any:
    """A Keras class of the project, by its name in saved models.

    Raises:
        LookupError: if the entry points register no such class.
    """
    for point in metadata.entry_points(group=OBJECTS):
        point.load()
    registered = keras.saving.get_registered_object(f"ese4ml>{name}")
    if registered is None:
        raise LookupError(f"no class ese4ml>{name} is registered by the entry points {OBJECTS}")
    return registered


def lstm(name: str = "lstm", units: int = 10, kernel: Any = None, **changes: Any) -> Any:
    """A QLSTM with 8-bit hard activations.

    Args:
        name: of the layer.
        units: its cells.
        kernel: makes the quantizer of both kernels; None for 4 bits.
        changes: further arguments of the layer.
    """
    make = kernel or (lambda: bits(4))
    options: dict[str, Any] = {
        "kernel_quantizer": make(),
        "recurrent_quantizer": make(),
        "bias_quantizer": bits(8, 2),
        "state_quantizer": bits(8, 1),
        "activation": quantized_tanh(8),
        "recurrent_activation": quantized_sigmoid(8),
    }
    layer = QLSTM(units, **{**options, **changes})
    layer.name = name
    return layer


def smooth() -> dict[str, Any]:
    """Arguments of an LSTM whose activations are computed by table."""
    return {
        "activation": quantized_tanh(8, use_real_tanh=True),
        "recurrent_activation": quantized_sigmoid(8, use_real_sigmoid=True),
    }


def dense(name: str = "dense", units: int = 5, kernel: Any = None, **changes: Any) -> Any:
    """A QDense layer.

    Args:
        name: of the layer.
        units: its outputs.
        kernel: makes the quantizer of the kernel; None for 4 bits.
        changes: further arguments of the layer.
    """
    quantizer = (kernel or (lambda: bits(4)))()
    return QDense(units, name=name, **{"kernel_quantizer": quantizer, "bias_quantizer": bits(8, 2), **changes})


def softmax() -> Any:
    """The softmax layer of a classifier."""
    return kl.Activation("softmax", name="softmax")


def fill(model: Any, density: float = 0.35, seed: int = 20) -> Any:
    """Give a model seeded weights, and its normalizations seeded statistics; return the model.

    Args:
        model: the model.
        density: share of the kernels' weights that is not zero.
        seed: of the random generator.
    """
    rng = np.random.default_rng(seed)
    for variable in model.weights:
        name = variable.path.split("/")[-1]
        if name in WEIGHTS:
            values = rng.normal(scale=0.5, size=variable.shape)
            if name.endswith("kernel") and name != "peephole_kernel":
                values[rng.random(values.shape) >= density] = 0
            variable.assign(values)
        elif name in ("gamma", "moving_variance"):
            variable.assign(2.0 ** rng.integers(-1, 2, variable.shape))
        elif name in ("beta", "moving_mean"):
            variable.assign(rng.integers(-8, 8, variable.shape) / 8)
    return model


def chain(*layers: Any, shape: Shape = (6, 7), source: Any = "bits", density: float = 0.35) -> Any:
    """A sequential model of an input, its quantizer and the given layers.

    Args:
        layers: the layers after the quantizer.
        shape: of the input, without the batch.
        source: "bits" for an 8-bit quantizer of the input, None for no quantizer.
        density: share of the kernels' weights that is not zero.
    """
    first = [QActivation(bits(8, 2), name="source")] if source == "bits" else []
    return fill(keras.Sequential([keras.Input(shape, name="x"), *first, *layers]), density)


def functional(build: Callable[[Any], Any], shape: Shape = (6, 7)) -> Any:
    """A functional model whose output `build` makes of the quantized input."""
    x = keras.Input(shape, name="x")
    return fill(keras.Model(x, build(QActivation(bits(8, 2), name="source")(x))))


def frames(model: Any, samples: int = 24, seed: int = 3, masked: bool = False) -> list[Any]:
    """Seeded inputs of a model, one array for each input.

    Args:
        model: the model.
        samples: number of samples.
        seed: of the random generator.
        masked: whether to set some frames of the first input to zero.
    """
    rng = np.random.default_rng(seed)
    shapes = [(samples, *(6 if size is None else size for size in tensor.shape[1:])) for tensor in model.inputs]
    x = [rng.normal(size=shape).astype(np.float32) for shape in shapes]
    if masked:
        x[0][rng.random(x[0].shape[:2]) < 0.4] = 0
        x[0][:, 2] = 1
    return x


def classifier(kernel: Any = None, **changes: Any) -> Any:
    """A model of an input quantizer, an LSTM, a Dense layer and softmax."""
    return chain(lstm(kernel=kernel, **changes), dense(kernel=kernel), softmax())


def ternary_classifier() -> Any:
    """A classifier with ternary kernels and activations by table."""
    return classifier(lambda: ternary(alpha="auto"), **smooth())


def int4_classifier() -> Any:
    """A classifier with 4-bit kernels, power-of-two scales and hard activations."""
    return classifier(lambda: bits(4, alpha="auto_po2"))


def learned(name: str, **options: Any) -> Any:
    """A classifier with one of the project's learned quantizers for each kernel, started from its weights."""
    quantizers = [own_class(name)(shape, **options) for shape in ((7, 40), (10, 40), (10, 5))]
    model = chain(
        lstm(kernel_quantizer=quantizers[0], recurrent_quantizer=quantizers[1], **smooth()),
        dense(kernel_quantizer=quantizers[2]), softmax(),
    )  # fmt: skip
    cell, last = model.get_layer("lstm").cell, model.get_layer("dense")
    for quantizer, variable in zip(quantizers, (cell.kernel, cell.recurrent_kernel, last.kernel), strict=True):
        values = np.array(variable)
        if name == "Codebook":
            quantizer.fit(values)
        else:
            quantizer.assign(values != 0)
        if name == "Ttq":
            quantizer.start(values)
    return model


def projected(units: int = 6, **changes: Any) -> Any:
    """A model of a QLSTMP, by default with peepholes, and a Dense layer."""
    options: dict[str, Any] = {
        **{f"{what}_quantizer": bits(4) for what in ("kernel", "recurrent", "projection")},
        "bias_quantizer": bits(8, 2),
        "peephole_quantizer": bits(6),
        "state_quantizer": bits(8, 1),
        "output_quantizer": bits(8),
        "activation": quantized_tanh(8),
        "recurrent_activation": quantized_sigmoid(8),
    }
    layer = own_class("QLSTMP")(units, 4, name="projected", **{**options, **changes})
    return chain(layer, QActivation(bits(8, 1), name="same"), dense(units=3))


def stacked() -> Any:
    """A model of two LSTM layers that return sequences, and a Dense layer at every step."""
    first, second = (lstm(name, units, return_sequences=True) for name, units in (("first", 6), ("second", 5)))
    h, g = (QActivation(bits(8), name=name) for name in "hg")
    return chain(first, h, second, g, kl.TimeDistributed(dense("each", 4), name="every"))


def mixed() -> Any:
    """A model whose kernels have different quantizers; one engine stores all of them as the widest kind."""
    return chain(
        lstm(units=6, kernel_quantizer=ternary(alpha=0.5, threshold=0.2), recurrent_quantizer=bits(8, alpha="auto")),
        QActivation(bits(8), name="h"),
        dense("binary", 5, lambda: binary(alpha=1.0)),
        QActivation(quantized_relu(6, 1), name="relu"),
        dense("powers", 5, lambda: quantized_po2(4, 1)),
        QActivation(bits(16, 2), name="wide"),
        dense("last", 4, lambda: bits(12, 1), use_bias=False),
    )


def both_ways(mode: str | None, *behind: Any, masked: bool = False, **options: Any) -> Any:
    """A model of a bidirectional LSTM and the layers after it."""

    def build(q: Any) -> Any:
        q = kl.Masking(0.0, name="mask")(q) if masked else q
        q = kl.Bidirectional(lstm("l", 6, **options), name="both", merge_mode=mode)(q)
        for layer in behind:
            q = layer(q)
        return q

    return functional(build)


def two_inputs() -> Any:
    """A model with a sequence and a vector as inputs, which are joined, and two outputs."""
    x, y = keras.Input((6, 7), name="x"), keras.Input((3,), name="y")
    h = QActivation(bits(8), name="qh")(lstm("l", 6)(QActivation(bits(8, 2), name="qx")(x)))
    joined = kl.Concatenate(name="joined")([h, QActivation(bits(8, 1), name="qy")(y)])
    return fill(keras.Model([x, y], [dense("one", 3)(joined), dense("two", 2)(joined)]))


def merges() -> Any:
    """A model with every kind of merge of Dense layers, side by side."""

    def build(q: Any) -> Any:
        a, b, c = (dense(name, 4)(q) for name in "abc")
        parts = [kl.Add(name="add")([a, b, c]), kl.Subtract(name="sub")([a, b]), kl.Multiply(name="mul")([a, b])]
        parts += [kl.Maximum(name="max")([a, c]), kl.Minimum(name="min")([b, c]), kl.Average(name="ave")([a, b, c])]
        return kl.Concatenate(name="joined")(parts)

    return functional(build, (7,))


def float_model() -> Any:
    """A Keras classifier without quantizers."""
    layers = [
        kl.LSTM(5, name="lstm"),
        kl.Dense(6, activation="tanh", name="hidden"),
        kl.Dense(4, activation="relu", name="cut"),
        kl.Dense(3, activation="softmax", name="classes"),
    ]
    return chain(*layers, source=None, density=0.6)


def nested() -> Any:
    """A model that contains a model as a layer, a layer called twice, and noise."""
    inner = keras.Sequential([keras.Input((7,)), dense("first", 7), QActivation(quantized_relu(8, 2))], name="inner")
    same = dense("same", 7)
    cut = QActivation(quantized_relu(8, 2), name="cut")
    return functional(lambda q: kl.GaussianNoise(0.1, name="n")(same(cut(same(inner(q))))), (7,))


def layers_after(*layers: Any, shape: Shape = (6, 7)) -> Any:
    """A functional model of layers after the quantized input."""

    def build(q: Any) -> Any:
        for layer in layers:
            q = layer(q)
        return q

    return functional(build, shape)


def normalized() -> Any:
    """A model of a normalization that is folded into a layer, and one that becomes a step of the host."""
    return layers_after(
        dense("a", 5), kl.BatchNormalization(name="fold"), kl.ReLU(name="r"), QActivation(bits(8, 2), name="q"),
        kl.BatchNormalization(name="step"), QActivation(bits(8, 2), name="p"), dense("last", 3), shape=(7,),
    )  # fmt: skip
