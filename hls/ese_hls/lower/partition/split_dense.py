# SPDX-License-Identifier: Apache-2.0
"""Dense layers whose inputs have more bits than a vector element, which the engine therefore reads in two parts.

An input x becomes high + 2**-15 low, two vector elements of one format, and a float kernel W in the same way
high + 2**-s low, two matrices of 16-bit levels with the same scales. The engine computes all products in one layer,

    (H, L) high     with the matrix    H 0    of (outputs of H and L, for both parts of x)
    (H, L) low                         L 0
                                       0 H
                                       0 L

and the host adds them up with their weights 1, 2**-s, 2**-15 and 2**-(15 + s), and the bias. The sum is exact.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from ese_hls.lower.chosen_formats import is_quantized, narrowest, output_format
from ese_hls.lower.conversion import SplitLayer
from ese_hls.lower.conversion_log import ConversionLog
from ese_hls.lower.engine_layers import fitted, normalized, of_tensors
from ese_hls.lower.partition.partition import Partition
from ese_hls.lower.partition.values import NodeValue
from ese_hls.quantize import (
    SPLIT_BITS,
    WeightTensor,
    fit,
    fits_split,
    matrix_of,
    values_of,
    with_precision,
)
from ese_host.image import SUM_FRAC
from ese_host.ir import ELEMENT_BITS, Codes, Dense, Fixed, Matrix
from ese_host.ir.program import MAX_CODE_BITS, Affine, Concatenate, Gather, Merge, Quantize, Relu

SHIFT = SPLIT_BITS // 2
"""Bits of the lower part of an input, and most of that of a kernel."""
MERGED_BITS = 2
"""Bits by which the sum of the four parts of a result may be wider than each of them."""


def add_split_dense(partition: Partition, node: Any) -> bool:
    """Add a Dense layer whose inputs have more bits than a vector element, as parts that the host adds up.

    Args:
        partition: the program being built.
        node: the graph node.

    Returns:
        Whether the node is such a layer; if not, nothing is added.
    """
    value = partition.value(node)
    if node.class_name != "SparseDense" or not _is_wide(partition, value):
        return False
    source = _wide(partition, value)
    form = partition.formats[source]
    high = Fixed(ELEMENT_BITS, ELEMENT_BITS - form.frac + SHIFT)
    log = ConversionLog()  # joins that of the program only if the sums have room
    layer, kernel, finer = _layer(node, high, log)
    parts = fitted(_in_parts(kernel, high, f"{node.name}_parts"), log)
    if (spare := _spare_bits(layer, parts)) < SHIFT + finer:
        return False
    layer = _rounded_bias(layer, parts.exact_range[0] + spare, log)
    partition.log.join(log)
    partition.log.weights[-1] = (partition.log.weights[-1][0], parts.kernel)
    name, halves = node.outputs[0], _halves(partition, value.node, source, high)
    before = len(partition.steps)
    made = partition.add_chain(node, parts, halves[-1], f"{name}_parts")
    partition.close_chain(made)
    shifts = _shifts(parts.outputs // 2, layer.outputs, finer)
    bias = np.concatenate([layer.bias, np.zeros(parts.outputs - layer.outputs, np.int64)])
    scale = 1 << (SHIFT + finer - shifts)
    scaled = partition.append(node, Affine(made, f"{name}_scaled", scale, SHIFT + finer, bias, layer.bias_frac), "")
    picked = tuple(
        partition.append(node, Gather((scaled,), f"{name}_part{number}", index[None], "frame"), "")
        for number, index in enumerate(np.arange(parts.outputs).reshape(-1, layer.outputs))
    )
    total = partition.append(node, Merge("add", picked, f"{name}_sum"), "")
    weights = np.ldexp(np.abs(parts.kernel.values()), -shifts[:, None])[: parts.outputs // 2]
    reach = weights.sum(axis=1).reshape(-1, layer.outputs).sum(axis=0) * 2.0 ** (form.integer - form.signed)
    largest = float((reach + np.abs(np.ldexp(layer.bias.astype(np.float64), -layer.bias_frac))).max())
    target = _finished(partition, node, layer, total, largest)
    partition.places[node.name] += ", in parts of 16 bits whose sums the host adds up"
    inner = (*halves, *(step.target for step in partition.steps[before:-1]))
    partition.splits.append(SplitLayer(node.name, source, parts.name, scaled, total, target, finer, inner))
    partition.assign(node, target)
    return True


def _is_wide(partition: Partition, value: NodeValue) -> bool:
    """Whether a value has more bits than a vector element by the model's quantizer, or by the configuration."""
    chain = partition.open_chains.get(value.tensor)
    if chain is not None:
        form: Fixed | None = output_format(chain.layers[-1])
    else:
        form = partition.formats.get(value.tensor) or narrowest(partition.tensors[value.tensor])
    if form is not None and form.bits <= ELEMENT_BITS:
        return False
    chosen = partition.chosen
    return chosen.asks_split(value.node) or (chosen.splits > 0 and is_quantized(value.node))


def _wide(partition: Partition, value: NodeValue) -> str:
    """Name of the tensor of a value with all of its bits, or as many as two vector elements have room for."""
    tensor = partition.unmasked(value)
    given = partition.tensors[tensor]
    form = partition.formats.get(tensor) or narrowest(given)
    if form is None or not fits_split(form):
        low, high = (math.ldexp(code, -given.frac) for code in (given.low, given.high))
        if form is not None and is_quantized(value.node):
            form = partition.chosen.narrowed(value.node, form, low, high, SPLIT_BITS)
        else:
            form = partition.chosen.result(value.node, low, high, SPLIT_BITS)
    return partition.quantized(value.node, tensor, form, f"{tensor}_wide")


def _halves(partition: Partition, node: Any, source: str, high: Fixed) -> tuple[str, ...]:
    """Append the steps that split a tensor, unless another layer reads the same parts; the last name is of both."""
    names = tuple(f"{source}_{what}" for what in ("high", "rest", "raised", "low", "halves"))
    if names[-1] in partition.tensors:
        return names
    of_high, rest, raised, of_low, both = names
    ones, zeros = np.ones(width := partition.tensors[source].width, np.int64), np.zeros(1, np.int64)
    for step in (
        Quantize(source, of_high, high),
        Merge("subtract", (source, of_high), rest),
        Affine(rest, raised, ones, -SHIFT, np.repeat(zeros, width), 0),
        Quantize(raised, of_low, high),
        Concatenate((of_high, of_low), both),
    ):
        partition.append(node, step, "")
    partition.formats[both] = high
    return names


def _layer(node: Any, high: Fixed, log: ConversionLog) -> tuple[Dense, Matrix, int]:
    """A layer of the high parts, and the rows of both parts of its kernel.

    Args:
        node: the graph node.
        high: format of each part of the inputs.
        log: receives reports and notes.

    Returns:
        The layer with a bias of all bits; the rows of the high part of its kernel and, if there is one, of the lower
        part; and the fractional bits that the lower part has more.
    """
    tensors, late = normalized(node)
    tensor = with_precision(node, tensors.kernel)
    if late or not _is_free(tensor):
        layer = of_tensors(node, tensors, late, high, log, SPLIT_BITS)
        return layer, layer.kernel, 0
    values = values_of(tensor)
    largest = float(np.abs(values).sum(axis=0).max()) * 2.0 ** (high.integer - 1)
    largest = max(largest, 0.0 if tensors.bias is None else float(np.abs(values_of(tensors.bias)).max()), 1.0)
    room = MAX_CODE_BITS - MERGED_BITS - 3 - int(np.frexp(largest)[1]) - high.frac - SHIFT
    upper, _ = matrix_of(tensor, min(SUM_FRAC - high.frac, room))
    values_of_high: Any = upper.values().T  # float64, which all conversions of weights take
    exact = replace(tensors, kernel=replace(tensors.kernel, values=values_of_high))
    layer = of_tensors(node, exact, late, high, log, SPLIT_BITS)
    finer = max(0, min(SHIFT, room - layer.kernel.scale_frac))
    kernel = layer.kernel
    step = np.ldexp(kernel.scale[0].astype(np.float64), -kernel.scale_frac - finer)[:, None]
    rest = values.T - kernel.values()
    lower = np.clip(np.rint(np.divide(rest, step, out=np.zeros_like(rest), where=step > 0)), -(1 << SHIFT), 1 << SHIFT)
    lower = np.minimum(lower, (1 << SHIFT) - 1).astype(np.int64)
    loss = float(np.abs(rest - lower * step).max())
    log.deviates(tensor.layer, tensor.name, loss)
    if loss:
        log.notes.append(
            f"{tensor.where} has no quantizer; it is rounded to {ELEMENT_BITS + finer} bits for each output, in two "
            f"parts, by at most {loss:.2g}"
        )
    if not lower.any():
        return layer, kernel, 0
    codes = np.concatenate([kernel.levels, lower])
    scale = np.concatenate([kernel.scale, kernel.scale], axis=1)
    return layer, Matrix(codes, "int16", scale, kernel.scale_frac), finer


def _is_free(tensor: WeightTensor) -> bool:
    """Whether neither the model nor the configuration rounds a kernel to 16 bits, or clips it."""
    form, values = tensor.precision, tensor.values
    if tensor.quantizer is not None:
        return False
    return form is None or (form.bits > ELEMENT_BITS and np.array_equal(values, np.clip(values, *form.reach)))


def _in_parts(kernel: Matrix, high: Fixed, name: str) -> Dense:
    """The engine's layer that applies the rows of a kernel to both parts of the inputs, of format `high`."""
    zeros: Codes = np.zeros_like(kernel.codes)
    codes = np.block([[kernel.codes, zeros], [zeros, kernel.codes]])
    kernel = replace(kernel, codes=codes, scale=np.concatenate([kernel.scale, kernel.scale], axis=1))
    return Dense(name, kernel, np.zeros(len(codes), np.int64), 0, False, high, None)


def _shifts(rows: int, outputs: int, finer: int) -> Codes:
    """For each of the engine's sums, the fractional bits that it has more than the sums of both high parts.

    Args:
        rows: rows of both parts of the kernel.
        outputs: outputs of the layer.
        finer: fractional bits that the lower part of the kernel has more.
    """
    of_kernel = np.array([0, finer][: rows // outputs])
    return np.repeat((np.array([[0], [SHIFT]]) + of_kernel).ravel(), outputs)


def _spare_bits(layer: Dense, parts: Dense) -> int:
    """Further fractional bits for which the host's codes have room, beyond those of the engine's sums."""
    frac, low, high = parts.exact_range
    of_bias = math.ceil(math.ldexp(int(np.abs(layer.bias).max()), frac - layer.bias_frac))
    return MAX_CODE_BITS - MERGED_BITS - 2 - max(-low, high, of_bias).bit_length()


def _rounded_bias(layer: Dense, frac: int, log: ConversionLog) -> Dense:
    """The layer with a bias of at most `frac` fractional bits: its inputs may be so large that it has too many."""
    bias, bias_frac = fit(layer.bias, layer.bias_frac, frac)
    exact, rounded = (np.ldexp(c.astype(np.float64), -f) for c, f in ((layer.bias, layer.bias_frac), (bias, bias_frac)))
    for name in ("bias", "folded bias"):
        log.deviates(layer.name, name, float(np.abs(rounded - exact).max()))
    return replace(layer, bias=bias, bias_frac=bias_frac)


def _finished(partition: Partition, node: Any, layer: Dense, total: str, largest: float) -> str:
    """Append the ReLU and the rounding of a layer's sums: to its quantizer's format, or to as many bits as allowed.

    Args:
        partition: the program being built.
        node: the graph node.
        layer: the layer, with its bias.
        total: name of the tensor of the sums.
        largest: the largest magnitude that a sum can have.
    """
    form, target = layer.output, str(node.outputs[0])
    if layer.relu:
        total = partition.append(node, Relu(total, f"{target}_positive"), "")
    if form is None:
        integer = int(np.frexp(largest)[1]) + 1
        form = Fixed(min(partition.chosen.splits, integer + partition.tensors[total].frac), integer)
    partition.append(node, Quantize(total, target, form), "")
    partition.formats[target] = form
    return target
