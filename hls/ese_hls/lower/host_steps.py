"""What the host computes between chains: each Keras layer without a matrix as exact steps of a program."""

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
"""Functions that the host computes in floating point where the model ends in them."""
ALLOWED = (
    "relu, tanh, sigmoid, hard_tanh, hard_sigmoid, quantized_bits, quantized_relu, quantized_tanh, quantized_sigmoid "
    "and ternary are allowed, and softmax as the model's last layer"
)


def refuse(node: Any, reason: str) -> UnsupportedError:
    """The error that names a node by its Keras layer."""
    return UnsupportedError(f"layer {node.name!r} ({node.get_attr('keras_class') or node.class_name}) {reason}")


def head_of(node: Any) -> Head:
    """The head that a node is, where the model ends in it; "none" where it is no head."""
    for head in HEADS:
        if node.get_attr("activation") == head and node.get_attr("output") is None and node.get_attr("last", True):
            return head if head == "softmax" or is_sigmoidal(node.get_attr("function")) else "none"
    return "none"


def activation(made: Partition, node: Any) -> None:
    """An activation or quantizer that no layer before it takes up."""
    function, name = node.get_attr("function"), str(node.get_attr("activation"))
    if node.get_attr("absorbed"):
        before = node.get_input_node()
        made.values[node.outputs[0]] = replace(made.value(node), node=node)
        made.places[node.name] = f"folded into {before.name!r}"
        return
    source, value = made.whole(made.value(node)), made.value(node)
    target = node.outputs[0]
    if name == "linear":
        made.give(node, source)
    elif is_format(function):
        form = format_of(function, f"layer {node.name!r}").fixed
        made.give(node, made.quantized(node, source, form, target))
    elif name == "relu":
        made.give(node, made.step(node, Relu(source, target)))
    elif is_ternary(function):
        code, code_frac, frac = ternary_of(function, f"layer {node.name!r}")
        made.formats[target] = Fixed(2, 2 - frac, symmetric=True)
        made.give(node, made.step(node, Ternary(source, target, code, code_frac, frac)))
    elif is_sigmoidal(function) or is_rounded_activation(function):
        applied, note = activation_of(function, f"layer {node.name!r}")
        out = node.get_attr("output") or (of_layer(node) if is_sigmoidal(function) else None)
        applied = type(applied)(applied.kind, out or applied.out, applied.slope, applied.offset)
        if note:
            made.log.notes.append(note)
        if is_sigmoidal(function) and node.get_attr("output") is None:
            made.log.notes.append(
                f"layer {node.name!r} has no quantizer; its output is rounded to {text_of(applied.out)}"
            )
        made.formats[target] = applied.out
        made.give(node, made.step(node, Apply(source, target, applied)))
    else:
        kind, what = node.get_attr("keras_class"), describe(function) if function is not None else name
        rule = "it must be the last layer, over the last axis" if name == "softmax" else ALLOWED
        before = value.node
        raise UnsupportedError(
            f"layer {node.name!r} ({kind}, {what}) cannot stand after {before.name!r} ({before.class_name}): {rule}"
        )


def affine(made: Partition, node: Any) -> None:
    """A normalization that no Dense layer before it takes up: factor and offset of each channel, 16 bits each."""
    width = int(node.get_attr("n_in"))
    values = {
        what: np.broadcast_to(np.asarray(node.get_attr(what), np.float64), (width,)) for what in ("factor", "offset")
    }
    source = made.whole(made.value(node))
    _scale(made, node, source, node.outputs[0], values["factor"], values["offset"])


def _scale(made: Partition, node: Any, source: str, target: str, factor: Any, offset: Any) -> None:
    scale = made.log.scales(node.name, "factor", factor)
    shift = made.log.scales(node.name, "offset", offset)
    made.give(node, made.step(node, Affine(source, target, *scale, *shift)))


def merge(made: Partition, node: Any) -> None:
    """Add, Subtract, Multiply, Maximum, Minimum, Average."""
    kind, target = str(node.get_attr("operation")), node.outputs[0]
    shapes = [tuple(shape) for shape in node.get_attr("input_shape")]
    if len(set(shapes)) > 1:
        raise refuse(
            node, f"combines tensors of shapes {shapes}; equal shapes are allowed: repeat or reshape the smaller"
        )
    sources = tuple(made.whole(made.value(node, which)) for which in range(len(node.inputs)))
    if kind == "average" and len(sources) & (len(sources) - 1):
        total = made.step(node, Merge("add", sources, f"{target}_sum"))
        width = int(node.get_attr("n_out"))
        _scale(made, node, total, target, np.full(width, 1 / len(sources)), np.zeros(width))
        return
    try:
        made.give(node, made.step(node, Merge(kind, sources, target)))  # type: ignore[arg-type]
    except CapacityError:
        rounded = tuple(_rounded(made, node, which, source) for which, source in enumerate(sources))
        if rounded == sources:
            raise
        made.give(node, made.step(node, Merge(kind, rounded, target)))  # type: ignore[arg-type]


def _rounded(made: Partition, node: Any, which: int, source: str) -> str:
    """A tensor in the configured precision of the layer that makes it, where it has one."""
    producer = made.value(node, which).node
    form = of_layer(producer) or of_model(producer)
    if form is None:
        return source
    made.log.notes.append(
        f"layer {producer.name!r} is rounded to {text_of(form)} of the configuration before {node.name!r}"
    )
    return made.quantized(producer, source, form, f"{source}_rounded")


def concatenate(made: Partition, node: Any) -> None:
    """Concatenate along the last axis."""
    axis, shapes = int(node.get_attr("axis")), [tuple(shape) for shape in node.get_attr("input_shape")]
    rank = len(shapes[0]) + 1
    if axis % rank != rank - 1:
        raise refuse(node, f"joins tensors along axis {axis}; the last axis is allowed: build it with axis=-1")
    sources = tuple(made.whole(made.value(node, which)) for which in range(len(node.inputs)))
    made.give(node, made.step(node, Concatenate(sources, node.outputs[0])))


def reshape(made: Partition, node: Any) -> None:
    """Reshape and Flatten."""
    extents = node.get_attr("extents")
    source = made.whole(made.value(node))
    if None in extents:
        raise refuse(
            node,
            f"makes shape {extents} of sequences whose length varies; a known length is allowed: give the input one",
        )
    steps = None if len(extents) == 1 else math.prod(extents[:-1])
    _moved(made, node, source, Reshape(source, node.outputs[0], steps, int(extents[-1])))


def repeat(made: Partition, node: Any) -> None:
    """RepeatVector."""
    source = made.whole(made.value(node))
    _moved(made, node, source, Repeat(source, node.outputs[0], int(node.get_attr("times"))))


def permute(made: Partition, node: Any) -> None:
    """Permute, where it changes nothing."""
    axes = tuple(node.get_attr("axes"))
    if axes != tuple(sorted(axes)):
        raise refuse(node, f"swaps axes {axes}; steps and features keep theirs: build the model without it")
    made.give(node, made.whole(made.value(node)))


def reverse(made: Partition, node: Any) -> None:
    """The order of steps turned round."""
    source = made.whole(made.value(node))
    _moved(made, node, source, Reverse(source, node.outputs[0]))


def mask(made: Partition, node: Any) -> None:
    """Masking: frames whose elements all equal the mask value are left out by the layers that ask for it."""
    source, value = made.whole(made.value(node)), float(node.get_attr("value"))
    form = made.formats.get(source) or narrowest(made.known[source])
    if form is None or form.from_float(value) != np.ldexp(value, form.frac):
        raise refuse(
            node,
            f"masks frames of {value}, which is no value of its input's format {form}; no frame could equal it: choose "
            "a mask_value that the input's quantizer has, 0.0 for instance",
        )
    target, code = node.outputs[0], int(form.from_float(value))
    made.step(node, Mask(source, target, code))
    made.formats[target] = form
    made.give(node, target, Masked(source, code))


def _moved(made: Partition, node: Any, source: str, step: Any) -> None:
    """A step that changes no value keeps its format."""
    made.give(node, made.step(node, step))
    if source in made.formats:
        made.formats[step.target] = made.formats[source]


STEPS: dict[str, Callable[[Partition, Any], None]] = {
    **dict.fromkeys(("add", "subtract", "multiply", "maximum", "minimum", "average"), merge),
    "affine": affine,
    "concatenate": concatenate,
    "mask": mask,
    "permute": permute,
    "repeat": repeat,
    "reshape": reshape,
    "reverse": reverse,
}
"""By a `HostStep` node's `operation`."""


def input_format(made: Partition, node: Any) -> Fixed:
    """The format of an input's codes: its quantizer's, or the configuration's.

    Raises:
        UnsupportedError: there is none.
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
    made.log.notes.append(
        f"input {node.name!r}: {text_of(form)} from the configuration; rounded half to even, saturated"
    )
    return form
