# SPDX-License-Identifier: Apache-2.0
"""Conversion of layers that only move elements: merges along an axis, changes of shape, slices."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ese_hls.lower.partition import Partition
from ese_host.errors import UnsupportedError
from ese_host.ir.program import Concatenate, Gather, Last, Repeat, Reshape, Reverse


def refuse(node: Any, reason: str) -> UnsupportedError:
    """An error that names a node by its Keras layer; `reason` says what was found, what is allowed and the way out."""
    return UnsupportedError(f"layer {node.name!r} ({node.get_attr('keras_class') or node.class_name}) {reason}")


def concatenate(partition: Partition, node: Any) -> None:
    """Convert Concatenate, along any axis if all lengths are known."""
    axis, rank = int(node.get_attr("axis")), len(node.get_attr("input_shape")[0]) + 1
    if axis % rank != rank - 1:
        _move(partition, node, lambda *parts: np.concatenate(parts, axis=axis % rank - 1))
        return
    sources = tuple(partition.unmasked(partition.value(node, index)) for index in range(len(node.inputs)))
    partition.assign(node, partition.append(node, Concatenate(sources, node.outputs[0])))


def move(partition: Partition, node: Any) -> None:
    """Convert a layer that picks elements, in any order, or zeros.

    The node's attribute `pick` makes the result of an array of the elements' numbers, without the sample axis; it may
    put -1 for a zero.
    """
    _move(partition, node, node.get_attr("pick"))


def permute(partition: Partition, node: Any) -> None:
    """Convert Permute; the node's `axes` count that of the samples, like Keras's."""
    axes = [int(axis) - 1 for axis in node.get_attr("axes")]
    _move(partition, node, lambda numbers: numbers.transpose(axes))


def slice_(partition: Partition, node: Any) -> None:
    """Convert a slice; the attribute `key` is its index behind the sample axis (`index` is hls4ml's own)."""
    index = node.get_attr("key")
    _move(partition, node, lambda numbers: numbers[index])


def _move(partition: Partition, node: Any, pick: Callable[..., Any]) -> None:
    """Append what `pick` does to the numbers of the elements."""
    shapes = [tuple(shape) for shape in node.get_attr("input_shape")]
    sources = tuple(partition.unmasked(partition.value(node, index)) for index in range(len(node.inputs)))
    target = node.outputs[0]
    if any(None in shape for shape in shapes):
        _append_moved(partition, node, _of_any_length(node, sources, shapes, pick))
        return
    result = np.asarray(pick(*_numbers(shapes)), np.int64)
    index = result.reshape(math.prod(result.shape[:-1]), -1) if result.ndim else result.reshape(1, 1)
    vector = result.ndim <= 1
    if len(sources) == 1 and np.array_equal(result.ravel(), np.arange(math.prod(shapes[0]))):
        if result.shape == shapes[0]:
            partition.assign(node, sources[0])
            return
        steps = None if vector else len(index)
        _append_moved(partition, node, Reshape(sources[0], target, steps, index.shape[1]))
        return
    _append_moved(partition, node, Gather(sources, target, index, "vector" if vector else "sequence"))


def _numbers(shapes: list[tuple[int, ...]]) -> list[Any]:
    """Arrays of the numbers that `Gather` gives to the elements of its sources."""
    ends = np.cumsum([math.prod(shape) for shape in shapes])
    pairs = zip(shapes, ends, strict=True)
    return [np.arange(end - math.prod(shape), end).reshape(shape) for shape, end in pairs]


def _of_any_length(node: Any, sources: tuple[str, ...], shapes: list[Any], pick: Callable[..., Any]) -> Any:
    """The step for sequences of varying length: the features of each step by themselves, or the last step.

    Raises:
        UnsupportedError: if `pick` moves elements between steps.
    """
    width = sum(shape[-1] for shape in shapes)
    target, seen = node.outputs[0], []
    for steps in (2, 3):
        frames = np.arange(steps * width).reshape(steps, width)
        parts = np.split(frames, np.cumsum([shape[-1] for shape in shapes])[:-1], axis=1)
        result = np.asarray(pick(*parts), np.int64)
        origin = np.where(result < 0, -1, result % width)
        if (
            result.ndim == 2
            and len(result) == steps
            and (result // width == np.arange(steps)[:, None])[result >= 0].all()
        ):
            seen.append(("frame", origin[:1].tolist()))
            if (origin != origin[0]).any():
                seen.append(("steps", []))
        elif result.ndim == 1 and np.array_equal(result, frames[-1]):
            seen.append(("last", []))
        else:
            seen.append(("steps", []))
    kinds = {kind for kind, _ in seen}
    if kinds == {"last"} and len(sources) == 1:
        return Last(sources[0], target)
    if kinds == {"frame"} and seen[0] == seen[1]:
        return Gather(sources, target, np.array(seen[0][1], np.int64), "frame")
    raise refuse(
        node,
        "moves elements between steps of sequences of varying length; only the last step, or features of every step, "
        "are allowed there: give the model's input a fixed number of steps",
    )


def _append_moved(partition: Partition, node: Any, step: Any) -> None:
    """Append a step that changes no value, so that its result has the format of its sources if they have one."""
    partition.assign(node, partition.append(node, step))
    forms = {partition.formats.get(source) for source in step.sources}
    if len(forms) == 1 and None not in forms:
        partition.formats[step.target] = forms.pop()  # type: ignore[assignment]


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
    _append_moved(partition, node, Reshape(source, node.outputs[0], steps, int(extents[-1])))


def repeat(partition: Partition, node: Any) -> None:
    """Convert RepeatVector."""
    source = partition.unmasked(partition.value(node))
    _append_moved(partition, node, Repeat(source, node.outputs[0], int(node.get_attr("times"))))


def reverse(partition: Partition, node: Any) -> None:
    """Convert a reversal of the order of steps."""
    source = partition.unmasked(partition.value(node))
    _append_moved(partition, node, Reverse(source, node.outputs[0]))
