# SPDX-License-Identifier: Apache-2.0
"""Conversion of Dense nodes to layers of integers, which the engine runs."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from ese_hls.lower.conversion_log import ConversionLog
from ese_hls.quantize import BIAS_BITS, TOLERANCE, LayerTensors, WeightTensor, as_kind, fit, with_precision
from ese_host.errors import CapacityError
from ese_host.image import SUM_FRAC, sum_frac
from ese_host.ir import SCALE_BITS, Dense, Fixed, Layer, WeightKind


def dense(node: Any, source: Fixed, log: ConversionLog) -> Dense:
    """Convert a Dense node, with the normalization that is folded into it, to a layer.

    Args:
        node: the graph node, a `SparseDense`.
        source: format of the layer's inputs.
        log: receives reports and notes.

    Raises:
        UnsupportedError: if the engine cannot hold the weights; the message says what to change.
        MismatchError: if the codes of a quantizer do not stand for the values that it computes.
    """
    return fitted(of_tensors(node, *normalized(node), source, log), log)


def of_tensors(
    node: Any, tensors: LayerTensors, late: bool, source: Fixed, log: ConversionLog, bias_bits: int = BIAS_BITS
) -> Dense:
    """Convert the weights of a Dense node to a layer.

    Args:
        node: the graph node, a `SparseDense`.
        tensors: its weights.
        late: whether a normalization behind them must become part of the scales.
        source: format of the layer's inputs.
        log: receives reports and notes.
        bias_bits: bits of a bias; the engine's have 16.
    """
    kernel = log.matrix(node, tensors.kernel, source)
    bias, bias_frac = log.bias(node, tensors.bias, len(kernel.codes), bias_bits)
    if late:
        factor, offset = (np.broadcast_to(value, bias.shape) for value in node.get_attr("normalized"))
        exact = np.ldexp(kernel.scale.astype(np.float64), -kernel.scale_frac) * factor
        limits = {"max_frac": SUM_FRAC - source.frac, "signed": False}
        scale, scale_frac = log.scales(node.name, "folded scale", exact, SCALE_BITS, **limits)
        kernel = replace(kernel, scale=scale, scale_frac=scale_frac)
        folded = np.ldexp(bias.astype(np.float64), -bias_frac) * factor + offset
        bias, bias_frac = log.scales(node.name, "folded bias", folded, bias_bits)
    relu = bool(node.get_attr("relu"))
    return Dense(node.name, kernel, bias, bias_frac, relu, source, node.get_attr("output"))


def normalized(node: Any) -> tuple[LayerTensors, bool]:
    """The weights of a Dense node times the factors of a normalization behind it, if nothing rounds the weights before.

    Otherwise the weights are returned as they are, and True: the normalization must become part of the scales.
    """
    tensors: LayerTensors = node.get_attr("tensors")
    kernel, bias = tensors.kernel, tensors.bias
    rounded = any(
        tensor is not None and (tensor.quantizer is not None or with_precision(node, tensor).precision is not None)
        for tensor in (kernel, bias)
    )
    if rounded or node.get_attr("normalized") is None:
        return tensors, node.get_attr("normalized") is not None
    factor, offset = node.get_attr("normalized")
    before = np.zeros(kernel.values.shape[1]) if bias is None else bias.values
    folded = WeightTensor(kernel.layer, "bias", before * factor + offset, None)
    return replace(tensors, kernel=replace(kernel, values=kernel.values * factor), bias=folded), False


def fitted(layer: Dense, log: ConversionLog) -> Dense:
    """The layer with as few fractional bits of scales and bias as its sums have room for (`ese_host.image.sum_frac`).

    Raises:
        CapacityError: if too little of the weights would be left.
    """
    frac, low, high = layer.exact_range
    room = sum_frac(layer)
    if frac <= room:
        return layer
    room -= 1  # for scales that are rounded up
    kernel, source = layer.kernel, layer.source
    scale, scale_frac = fit(kernel.scale, kernel.scale_frac, room - source.frac)
    bias, bias_frac = fit(layer.bias, layer.bias_frac, room)
    rounded = replace(kernel, scale=scale, scale_frac=scale_frac)
    loss = float(np.abs(rounded.values() - kernel.values()).max())
    shift = np.ldexp(bias.astype(np.float64), -bias_frac) - np.ldexp(layer.bias.astype(np.float64), -layer.bias_frac)
    cause = (
        f"layer {layer.name!r}: its inputs have format {source}, so that its sums may reach "
        f"{math.ldexp(max(-low, high), -frac):,.0f}"
    )
    key = "hls_config['LayerName'][...]['Precision']['result']"
    way = f"give the input or layer before it fewer integer bits, by {key} or a quantizer"
    if loss > TOLERANCE * float(np.abs(kernel.values()).max()):
        raise CapacityError(f"{cause}, which leaves too few fractional bits to its weights: {way}")
    log.deviates(layer.name, "kernel", loss)
    log.deviates(layer.name, "bias", float(np.abs(shift).max()))
    loss = max(loss, float(np.abs(shift).max()))
    if loss:
        text = f"{cause}; weights and bias are rounded by at most {loss:.2g}: to keep them, {way}"
        log.warn(text, layer.name, key, loss)
    return replace(layer, kernel=rounded, bias=bias, bias_frac=bias_frac)


def as_one_kind(layer: Layer, kind: WeightKind) -> Layer:
    """The layer with all of its matrices stored as the weight kind `kind`."""
    matrices: dict[str, Any] = {part: as_kind(matrix, kind) for part, matrix in layer.matrices().items()}
    return replace(layer, **matrices)
