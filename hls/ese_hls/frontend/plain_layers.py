"""Layers without a matrix: activations, normalization, merges and shapes."""

from __future__ import annotations

from typing import Any

import numpy as np

from ese_hls.frontend.call import Call, Node
from ese_hls.quantize import evaluate


def input_layer(call: Call) -> tuple[Node, ...]:
    """An input; hls4ml's variables need numbers, so a varying step axis counts as 1 there."""
    shape = call.outputs[0].shape
    node = call.node("InputLayer")
    return ({**node, "input_shape": [1 if size is None else size for size in shape]},)


def activation(call: Call) -> tuple[Node, ...]:
    """Activation and QActivation; the function itself goes along."""
    function = call.layer.activation
    name = str(getattr(function, "__name__", type(function).__name__))
    return (call.node("Activation", activation=name, function=function),)


def relu(call: Call) -> tuple[Node, ...]:
    """ReLU without bounds or slopes."""
    layer = call.layer
    for option, plain in (("max_value", None), ("negative_slope", 0), ("threshold", 0)):
        value = getattr(layer, option)
        if (value or None) != (plain or None):
            raise call.refuse(
                f"has {option}={value}; only {plain} is allowed: leave it out, or bound values by quantized_relu(bits, "
                "integer)"
            )
    return (call.node("Activation", activation="relu", function=None),)


def softmax(call: Call) -> tuple[Node, ...]:
    """Softmax; `last` says whether it runs over the last axis."""
    if call.masked:
        raise call.refuse("gets a mask, which it would apply to features: use Activation('softmax'), which gets none")
    last = call.layer.axis in (-1, len(call.inputs[0].shape))
    return (call.node("Softmax", activation="softmax", function=None, last=last),)


def identity(call: Call) -> tuple[Node, ...]:
    """Layers that do nothing at inference: Dropout, noise, regularization."""
    return (call.node("Activation", activation="linear", function=None),)


def masking(call: Call) -> tuple[Node, ...]:
    """Masking: which frames take part."""
    return (call.node("HostStep", operation="mask", value=float(call.layer.mask_value)),)


def normalization(call: Call) -> tuple[Node, ...]:
    """BatchNormalization and QBatchNormalization as one factor and one offset a channel, in float64."""
    layer = call.layer
    axis = layer.axis[0] if isinstance(layer.axis, (list, tuple)) else layer.axis
    rank = len(call.inputs[0].shape) + 1
    if axis % rank != rank - 1:
        raise call.refuse(f"normalizes axis {layer.axis}; the last axis is allowed: build it with axis=-1")

    def values(name: str, used: bool, plain: float) -> Any:
        variable = getattr(layer, name) if used else None
        if variable is None:
            return plain
        quantizer = getattr(layer, f"{name.removeprefix('moving_')}_quantizer_internal", None)
        array = np.asarray(variable, dtype=np.float32)
        return array.astype(np.float64) if quantizer is None else evaluate(quantizer, array)

    variance = values("moving_variance", True, 1.0) + layer.epsilon
    factor = values("gamma", layer.scale, 1.0) / np.sqrt(variance)
    if getattr(layer, "inverse_quantizer_internal", None) is not None:
        factor = evaluate(layer.inverse_quantizer_internal, factor.astype(np.float32))
    offset = values("beta", layer.center, 0.0) - values("moving_mean", True, 0.0) * factor
    return (call.node("HostStep", operation="affine", factor=factor, offset=offset),)


def merge(operation: str) -> Any:
    """The reader of a layer that combines several tensors."""

    def read(call: Call) -> tuple[Node, ...]:
        return (call.node("HostStep", operation=operation, axis=getattr(call.layer, "axis", None)),)

    return read


def reshape(call: Call) -> tuple[Node, ...]:
    """Reshape and Flatten: the same values in the same order."""
    return (call.node("HostStep", operation="reshape"),)


def repeat(call: Call) -> tuple[Node, ...]:
    """RepeatVector."""
    return (call.node("HostStep", operation="repeat", times=int(call.layer.n)),)


def permute(call: Call) -> tuple[Node, ...]:
    """Permute."""
    return (call.node("HostStep", operation="permute", axes=tuple(int(axis) for axis in call.layer.dims)),)
