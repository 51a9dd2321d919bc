# SPDX-License-Identifier: Apache-2.0
"""Conversion of activations, and of other functions of single elements, to host operations."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np

from ese_hls.lower.host_operations.evaluated import STRAIGHT_THROUGH, Singles, levels_of, values_of
from ese_hls.lower.partition import Partition
from ese_hls.quantize import (
    activation_of,
    codes16,
    describe,
    format_of,
    is_format,
    is_rounded_activation,
    is_sigmoidal,
    of_layer,
)
from ese_host.errors import UnsupportedError
from ese_host.ir import ELEMENT_BITS, Codes, Fixed
from ese_host.ir.program import Apply, Gather, Head, Lookup, Piecewise, Relu, Softmax, Tensor

HEADS: tuple[Head, ...] = ("softmax", "sigmoid", "tanh")
"""Functions that the host computes in floating point if they are the last layer of a model."""
SHARES = Fixed(16, 1, signed=False)
"""Format of a softmax's results."""
OFFSET_BITS = 32
"""Most bits of the offset of a piece of a piecewise linear function."""
WIDE_BITS = 32
"""Bits of a table's results if nothing rounds them further."""


def head_of(node: Any) -> Head:
    """The head that a node becomes if it is the last of a model; "none" if it cannot be a head."""
    for head in HEADS:
        if node.get_attr("activation") == head and node.get_attr("output") is None and node.get_attr("last", True):
            return head if head == "softmax" or is_sigmoidal(node.get_attr("function")) else "none"
    return "none"


def activation(partition: Partition, node: Any) -> None:
    """Convert an activation or quantizer that has not been folded into the layer before it.

    Raises:
        UnsupportedError: if the function is not one of single elements.
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
    elif name == "softmax":
        partition.assign(node, softmax(partition, node, source))
    elif is_sigmoidal(function) or is_rounded_activation(function):
        engine_activation, notes = activation_of(function, f"layer {node.name!r}")
        out = node.get_attr("output") or (of_layer(node) if is_sigmoidal(function) else None)
        engine_activation = replace(engine_activation, out=out or engine_activation.out)
        partition.log.notes += notes
        if is_sigmoidal(function) and node.get_attr("output") is None:
            partition.log.notes.append(
                f"layer {node.name!r} has no quantizer; its output is rounded to {engine_activation.out}"
            )
        partition.formats[target] = engine_activation.out
        partition.assign(node, partition.append(node, Apply(source, target, engine_activation)))
    else:
        partition.assign(node, called(partition, node, source, function))


def softmax(partition: Partition, node: Any, source: str) -> str:
    """Append a softmax within the model, over any axis of known lengths; returns the tensor that it makes.

    Args:
        partition: the program being built.
        node: the graph node; its attribute `axis` counts that of the samples, None is the last one.
        source: name of the tensor that it reads.

    Raises:
        UnsupportedError: if it runs over steps of varying length.
    """
    target, shape = node.outputs[0], tuple(node.get_attr("input_shape")[0])
    axis = int(node.get_attr("axis") or (len(shape) if node.get_attr("last", True) else 1)) - 1
    numbers = None
    if axis != len(shape) - 1:
        if None in shape:
            raise UnsupportedError(
                f"layer {node.name!r} ({node.get_attr('keras_class')}) runs over axis {axis + 1} of sequences of "
                "varying length; the last axis is allowed there: give the model's input a fixed number of steps"
            )
        numbers = np.moveaxis(np.arange(math.prod(shape)).reshape(shape), axis, -1)
        index = numbers.reshape(-1, shape[axis])
        source = partition.append(node, Gather((source,), f"{target}_moved", index, "sequence"))
    made = partition.append(node, Softmax(source, target if numbers is None else f"{target}_shares"))
    if numbers is not None:
        back = np.empty(numbers.size, np.int64)
        back[numbers.ravel()] = np.arange(numbers.size)
        made = partition.append(node, Gather((made,), target, back.reshape(-1, shape[-1]), "sequence"))
    partition.formats[made] = SHARES
    return made


def piecewise(partition: Partition, node: Any) -> None:
    """Convert a piecewise linear function, whose slopes get 16 bits each.

    The node has the attributes `bounds`, pairs of a value and whether the value itself belongs to the upper piece, and
    `slopes` and `offsets`, (pieces, 1 or width) real numbers.
    """
    source, target = partition.unmasked(partition.value(node)), node.outputs[0]
    tensor = partition.tensors[source]
    slopes, offsets = (np.asarray(node.get_attr(name), np.float64) for name in ("slopes", "offsets"))
    bounds = [_bound(value, inclusive, tensor) for value, inclusive in node.get_attr("bounds")]
    columns = np.repeat(np.array(bounds, np.int64)[:, None], slopes.shape[1], axis=1)
    slope = partition.log.scales(node.name, "slopes", slopes)
    offset = partition.log.scales(node.name, "offsets", offsets, bits=OFFSET_BITS)
    step = Piecewise(source, target, columns.reshape(len(slopes) - 1, -1), *slope, *offset)
    partition.assign(node, partition.append(node, step))


def decisive_value(node: Any) -> float | None:
    """The value that a layer right behind a node tells from all others, such as Masking or a sign; else None."""
    for reader in node.get_output_nodes():
        if reader.get_attr("operation") == "mask":
            return float(np.float32(reader.get_attr("value")))
        function = reader.get_attr("function")
        known = function is None or reader.get_attr("activation") in ("linear", "relu", "softmax")
        known = known or is_format(function) or is_sigmoidal(function) or is_rounded_activation(function)
        where = f"layer {reader.name!r} ({describe(function)})"
        if reader.class_name == "Activation" and not known and levels_of(function, where) is not None:
            return 0.0
    return None


def called(partition: Partition, node: Any, source: str, function: Any) -> str:
    """Append a function that is known only by calling it, as levels or as a table; returns the tensor that it makes.

    Args:
        partition: the program being built.
        node: the graph node of the function.
        source: name of the tensor that it reads.
        function: the Keras layer, function or quantizer.

    Raises:
        UnsupportedError: if it is not a function of single elements.
    """
    where, target = f"layer {node.name!r} ({describe(function)})", node.outputs[0]
    tensor = partition.tensors[source]
    narrow = tensor.high - tensor.low < 1 << ELEMENT_BITS
    levels = levels_of(function, where)
    if levels is not None and (not narrow or _agree(levels, tensor, function, where)):
        source = partition.unrounded.get(source, source)
        tensor = partition.tensors[source]
        return partition.append(node, _of_levels(source, target, tensor, *levels))
    if narrow:
        return partition.append(node, _table(partition, node, function, source))
    return partition.append(node, _table(partition, node, function, narrowed(partition, node, source)))


def narrowed(partition: Partition, node: Any, source: str, most_frac: int = 48) -> str:
    """A tensor rounded to 16 bits: to the format configured for the layer that makes it, or one that holds its range.

    Args:
        partition: the program being built.
        node: the graph node that reads it.
        source: name of the tensor.
        most_frac: most fractional bits of the result.
    """
    tensor, before = partition.tensors[source], node.get_input_node()
    form = of_layer(before)
    if form is None or form.bits > ELEMENT_BITS or form.frac > most_frac:
        low, high = (math.ldexp(code, -tensor.frac) for code in (tensor.low, tensor.high))
        form = partition.chosen.result(before, low, high)
        frac = min(form.frac, most_frac)
        bits = min(form.bits, form.integer + frac)
        form = Fixed(max(bits, 1), max(bits, 1) - frac, form.signed)
    partition.log.notes.append(
        f"layer {node.name!r} reads values of at most {ELEMENT_BITS} bits; those of {before.name!r} are rounded to "
        f"{form}"
    )
    return partition.quantized(node, source, form, f"{node.outputs[0]}_input")


def _table(partition: Partition, node: Any, function: Any, source: str) -> Lookup:
    """The table of a function's values for all codes of a tensor."""
    tensor, where = partition.tensors[source], f"layer {node.name!r} ({describe(function)})"
    values = values_of(function, _every_value(tensor), where)
    out = node.get_attr("output") or of_layer(node)
    if out is None and codes16(values, 40)[1] < 0 and np.abs(values).max() >= 1 << ELEMENT_BITS:
        out = partition.chosen.result(node, float(values.min()), float(values.max()))  # no 16 bits hold such a range
    if out is not None:
        partition.formats[node.outputs[0]] = out
        return Lookup(source, node.outputs[0], tensor.low, out.from_float(values), out.frac)
    readers = node.get_output_nodes()
    rounded_next = all(is_format(reader.get_attr("function")) for reader in readers)
    results, frac = codes16(values, 40, WIDE_BITS if rounded_next else ELEMENT_BITS)
    error = float(np.abs(np.ldexp(results.astype(np.float64), -frac) - values).max())
    if error and not rounded_next:
        partition.log.notes.append(
            f"layer {node.name!r} has no quantizer; its output is rounded to {ELEMENT_BITS} bits, by at most "
            f"{error:.2g}"
        )
    return Lookup(source, node.outputs[0], tensor.low, results, frac)


def _every_value(tensor: Tensor) -> Singles:
    """The values of all codes that a tensor may have, in ascending order."""
    codes = np.arange(tensor.low, tensor.high + 1)
    return np.ldexp(codes.astype(np.float64), -tensor.frac).astype(np.float32)


def _agree(levels: tuple[Singles, Codes, int], tensor: Tensor, function: Any, where: str) -> bool:
    """Whether a function has the values that were found for it, for all codes of a tensor."""
    changes, codes, frac = levels
    x = _every_value(tensor)
    found = np.ldexp(codes.astype(np.float64), -frac)[np.searchsorted(changes, x, side="right")]
    noise = np.maximum(np.abs(x), np.abs(found)) * STRAIGHT_THROUGH
    return bool((np.abs(values_of(function, x, where) - found) <= noise).all())


def _of_levels(source: str, target: str, tensor: Tensor, changes: Singles, codes: Codes, frac: int) -> Piecewise:
    """A function of few values; `changes` are the smallest float32 values of all pieces but the first."""
    bounds = np.array([_bound(float(value), True, tensor) for value in changes], np.int64)[:, None]
    # slopes of zero, with a binary point that gives the products no more fractional bits than the values need
    return Piecewise(
        source, target, bounds, np.zeros((len(codes), 1), np.int64), frac - tensor.frac, codes[:, None], frac
    )


def _bound(value: float, inclusive: bool, tensor: Tensor) -> int:
    """The smallest code of a tensor that is at least a value, or above it if the value is not inclusive."""
    exact = Fraction(value) * Fraction(2) ** tensor.frac
    code = -int(-exact // 1) if inclusive else int(exact // 1) + 1
    return min(max(code, tensor.low), tensor.high + 1)
