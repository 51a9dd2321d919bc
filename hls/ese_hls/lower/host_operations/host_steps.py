# SPDX-License-Identifier: Apache-2.0
"""Conversion of layers without a matrix to host operations: exact steps of a program, computed between chains."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from ese_hls.lower.chosen_formats import narrowest, numbers_of
from ese_hls.lower.host_operations.activations import narrowed, piecewise
from ese_hls.lower.host_operations.moves import concatenate, move, permute, refuse, repeat, reshape, reverse, slice_
from ese_hls.lower.partition import Masked, Partition
from ese_hls.quantize import of_layer, of_model
from ese_host.errors import CapacityError
from ese_host.ir import ELEMENT_BITS
from ese_host.ir.program import (
    Affine,
    Embedding,
    Gather,
    Mask,
    Merge,
    Pool,
    Reshape,
    Standardize,
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

    If Multiply, Maximum or Minimum combines masked sequences, their masked frames are left out.

    Raises:
        UnsupportedError: if the tensors have different shapes or masks.
        CapacityError: if the result needs too many bits, even of inputs that are rounded to a configured precision.
    """
    kind, target = str(node.get_attr("operation")), node.outputs[0]
    shapes = [tuple(shape) for shape in node.get_attr("input_shape")]
    if len(set(shapes)) > 1:
        raise refuse(
            node, f"combines tensors of shapes {shapes}; only equal shapes are allowed: repeat or reshape the smaller"
        )
    sources, masked = _merged(partition, node)
    if kind == "average" and len(sources) & (len(sources) - 1):
        total = partition.append(node, Merge("add", sources, f"{target}_sum"))
        width = int(node.get_attr("n_out"))
        _scale(partition, node, total, target, np.full(width, 1 / len(sources)), np.zeros(width))
        return
    try:
        partition.assign(node, partition.append(node, Merge(kind, sources, target)), masked)  # type: ignore[arg-type]
    except CapacityError:
        rounded = tuple(_rounded(partition, node, index, source) for index, source in enumerate(sources))
        if rounded == sources:
            raise
        partition.assign(node, partition.append(node, Merge(kind, rounded, target)), masked)  # type: ignore[arg-type]


def _merged(partition: Partition, node: Any) -> tuple[tuple[str, ...], Masked | None]:
    """The tensors that a node combines, and how frames were left out of all of them, or None if they have all frames.

    Raises:
        UnsupportedError: if frames were left out in different ways.
    """
    numbers = range(len(node.inputs))
    if not node.get_attr("masked"):
        return tuple(partition.unmasked(partition.value(node, number)) for number in numbers), None
    values = [partition.masked_value(node, number) for number in numbers]
    # A masked frame of a product is zero in Keras; that of a maximum or minimum is the first tensor's.
    first = partition.value(node).masked
    zero = node.get_attr("operation") == "multiply" or (first is not None and first.fill == "zero")
    masks = {replace(value.masked, fill="zero" if zero else None) for value in values if value.masked is not None}
    if len(masks) > 1:
        raise refuse(node, "combines sequences of different masks; only one is allowed: put one Masking layer before")
    for value in values:
        partition.close_chain(value.tensor)
    return tuple(value.tensor for value in values), masks.pop()


def _rounded(partition: Partition, node: Any, index: int, source: str) -> str:
    """An input of a node, rounded to the configured precision of the layer that computes it, if there is one."""
    producer = partition.value(node, index).node
    form = of_layer(producer) or of_model(producer)
    if form is None:
        return source
    partition.log.notes.append(
        f"layer {producer.name!r} is rounded to {form} of the configuration before {node.name!r}"
    )
    return partition.quantized(producer, source, form, f"{source}_rounded")


def pool(partition: Partition, node: Any) -> None:
    """Convert a pooling over windows of steps, or over all steps; a mean over all steps leaves out masked ones.

    Raises:
        UnsupportedError: if the mean is of a masked tensor whose mask is not known.
    """
    kind, size, target = node.get_attr("kind"), node.get_attr("size"), node.outputs[0]
    value = partition.masked_value(node) if node.get_attr("masked") else partition.value(node)
    partition.close_chain(value.tensor)
    source = value.tensor if node.get_attr("masked") else partition.unmasked(value)
    steps = Pool(source, target, kind, size, int(node.get_attr("stride") or 1), bool(node.get_attr("same")))
    try:
        partition.append(node, steps)
    except CapacityError:
        steps = replace(steps, source=narrowed(partition, node, source))
        partition.append(node, steps)
    if kind == "maximum" and steps.source in partition.formats:
        partition.formats[target] = partition.formats[steps.source]
    if size is None and len(node.get_attr("extents")) > 1:  # keepdims
        target = partition.append(node, Reshape(target, f"{target}_kept", 1, int(node.get_attr("n_out"))))
    partition.assign(node, target)


def pool_image(partition: Partition, node: Any) -> None:
    """Convert a pooling over windows of two axes, whose elements are put into consecutive steps before.

    Raises:
        UnsupportedError: if an axis has no known length, or the mean is of windows that reach beyond the edges.
    """
    shape, kind, target = tuple(node.get_attr("input_shape")[0]), node.get_attr("kind"), node.outputs[0]
    if None in shape:
        raise refuse(node, f"reads tensors of shape {shape}; only axes of known length are allowed: give them sizes")
    places = []
    for extent, size, stride in zip(shape, node.get_attr("sizes"), node.get_attr("strides"), strict=False):
        count = -(-extent // stride) if node.get_attr("same") else (extent - size) // stride + 1
        before = max((count - 1) * stride + size - extent, 0) // 2 if node.get_attr("same") else 0
        places.append(np.arange(count)[:, None] * stride - before + np.arange(size))
    inside = [np.clip(place, 0, extent - 1) for place, extent in zip(places, shape, strict=False)]
    if kind == "mean" and any((place != held).any() for place, held in zip(places, inside, strict=True)):
        raise refuse(
            node, "averages windows that reach beyond the edges; only whole windows are allowed: use padding='valid'"
        )
    # beyond an edge the maximum sees the element at the edge once more, which belongs to the window anyway
    windows = np.arange(math.prod(shape)).reshape(shape)[inside[0][:, None, :, None], inside[1][None, :, None, :]]
    source, size = partition.unmasked(partition.value(node)), math.prod(node.get_attr("sizes"))
    moved = Gather((source,), f"{target}_windows", windows.reshape(-1, shape[-1]), "sequence")
    partition.append(node, moved)
    partition.assign(node, partition.append(node, Pool(moved.target, target, kind, size, size, False)))
    if kind == "maximum" and source in partition.formats:
        partition.formats[target] = partition.formats[source]


def embedding(partition: Partition, node: Any) -> None:
    """Convert Embedding, whose rows get 16 bits."""
    source, target = partition.unmasked(partition.value(node)), node.outputs[0]
    rows, frac = partition.log.scales(node.name, "embeddings", np.asarray(node.get_attr("rows"), np.float64))
    tensor = partition.tensors[source]
    if tensor.frac:
        source = partition.quantized(node, source, numbers_of(rows), f"{target}_numbers")
    if tensor.kind == "vector" and node.get_attr("mask_zero"):
        source = partition.append(node, Reshape(source, f"{target}_steps", tensor.width, 1))
    partition.assign(node, partition.append(node, Embedding(source, target, rows, frac)))
    if node.get_attr("mask_zero"):
        partition.values[target] = replace(partition.values[target], mask=Masked(source, 0))


def standardize(partition: Partition, node: Any) -> None:
    """Convert a normalization of each frame, over the last axes; scales and offsets get 16 bits each."""
    source, target = partition.unmasked(partition.value(node)), node.outputs[0]
    shape, axes = tuple(node.get_attr("input_shape")[0]), int(node.get_attr("axes"))
    width = math.prod(shape[-axes:])
    if axes > 1:
        steps = None if axes == len(shape) else math.prod(shape[:-axes])
        source = partition.append(node, Reshape(source, f"{target}_frames", steps, width))
    tensor = partition.tensors[source]
    if tensor.high - tensor.low >= 1 << ELEMENT_BITS or tensor.frac > ELEMENT_BITS:
        source = narrowed(partition, node, source, ELEMENT_BITS)
        tensor = partition.tensors[source]
    epsilon = round(float(node.get_attr("epsilon")) * 2.0 ** (2 * tensor.frac + 16))
    made = partition.append(node, Standardize(source, f"{target}_standard", epsilon, node.get_attr("subtract")))
    factor, offset = (
        np.broadcast_to(np.asarray(node.get_attr(name), np.float64).ravel(), (width,)) for name in ("factor", "offset")
    )
    if (factor != 1).any() or offset.any():
        scale = partition.log.scales(node.name, "gamma", factor)
        shift = partition.log.scales(node.name, "beta", offset)
        made = partition.append(node, Affine(made, f"{target}_scaled", *scale, *shift))
    if axes > 1:
        steps = None if len(shape) == 1 else math.prod(shape[:-1])
        made = partition.append(node, Reshape(made, target, steps, shape[-1]))
    partition.assign(node, made)


def mask(partition: Partition, node: Any) -> None:
    """Convert Masking: LSTM layers behind it skip the frames whose elements all equal the mask value.

    Raises:
        UnsupportedError: if the input's format does not have the mask value.
    """
    source, value = partition.unmasked(partition.value(node)), float(np.float32(node.get_attr("value")))
    told = partition.unrounded.get(source, source)
    form = partition.formats.get(told) or narrowest(partition.tensors[told])
    if form is None or form.from_float(value) != np.ldexp(value, form.frac):
        allowed = "no known format" if form is None else str(form)
        raise refuse(
            node,
            f"has mask_value={value:.7g}; only values of its input's format ({allowed}) are "
            "allowed, since a frame can equal no other value: choose such a value, e.g. 0.0",
        )
    target, code = node.outputs[0], int(form.from_float(value))
    partition.append(node, Mask(source, target, code, None if told == source else told))
    if source in partition.formats:
        partition.formats[target] = partition.formats[source]
    partition.assign(node, target, Masked(told, code))


OPERATIONS: dict[str, Callable[[Partition, Any], None]] = {
    **dict.fromkeys(("add", "subtract", "multiply", "maximum", "minimum", "average"), merge),
    "affine": affine,
    "concatenate": concatenate,
    "embedding": embedding,
    "mask": mask,
    "move": move,
    "permute": permute,
    "piecewise": piecewise,
    "pool": pool,
    "pool_image": pool_image,
    "repeat": repeat,
    "reshape": reshape,
    "reverse": reverse,
    "slice": slice_,
    "standardize": standardize,
}
"""Conversions by the `operation` of a `HostStep` node."""
