"""Readers of layers without a matrix: activations, normalization, merges and changes of shape."""

from __future__ import annotations

from typing import Any

import numpy as np

from ese_hls.frontend.call import Call, Node
from ese_hls.quantize import evaluate


def input_layer(call: Call) -> tuple[Node, ...]:
    """Read an input; a step axis of varying length counts as 1, since hls4ml's variables need numbers."""
    shape = call.outputs[0].shape
    node = call.node("InputLayer")
    return ({**node, "input_shape": [1 if size is None else size for size in shape]},)


def activation(call: Call) -> tuple[Node, ...]:
    """Read Activation and QActivation; the node keeps the function or quantizer object."""
    function = call.layer.activation
    name = str(getattr(function, "__name__", type(function).__name__))
    return (call.node("Activation", activation=name, function=function),)


def relu(call: Call) -> tuple[Node, ...]:
    """Read ReLU.

    Raises:
        UnsupportedError: if it has an upper bound, a slope or a threshold.
    """
    layer = call.layer
    for option, default in (("max_value", None), ("negative_slope", 0), ("threshold", 0)):
        value = getattr(layer, option)
        if (value or None) != (default or None):
            raise call.refuse(
                f"has {option}={value}; only {default} is allowed: leave the option out, or use QActivation with "
                "quantized_relu(bits, integer), which bounds values by its format"
            )
    return (call.node("Activation", activation="relu", function=None),)


def softmax(call: Call) -> tuple[Node, ...]:
    """Read Softmax; the node's attribute `last` says whether it runs over the last axis.

    Raises:
        UnsupportedError: if it gets a mask.
    """
    if call.masked:
        raise call.refuse(
            "gets a mask, which Keras's Softmax layer applies to features; a softmax without a mask is allowed: use "
            "Activation('softmax'), which takes none"
        )
    last = call.layer.axis in (-1, len(call.inputs[0].shape))
    return (call.node("Softmax", activation="softmax", function=None, last=last),)


def identity(call: Call) -> tuple[Node, ...]:
    """Read a layer that does nothing at inference: Dropout, noise, regularization."""
    return (call.node("Activation", activation="linear", function=None),)


def masking(call: Call) -> tuple[Node, ...]:
    """Read Masking, which leaves frames out."""
    return (call.node("HostStep", operation="mask", value=float(call.layer.mask_value)),)


def normalization(call: Call) -> tuple[Node, ...]:
    """Read BatchNormalization and QBatchNormalization as one factor and one offset per channel, in float64.

    Raises:
        UnsupportedError: if it normalizes another axis than the last one.
    """
    layer = call.layer
    axis = layer.axis[0] if isinstance(layer.axis, (list, tuple)) else layer.axis
    rank = len(call.inputs[0].shape) + 1
    if axis % rank != rank - 1:
        raise call.refuse(f"normalizes axis {layer.axis}; the last axis is allowed: build it with axis=-1")

    def values(name: str, used: bool, default: float) -> Any:
        """A variable's quantized values, or `default` if the layer does not use the variable."""
        variable = getattr(layer, name) if used else None
        if variable is None:
            return default
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
    """A reader of layers that combine several tensors by an operation of `ese_hls.lower.host_steps.OPERATIONS`."""

    def read(call: Call) -> tuple[Node, ...]:
        return (call.node("HostStep", operation=operation, axis=getattr(call.layer, "axis", None)),)

    return read


def reshape(call: Call) -> tuple[Node, ...]:
    """Read Reshape and Flatten, which keep values and their order."""
    return (call.node("HostStep", operation="reshape"),)


def repeat(call: Call) -> tuple[Node, ...]:
    """Read RepeatVector."""
    return (call.node("HostStep", operation="repeat", times=int(call.layer.n)),)


def permute(call: Call) -> tuple[Node, ...]:
    """Read Permute."""
    return (call.node("HostStep", operation="permute", axes=tuple(int(axis) for axis in call.layer.dims)),)
