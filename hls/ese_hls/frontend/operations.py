# SPDX-License-Identifier: Apache-2.0
"""Readers of Keras operations: `x + y`, `x * 0.5`, `x[:, -1]`, and functions of `keras.ops`."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ese_hls.frontend import plain_layers
from ese_hls.frontend.call import Call, CallTensor, Node

Reader = Callable[[Call], "tuple[Node, ...]"]


def _linear(call: Call) -> tuple[Node, ...]:
    return (call.node("Activation", activation="linear", function=None),)


def _activation(name: str) -> Reader:
    """A reader of the activation that `keras.activations` has under the name."""

    def read(call: Call) -> tuple[Node, ...]:
        from keras import activations

        return plain_layers.function_nodes(call, getattr(activations, name))

    return read


def _operands(call: Call) -> list[Any]:
    """The two operands of an operation; constants as float64 values of one element, or one for each channel."""
    operands = [*call.args, *call.kwargs.values()][:2]
    return [item if isinstance(item, CallTensor) else _constant(call, item) for item in operands]


def _constant(call: Call, item: Any) -> Any:
    values = np.asarray(item, np.float32).astype(np.float64)
    if call.outputs[0].shape != call.inputs[0].shape or values.size != (values.shape or (1,))[-1]:
        raise call.refuse(
            f"combines a tensor with a constant of shape {values.shape}; one number, or one for each element of the "
            "last axis, is allowed: use such a constant"
        )
    return values.reshape(-1) if values.size > 1 else float(values.reshape(()))


def _affine(call: Call, factor: Any, offset: Any) -> tuple[Node, ...]:
    return (call.node("HostStep", operation="affine", factor=factor, offset=offset),)


def _merge(operation: str) -> Reader:
    """A reader of an operation on two tensors, or on a tensor and a constant."""

    def read(call: Call) -> tuple[Node, ...]:
        first, second = _operands(call)
        if len(call.inputs) == 2:
            return (call.node("HostStep", operation=operation, axis=None),)
        constant = second if isinstance(first, CallTensor) else first
        sign = -1.0 if operation == "subtract" else 1.0
        if operation == "multiply":
            return _affine(call, constant, 0.0)
        if operation in ("add", "subtract"):
            return _affine(call, 1.0, sign * constant) if constant is second else _affine(call, sign, constant)
        if not isinstance(constant, float):
            raise call.refuse("bounds each channel by a number of its own; one number is allowed: use one for all")
        if operation == "maximum" and constant == 0:
            return (call.node("Activation", activation="relu", function=None),)
        # the constant on one side of itself, the tensor on the other
        sides = [[0.0], [1.0]], [[constant], [0.0]]
        slopes, offsets = (np.asarray(side if operation == "maximum" else side[::-1]) for side in sides)
        bounds = [(constant, True)]
        return (call.node("HostStep", operation="piecewise", bounds=bounds, slopes=slopes, offsets=offsets),)

    return read


def _divide(call: Call) -> tuple[Node, ...]:
    first, second = _operands(call)
    if isinstance(second, CallTensor) or not np.all(second) or not isinstance(first, CallTensor):
        raise call.refuse(
            "divides by a tensor or by zero; only a division by constants other than zero is allowed: multiply instead"
        )
    return _affine(call, 1.0 / second, 0.0)


def _negative(call: Call) -> tuple[Node, ...]:
    return _affine(call, -1.0, 0.0)


def _square(call: Call) -> tuple[Node, ...]:
    return (call.node("HostStep", call.inputs * 2, operation="multiply", axis=None),)


def _concatenate(call: Call) -> tuple[Node, ...]:
    return (call.node("HostStep", operation="concatenate", axis=int(call.layer.axis)),)


def _reshape(call: Call) -> tuple[Node, ...]:
    """Read Reshape, Squeeze and ExpandDims, if they keep the samples apart."""
    before, after = call.inputs[0].shape, call.outputs[0].shape
    first = (getattr(call.layer, "newshape", None) or (None,))[0]
    sizes = [math.prod(size or 0 for size in shape) for shape in (before, after)]
    if sizes[0] != sizes[1] or not sizes[0] or first not in (-1, None):
        raise call.refuse(
            f"makes tensors of shape {before} into {after}; only axes of known length behind that of the samples may "
            "change: give the model's input a fixed number of steps, and let the new shape begin with -1"
        )
    return (call.node("HostStep", operation="reshape"),)


def _transpose(call: Call) -> tuple[Node, ...]:
    rank = len(call.inputs[0].shape) + 1
    axes = tuple(axis % rank for axis in call.layer.axes or range(rank)[::-1])
    if axes[0] != 0:
        raise call.refuse(f"moves the axis of the samples by axes {axes}; it must stay the first: begin axes with 0")
    return (call.node("HostStep", operation="permute", axes=axes[1:]),)


def _flip(call: Call) -> tuple[Node, ...]:
    rank = len(call.inputs[0].shape) + 1
    axis = call.layer.axis
    axes = {item % rank for item in (range(rank) if axis is None else axis if isinstance(axis, Sequence) else [axis])}
    if 0 in axes:
        raise call.refuse("reverses the axis of the samples; the axes behind it are allowed: give it an axis from 1")
    if axes == {1} and rank == 3:
        return (call.node("HostStep", operation="reverse"),)
    index = tuple(slice(None, None, -1 if number in axes else None) for number in range(1, rank))
    return (call.node("HostStep", operation="slice", key=index),)


def _get_item(call: Call) -> tuple[Node, ...]:
    """Read `x[:, ...]` with whole numbers, slices and an Ellipsis."""
    shape = call.inputs[0].shape
    key = [*call.args[1:], *(value for name, value in call.kwargs.items() if name == "key")][0]
    key = tuple(key) if isinstance(key, (tuple, list)) else (key,)
    if not all(item is Ellipsis or isinstance(item, (int, np.integer, slice)) for item in key):
        raise call.refuse(
            f"takes elements {_text(key)}; whole numbers, slices and ... are allowed: use Reshape for a new axis"
        )
    place = next((number for number, item in enumerate(key) if item is Ellipsis), len(key))
    behind = key[place + 1 :]
    fill = (slice(None),) * (len(shape) + 1 - place - len(behind))
    whole = [*key[:place], *fill, *behind]
    samples, index = whole[0], whole[1:]
    if samples != slice(None):
        raise call.refuse(
            f"takes only some of the samples, {_text(key)}; all are allowed: begin the index with a colon"
        )
    normal = tuple(_normal(item, size) for item, size in zip(index, shape, strict=True))
    if all(item == slice(None) for item in normal):
        return _linear(call)
    return (call.node("HostStep", operation="slice", key=normal),)


def _normal(item: Any, size: int | None) -> Any:
    """An index of an axis without negative numbers, if the axis has a known length."""
    if size is None:
        return item if isinstance(item, slice) else int(item)
    if not isinstance(item, slice):
        return int(item) % size
    chosen = range(*item.indices(size))
    if chosen == range(size):
        return slice(None)
    return slice(chosen.start, chosen.stop if chosen.stop >= 0 else None, chosen.step)


def _text(key: tuple[Any, ...]) -> str:
    """An index as a user writes it."""

    def part(item: Any) -> str:
        if item is Ellipsis:
            return "..."
        if not isinstance(item, slice):
            return str(item)
        ends = [item.start, item.stop] + ([item.step] if item.step is not None else [])
        return ":".join("" if end is None else str(end) for end in ends)

    return f"[{', '.join(map(part, key))}]"


ELEMENT_WISE = (
    "Absolute",
    "Celu",
    "Clip",
    "Elu",
    "Exp",
    "Gelu",
    "HardShrink",
    "HardSilu",
    "LeakyRelu",
    "LogSigmoid",
    "Selu",
    "Sign",
    "Silu",
    "SoftShrink",
    "Softplus",
    "Softsign",
    "TanhShrink",
)
"""Operations on single elements that the converter knows only by calling them."""
OPERATIONS: dict[str, Reader] = {
    **dict.fromkeys(ELEMENT_WISE, plain_layers.element_wise),
    "Add": _merge("add"),
    "Concatenate": _concatenate,
    "Divide": _divide,
    "ExpandDims": _reshape,
    "Flip": _flip,
    "GetItem": _get_item,
    "HardSigmoid": _activation("hard_sigmoid"),
    "HardTanh": _activation("hard_tanh"),
    "Maximum": _merge("maximum"),
    "Minimum": _merge("minimum"),
    "Multiply": _merge("multiply"),
    "Negative": _negative,
    "ReLU": plain_layers.relu,
    "Relu": _activation("relu"),
    "Relu6": _activation("relu6"),
    "Reshape": _reshape,
    "Sigmoid": _activation("sigmoid"),
    "Softmax": plain_layers.softmax,
    "Square": _square,
    "Squeeze": _reshape,
    "StopGradient": _linear,
    "Subtract": _merge("subtract"),
    "Tanh": _activation("tanh"),
    "Transpose": _transpose,
    "TrueDivide": _divide,
}
"""Readers of Keras 3's operations, by the name of their class."""
OF_TENSORFLOW = {
    "__operators__.add": "Add",
    "math.add": "Add",
    "math.maximum": "Maximum",
    "math.minimum": "Minimum",
    "math.multiply": "Multiply",
    "math.negative": "Negative",
    "math.square": "Square",
    "math.subtract": "Subtract",
    "math.truediv": "TrueDivide",
}
"""The same operations by the symbols that Keras 2 has for functions of TensorFlow."""
