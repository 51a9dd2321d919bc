# SPDX-License-Identifier: Apache-2.0
"""Readers of layers without a matrix: activations, normalization, merges and changes of shape."""

from __future__ import annotations

from typing import Any

import numpy as np

from ese_hls.frontend.call import Call, Node
from ese_hls.quantize import evaluate, is_known


def input_layer(call: Call) -> tuple[Node, ...]:
    """Read an input; a step axis of varying length counts as 1, since hls4ml's variables need numbers."""
    shape = call.outputs[0].shape
    node = call.node("InputLayer")
    return ({**node, "input_shape": [1 if size is None else size for size in shape]},)


class Called:
    """A function or layer that the converter knows only by calling it, whatever its name is."""

    def __init__(self, function: Any) -> None:
        self.function = function

    def __call__(self, x: Any) -> Any:
        """Call the function."""
        return self.function(x)

    def __str__(self) -> str:
        """The function's name as a user writes it."""
        return str(getattr(self.function, "__name__", type(self.function).__name__))


def activation(call: Call) -> tuple[Node, ...]:
    """Read Activation and QActivation."""
    return function_nodes(call, call.layer.activation)


def function_nodes(call: Call, function: Any, **attributes: Any) -> tuple[Node, ...]:
    """The nodes of an activation function or quantizer: linear pieces if Keras's own function has them.

    Args:
        call: the call of the layer that has the function.
        function: the function or quantizer; a node of class Activation keeps it.
        **attributes: further arguments of `Call.node`.
    """
    name = str(getattr(function, "__name__", type(function).__name__))
    if not is_known(function):
        return (call.node("Activation", activation="called", function=Called(function), **attributes),)
    if name in LINEAR_PIECES:
        return _pieces(call, *LINEAR_PIECES[name], **attributes)
    kind = "Softmax" if name == "softmax" and "inputs" in attributes else "Activation"  # as hls4ml splits a Dense layer
    return (call.node(kind, activation=name, function=function, **attributes),)


def _pieces(
    call: Call, bounds: list[tuple[float, bool]], slopes: Any, offsets: Any, **attributes: Any
) -> tuple[Node, ...]:
    """The node of a piecewise linear function.

    Args:
        call: the call of the layer.
        bounds: values between the pieces, each with whether it belongs to the upper piece itself.
        slopes: slope of each piece, or (pieces, width) slopes.
        offsets: offset of each piece.
        **attributes: further arguments of `Call.node`.
    """
    slopes = np.asarray(slopes, np.float64).reshape(len(bounds) + 1, -1)
    offsets = np.broadcast_to(np.asarray(offsets, np.float64)[:, None], slopes.shape)
    return (call.node("HostStep", operation="piecewise", bounds=bounds, slopes=slopes, offsets=offsets, **attributes),)


LINEAR_PIECES: dict[str, tuple[list[tuple[float, bool]], list[float], list[float]]] = {
    "leaky_relu": ([(0.0, True)], [0.2, 1.0], [0.0, 0.0]),
    "relu6": ([(0.0, True), (6.0, True)], [0.0, 1.0, 0.0], [0.0, 0.0, 6.0]),
}
"""Keras's piecewise linear functions by name: bounds, slopes and offsets."""


def relu(call: Call) -> tuple[Node, ...]:
    """Read ReLU with all its options."""
    layer = call.layer
    slope, threshold = (float(np.float32(getattr(layer, name) or 0)) for name in ("negative_slope", "threshold"))
    most = None if layer.max_value is None else float(np.float32(layer.max_value))
    if (slope, threshold, most) == (0, 0, None):
        return (call.node("Activation", activation="relu", function=None),)
    # slope * (x - threshold) up to the threshold, which Keras does not allow to be negative; above it x, up to the
    # largest value if there is one
    bounds, slopes, offsets = [(threshold, False)], [slope], [-slope * threshold]
    if most is None or threshold < most:
        slopes, offsets = [*slopes, 1.0], [*offsets, 0.0]
    if most is not None:
        bounds = [*bounds, (most, True)] if threshold < most else bounds
        slopes, offsets = [*slopes, 0.0], [*offsets, most]
    return _pieces(call, bounds, slopes, offsets)


def thresholded_relu(call: Call) -> tuple[Node, ...]:
    """Read ThresholdedReLU, which Keras 3 keeps for old models: x above theta, zero up to it."""
    return _pieces(call, [(float(np.float32(call.layer.theta)), False)], [0.0, 1.0], [0.0, 0.0])


def leaky_relu(call: Call) -> tuple[Node, ...]:
    """Read LeakyReLU."""
    layer = call.layer
    slope = layer.negative_slope if hasattr(layer, "negative_slope") else layer.alpha
    return _pieces(call, [(0.0, True)], [float(np.float32(slope)), 1.0], [0.0, 0.0])


def prelu(call: Call) -> tuple[Node, ...]:
    """Read PReLU, with one slope for each feature.

    Raises:
        UnsupportedError: if a feature's slope differs from step to step.
    """
    slopes = np.asarray(call.layer.alpha, np.float64)
    slopes = slopes.reshape(-1, slopes.shape[-1])
    if (slopes != slopes[0]).any():
        raise call.refuse(
            "has slopes that differ from step to step; one slope for each feature is allowed: build it with "
            "shared_axes=[1], or of every axis but the last"
        )
    width = int(call.inputs[0].shape[-1] or 1)
    below = np.broadcast_to(slopes[0], (width,))
    return _pieces(call, [(0.0, True)], [below, np.ones(width)], [0.0, 0.0])


def element_wise(call: Call) -> tuple[Node, ...]:
    """Read a layer that computes any function of each element, such as ELU; the converter calls the layer itself."""
    return (call.node("Activation", activation="called", function=Called(call.layer)),)


def softmax(call: Call) -> tuple[Node, ...]:
    """Read Softmax; the node's attribute `last` says whether it runs over the last axis.

    Raises:
        UnsupportedError: if it gets a mask, or runs over several axes.
    """
    if call.masked:
        raise call.refuse(
            "gets a mask, which Keras's Softmax layer applies to features; a softmax without a mask is allowed: use "
            "Activation('softmax'), which takes none"
        )
    rank = len(call.inputs[0].shape) + 1
    axes = [int(axis) % rank for axis in np.atleast_1d(call.layer.axis)]
    if len(axes) != 1 or axes[0] == 0:
        raise call.refuse(
            f"runs over axes {call.layer.axis}; one axis behind that of the samples is allowed: build it with axis=-1"
        )
    last = axes[0] == rank - 1
    return (call.node("Softmax", activation="softmax", function=None, last=last, axis=axes[0]),)


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
    """A reader of layers that combine several tensors by an operation of `ese_hls.lower.host_operations.OPERATIONS`."""

    def read(call: Call) -> tuple[Node, ...]:
        masked = [mask is not None for mask in call.masks]
        if any(masked) and not all(masked):
            raise call.refuse(
                "combines masked sequences with others, which Keras takes alone where frames are masked; all or none "
                f"may be masked here: use keras.ops.{operation}, which reads no masks, or put Masking behind this layer"
            )
        axis = getattr(call.layer, "axis", None)
        return (call.node("HostStep", operation=operation, axis=axis, masked=any(masked)),)

    return read


def reshape(call: Call) -> tuple[Node, ...]:
    """Read Reshape and Flatten, which keep values and their order."""
    return (call.node("HostStep", operation="reshape"),)


def repeat(call: Call) -> tuple[Node, ...]:
    """Read RepeatVector."""
    return (call.node("HostStep", operation="repeat", times=int(call.layer.n)),)


def _moves(call: Call, pick: Any) -> tuple[Node, ...]:
    """The node of a layer that only moves elements; `pick` does so with an array without the sample axis.

    Raises:
        UnsupportedError: if channels come first.
    """
    _channels_last(call)
    return (call.node("HostStep", operation="move", pick=pick),)


def _channels_last(call: Call) -> None:
    if getattr(call.layer, "data_format", "channels_last") != "channels_last":
        raise call.refuse(
            f"has data_format={call.layer.data_format!r}; only 'channels_last' is allowed: build it so, and put a "
            "Permute before and behind it"
        )


def permute(call: Call) -> tuple[Node, ...]:
    """Read Permute."""
    return (call.node("HostStep", operation="permute", axes=tuple(int(axis) for axis in call.layer.dims)),)


def _pairs(sizes: Any) -> list[tuple[int, int]]:
    """The sizes before and behind each axis of steps; those of a single axis may stand alone."""
    pairs = np.asarray(sizes).reshape(-1, 2)
    return [(int(before), int(behind)) for before, behind in pairs]


def zero_padding(call: Call) -> tuple[Node, ...]:
    """Read ZeroPadding1D and ZeroPadding2D."""
    pads = [*_pairs(call.layer.padding), (0, 0)]
    return _moves(call, lambda numbers: np.pad(numbers, pads, constant_values=-1))


def cropping(call: Call) -> tuple[Node, ...]:
    """Read Cropping1D and Cropping2D."""
    cuts = _pairs(call.layer.cropping)
    return _moves(
        call, lambda numbers: numbers[tuple(slice(a, n - b) for (a, b), n in zip(cuts, numbers.shape, strict=False))]
    )


def up_sampling(call: Call) -> tuple[Node, ...]:
    """Read UpSampling1D, and UpSampling2D if it only repeats.

    Raises:
        UnsupportedError: if it interpolates, or channels come first.
    """
    if getattr(call.layer, "interpolation", "nearest") != "nearest":
        raise call.refuse(f"has interpolation={call.layer.interpolation!r}; only 'nearest' is allowed: build it so")
    times = [int(size) for size in np.ravel(call.layer.size)]

    def repeated(numbers: Any) -> Any:
        for axis, count in enumerate(times):
            numbers = np.repeat(numbers, count, axis=axis)
        return numbers

    return _moves(call, repeated)


def pooling(kind: str) -> Any:
    """A reader of pooling over windows of steps, or of the two axes of images; `kind` is "maximum" or "mean"."""

    def read(call: Call) -> tuple[Node, ...]:
        _channels_last(call)
        layer = call.layer
        same = layer.padding == "same"
        sizes, strides = ([int(size) for size in np.ravel(value)] for value in (layer.pool_size, layer.strides))
        if len(sizes) == 1:
            options: dict[str, Any] = {"operation": "pool", "size": sizes[0], "stride": strides[0]}
        else:
            options = {"operation": "pool_image", "sizes": sizes, "strides": strides}
        return (call.node("HostStep", kind=kind, same=same, **options),)

    return read


def global_pooling(kind: str) -> Any:
    """A reader of pooling over all steps, "maximum" or "mean"; Keras's mean leaves masked steps out."""

    def read(call: Call) -> tuple[Node, ...]:
        _channels_last(call)
        masked = call.masked and kind == "mean"
        return (call.node("HostStep", operation="pool", kind=kind, size=None, masked=masked),)

    return read


def embedding(call: Call) -> tuple[Node, ...]:
    """Read Embedding."""
    layer = call.layer
    rows = np.asarray(layer.embeddings, dtype=np.float64)
    return (call.node("HostStep", operation="embedding", rows=rows, mask_zero=bool(layer.mask_zero)),)


def frame_normalization(call: Call) -> tuple[Node, ...]:
    """Read LayerNormalization and RMSNormalization over the last axis, or over the last ones.

    Raises:
        UnsupportedError: if it normalizes other axes.
    """
    layer, rank = call.layer, len(call.inputs[0].shape) + 1
    axes = sorted(int(axis) % rank for axis in np.ravel(layer.axis))
    if axes != list(range(rank - len(axes), rank)) or 0 in axes:
        raise call.refuse(f"normalizes axes {layer.axis}; the last axis, or the last ones, are allowed: use axis=-1")
    plain = not hasattr(layer, "center")  # RMSNormalization
    subtract = "nowhere" if plain else "variance" if getattr(layer, "rms_scaling", False) else "everywhere"
    gamma, beta = (layer.scale, None) if plain else (layer.gamma, layer.beta)
    factor, offset = (
        default if variable is None else np.asarray(variable, np.float64)
        for variable, default in ((gamma, np.ones(1)), (beta, np.zeros(1)))
    )
    options: dict[str, Any] = {"axes": len(axes), "epsilon": float(layer.epsilon), "subtract": subtract}
    return (call.node("HostStep", operation="standardize", factor=factor, offset=offset, **options),)
