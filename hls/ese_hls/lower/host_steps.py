"""Conversion of layers without a matrix to host operations: exact steps of a program, computed between chains."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from ese_hls.lower.partition import Masked, Partition, narrowest
from ese_hls.quantize import (
    activation_of,
    describe,
    format_of,
    is_format,
    is_rounded_activation,
    is_sigmoidal,
    is_ternary,
    of_layer,
    of_model,
    ternary_of,
    text_of,
)
from ese_host.errors import CapacityError, UnsupportedError
from ese_host.ir import Fixed
from ese_host.ir.program import Affine, Apply, Concatenate, Head, Mask, Merge, Relu, Repeat, Reshape, Reverse, Ternary

HEADS: tuple[Head, ...] = ("softmax", "sigmoid", "tanh")
"""Functions that the host computes in floating point if they are the last layer of a model."""
ALLOWED = (
    "relu, tanh, sigmoid, hard_tanh, hard_sigmoid, quantized_bits, quantized_relu, quantized_tanh, quantized_sigmoid "
    "and ternary are allowed, and softmax as the model's last layer"
)
"""Allowed activations, for messages."""


def refuse(node: Any, reason: str) -> UnsupportedError:
    """An error that names a node by its Keras layer; `reason` says what was found, what is allowed and the way out."""
    return UnsupportedError(f"layer {node.name!r} ({node.get_attr('keras_class') or node.class_name}) {reason}")


def head_of(node: Any) -> Head:
    """The head that a node becomes if it is the last of a model; "none" if it cannot be a head."""
    for head in HEADS:
        if node.get_attr("activation") == head and node.get_attr("output") is None and node.get_attr("last", True):
            return head if head == "softmax" or is_sigmoidal(node.get_attr("function")) else "none"
    return "none"


def activation(partition: Partition, node: Any) -> None:
    """Convert an activation or quantizer that has not been folded into the layer before it.

    Raises:
        UnsupportedError: if the host cannot compute the function, or not at this place in the model.
    """
    function, name = node.get_attr("function"), str(node.get_attr("activation"))
    if node.get_attr("absorbed"):
        before = node.get_input_node()
        partition.values[node.outputs[0]] = replace(partition.value(node), node=node)
        partition.places[node.name] = f"folded into {before.name!r}"
        return
    source, target = partition.unmasked(partition.value(node)), node.outputs[0]
    if name == "linear":
        partition.assign(node, source)
    elif is_format(function):
        form = format_of(function, f"layer {node.name!r}").fixed
        partition.assign(node, partition.quantized(node, source, form, target))
    elif name == "relu":
        partition.assign(node, partition.append(node, Relu(source, target)))
    elif is_ternary(function):
        code, code_frac, frac = ternary_of(function, f"layer {node.name!r}")
        partition.formats[target] = Fixed(2, 2 - frac, symmetric=True)
        partition.assign(node, partition.append(node, Ternary(source, target, code, code_frac, frac)))
    elif is_sigmoidal(function) or is_rounded_activation(function):
        engine_activation, note = activation_of(function, f"layer {node.name!r}")
        out = node.get_attr("output") or (of_layer(node) if is_sigmoidal(function) else None)
        engine_activation = replace(engine_activation, out=out or engine_activation.out)
        if note:
            partition.log.notes.append(note)
        if is_sigmoidal(function) and node.get_attr("output") is None:
            partition.log.notes.append(
                f"layer {node.name!r} has no quantizer; its output is rounded to {text_of(engine_activation.out)}"
            )
        partition.formats[target] = engine_activation.out
        partition.assign(node, partition.append(node, Apply(source, target, engine_activation)))
    else:
        kind, text = node.get_attr("keras_class"), describe(function) if function is not None else name
        before = partition.value(node).node
        rule = f"{ALLOWED}: use one of them"
        if name == "softmax":
            rule = (
                "a softmax is allowed only as the model's last layer, over the last axis: move it there or leave it out"
            )
        raise UnsupportedError(
            f"layer {node.name!r} ({kind}, {text}) cannot stand after {before.name!r} "
            f"({before.get_attr('keras_class') or before.class_name}); {rule}"
        )


def affine(partition: Partition, node: Any) -> None:
    """Convert a normalization that has not been folded into a Dense layer; factors and offsets get 16 bits each."""
    width = int(node.get_attr("n_in"))
    values = {
        name: np.broadcast_to(np.asarray(node.get_attr(name), np.float64), (width,)) for name in ("factor", "offset")
    }
    source = partition.unmasked(partition.value(node))
    _scale(partition, node, source, node.outputs[0], values["factor"], values["offset"])


def _scale(partition: Partition, node: Any, source: str, target: str, factor: Any, offset: Any) -> None:
    """Append factor * x + offset for each channel, with rounded constants, as the value of a node."""
    scale = partition.log.scales(node.name, "factor", factor)
    shift = partition.log.scales(node.name, "offset", offset)
    partition.assign(node, partition.append(node, Affine(source, target, *scale, *shift)))


def merge(partition: Partition, node: Any) -> None:
    """Convert Add, Subtract, Multiply, Maximum, Minimum or Average.

    Raises:
        UnsupportedError: if the tensors have different shapes.
        CapacityError: if the result needs too many bits, even of inputs that are rounded to a configured precision.
    """
    kind, target = str(node.get_attr("operation")), node.outputs[0]
    shapes = [tuple(shape) for shape in node.get_attr("input_shape")]
    if len(set(shapes)) > 1:
        raise refuse(
            node, f"combines tensors of shapes {shapes}; only equal shapes are allowed: repeat or reshape the smaller"
        )
    sources = tuple(partition.unmasked(partition.value(node, index)) for index in range(len(node.inputs)))
    if kind == "average" and len(sources) & (len(sources) - 1):
        total = partition.append(node, Merge("add", sources, f"{target}_sum"))
        width = int(node.get_attr("n_out"))
        _scale(partition, node, total, target, np.full(width, 1 / len(sources)), np.zeros(width))
        return
    try:
        partition.assign(node, partition.append(node, Merge(kind, sources, target)))  # type: ignore[arg-type]
    except CapacityError:
        rounded = tuple(_rounded(partition, node, index, source) for index, source in enumerate(sources))
        if rounded == sources:
            raise
        partition.assign(node, partition.append(node, Merge(kind, rounded, target)))  # type: ignore[arg-type]


def _rounded(partition: Partition, node: Any, index: int, source: str) -> str:
    """An input of a node, rounded to the configured precision of the layer that computes it, if there is one."""
    producer = partition.value(node, index).node
    form = of_layer(producer) or of_model(producer)
    if form is None:
        return source
    partition.log.notes.append(
        f"layer {producer.name!r} is rounded to {text_of(form)} of the configuration before {node.name!r}"
    )
    return partition.quantized(producer, source, form, f"{source}_rounded")


def concatenate(partition: Partition, node: Any) -> None:
    """Convert Concatenate.

    Raises:
        UnsupportedError: if it joins tensors along another axis than the last one.
    """
    axis, shapes = int(node.get_attr("axis")), [tuple(shape) for shape in node.get_attr("input_shape")]
    rank = len(shapes[0]) + 1
    if axis % rank != rank - 1:
        raise refuse(node, f"joins tensors along axis {axis}; the last axis is allowed: build it with axis=-1")
    sources = tuple(partition.unmasked(partition.value(node, index)) for index in range(len(node.inputs)))
    partition.assign(node, partition.append(node, Concatenate(sources, node.outputs[0])))


def reshape(partition: Partition, node: Any) -> None:
    """Convert Reshape or Flatten.

    Raises:
        UnsupportedError: if the result has an axis of varying length.
    """
    extents = node.get_attr("extents")
    source = partition.unmasked(partition.value(node))
    if None in extents:
        raise refuse(
            node,
            f"gives tensors of shape {extents}; only axes of known length are allowed: give the model's input a fixed "
            "number of steps",
        )
    steps = None if len(extents) == 1 else math.prod(extents[:-1])
    _moved(partition, node, source, Reshape(source, node.outputs[0], steps, int(extents[-1])))


def repeat(partition: Partition, node: Any) -> None:
    """Convert RepeatVector."""
    source = partition.unmasked(partition.value(node))
    _moved(partition, node, source, Repeat(source, node.outputs[0], int(node.get_attr("times"))))


def permute(partition: Partition, node: Any) -> None:
    """Convert Permute, which is removed.

    Raises:
        UnsupportedError: if it changes the order of axes.
    """
    axes = tuple(node.get_attr("axes"))
    if axes != tuple(sorted(axes)):
        raise refuse(
            node, f"swaps axes {axes}; only an order that changes nothing is allowed: permute the data before the model"
        )
    partition.assign(node, partition.unmasked(partition.value(node)))


def reverse(partition: Partition, node: Any) -> None:
    """Convert a reversal of the order of steps."""
    source = partition.unmasked(partition.value(node))
    _moved(partition, node, source, Reverse(source, node.outputs[0]))


def mask(partition: Partition, node: Any) -> None:
    """Convert Masking: LSTM layers behind it skip the frames whose elements all equal the mask value.

    Raises:
        UnsupportedError: if the input's format does not have the mask value.
    """
    source, value = partition.unmasked(partition.value(node)), float(node.get_attr("value"))
    form = partition.formats.get(source) or narrowest(partition.tensors[source])
    if form is None or form.from_float(value) != np.ldexp(value, form.frac):
        allowed = "no known format" if form is None else text_of(form)
        raise refuse(
            node,
            f"has mask_value={value}; only values of its input's format ({allowed}) are "
            "allowed, since a frame can equal no other value: choose such a value, e.g. 0.0",
        )
    target, code = node.outputs[0], int(form.from_float(value))
    partition.append(node, Mask(source, target, code))
    partition.formats[target] = form
    partition.assign(node, target, Masked(source, code))


def _moved(partition: Partition, node: Any, source: str, operation: Any) -> None:
    """Append an operation that changes no value, so that its result has the format of its source."""
    partition.assign(node, partition.append(node, operation))
    if source in partition.formats:
        partition.formats[operation.target] = partition.formats[source]


OPERATIONS: dict[str, Callable[[Partition, Any], None]] = {
    **dict.fromkeys(("add", "subtract", "multiply", "maximum", "minimum", "average"), merge),
    "affine": affine,
    "concatenate": concatenate,
    "mask": mask,
    "permute": permute,
    "repeat": repeat,
    "reshape": reshape,
    "reverse": reverse,
}
"""Conversions by the `operation` of a `HostStep` node."""


def input_format(partition: Partition, node: Any) -> Fixed:
    """The format of an input's codes: that of its quantizer, else the configured one.

    Raises:
        UnsupportedError: if there is neither a quantizer nor a configured format.
    """
    form = node.get_attr("source")
    if form is not None:
        return form  # type: ignore[no-any-return]
    form = of_layer(node) or of_model(node)
    if form is None:
        raise UnsupportedError(
            f"input {node.name!r} has no quantizer; the engine reads fixed-point codes: put a QActivation("
            f"'quantized_bits(16, 3, alpha=1)') after it, or set hls_config['LayerName'][{node.name!r}]"
            "['Precision']['result'] to, say, 'fixed<16,4>'"
        )
    partition.log.notes.append(
        f"input {node.name!r} has no quantizer; its values are rounded to {text_of(form)} of the configuration, half "
        "to even, and saturated"
    )
    return form
