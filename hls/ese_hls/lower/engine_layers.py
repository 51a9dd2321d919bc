"""Conversion of graph nodes with weights to layers of integers, which the engine runs."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from ese_hls.lower.conversion_log import LAST_BIT, ConversionLog
from ese_hls.quantize import (
    BIAS_BITS,
    TOLERANCE,
    LayerTensors,
    WeightTensor,
    as_kind,
    codes16,
    describe,
    fit,
    format_of,
    key_of,
    of_layer,
    of_model,
    with_precision,
)
from ese_host.errors import CapacityError, UnsupportedError
from ese_host.image import SUM_FRAC, sum_frac
from ese_host.ir import CELL_BITS, ELEMENT_BITS, MAX_THRESHOLD, SCALE_BITS, Codes, Dense, Fixed, Layer, Lstm, WeightKind


def lstm(node: Any, source: Fixed, log: ConversionLog) -> Lstm:
    """Convert an LSTM node to a layer.

    Args:
        node: the graph node, a `SparseLSTM`.
        source: format of the layer's inputs.
        log: receives reports and notes.

    Raises:
        UnsupportedError: if the engine cannot run the layer; the message says what to change.
        MismatchError: if the codes of a quantizer do not stand for the values that it computes.
    """
    tensors: LayerTensors = node.get_attr("tensors")
    name = node.name
    state = _state(node, tensors, log)
    if tensors.recurrent is None:
        raise UnsupportedError(f"layer {name!r} has no recurrent kernel; an LSTM needs one: build it with Keras's LSTM")
    kernel = log.matrix(node, tensors.kernel, source)
    recurrent = log.matrix(node, tensors.recurrent, state)
    bias, bias_frac = log.bias(node, tensors.bias, len(kernel.codes))
    peepholes, bias, bias_frac = _peepholes(node, tensors.peepholes, bias, bias_frac, log)
    gate = log.activation(tensors.recurrent_activation, f"layer {name!r}: recurrent_activation", "gate")
    # f * c + i * g, with the fractional bits of gates and cell, must fit: |c| is below 2 ** (integer bits - 1)
    most_frac = max(CELL_BITS - 1 - gate.out.frac - max(state.integer, 2), 0)
    cell = log.activation(tensors.activation, f"layer {name!r}: activation", "cell", most_frac)
    output = node.get_attr("output")
    projection = None
    if tensors.projection is not None:
        if tensors.product is not None:
            output = format_of(tensors.product, f"layer {name!r}: output_quantizer").fixed
        product = Fixed(gate.out.bits + cell.out.bits, gate.out.integer + cell.out.integer)
        projection = log.matrix(node, tensors.projection, output or product)
    return Lstm(
        name=name,
        kernel=kernel,
        recurrent=recurrent,
        bias=bias,
        bias_frac=bias_frac,
        gate=gate,
        cell=cell,
        source=source,
        state=state,
        output=output,
        return_sequences=node.get_attr("return_sequences"),
        peepholes=peepholes,
        projection=projection,
        delta_input=_threshold(node, "delta_input", source),
        delta_state=_threshold(node, "delta_state", state),
    )


def _state(node: Any, tensors: LayerTensors, log: ConversionLog) -> Fixed:
    """The format of the states h and c: that of the state quantizer, else the configured one."""
    where = f"layer {node.name!r} ({tensors.class_name})"
    if tensors.state is not None:
        state = format_of(tensors.state, f"layer {node.name!r}: state_quantizer")
        if not state.relu and state.fixed.signed and state.fixed.bits <= ELEMENT_BITS:
            return state.fixed
        raise UnsupportedError(
            f"layer {node.name!r}: state_quantizer is {describe(tensors.state)}; h and c must be signed and have at "
            f"most {ELEMENT_BITS} bits: use, say, quantized_bits(16, 3, alpha=1)"
        )
    form = of_layer(node, "state") or of_layer(node) or of_model(node)
    key = key_of(node.name, "state")
    if form is None:
        raise UnsupportedError(
            f"{where} has no state_quantizer; h and c need a fixed-point format: build it with, say, "
            f"state_quantizer=quantized_bits(16, 3, alpha=1), or set {key} to, say, 'fixed<16,4>'"
        )
    if not form.signed:
        raise UnsupportedError(
            f"{where}: the configured format of its state is {form}; h and c must be signed: set {key} to, say, "
            "'fixed<16,4>'"
        )
    form = log.configured(f"{where} has no state_quantizer; h and c are", form, node.name, key)
    steps = node.get_attr("input_shape")[0][0]
    if of_layer(node, "state") is None and (steps is None or steps > form.to_float(form.high) + 1):
        log.warn(
            f"{where}: c may grow by 1 at each step, and is saturated beyond {form}; {key} sets another format",
            node.name,
            key,
        )
    return form


def _peepholes(
    node: Any, tensor: WeightTensor | None, bias: Codes, bias_frac: int, log: ConversionLog
) -> tuple[Codes | None, Codes, int]:
    """(3, units) codes of the peepholes (or None), the codes of the bias, and the fractional bits that both share."""
    if tensor is None:
        return None, bias, bias_frac
    codes, frac = log.bias(node, replace(tensor, values=tensor.values.reshape(-1)), tensor.values.size)
    exact = np.concatenate([np.ldexp(codes.astype(np.float64), -frac), np.ldexp(bias.astype(np.float64), -bias_frac)])
    both, common = codes16(exact)
    parts = (slice(tensor.values.size), slice(tensor.values.size, None))
    error = np.abs(np.ldexp(both.astype(np.float64), -common) - exact)
    text = f"{tensor.where} and the bias share one binary point; both are rounded to {common} fractional bits"
    loss = float(error.max())
    if any(bool((error[part] > LAST_BIT * np.abs(exact[part]).max()).any()) for part in parts):
        log.warn(f"{text}, by at most {loss:.2g}", tensor.layer, key_of(tensor.layer, tensor.precision_name), loss)
    elif loss:
        log.notes.append(text)
    return both[: tensor.values.size].reshape(tensor.values.shape), both[tensor.values.size :], common


def _threshold(node: Any, attribute: str, form: Fixed) -> int | None:
    """A threshold as a code of the values compared with it; rounded down, so that the same differences exceed it."""
    value = node.get_attr(attribute)
    return None if value is None else min(MAX_THRESHOLD, math.floor(math.ldexp(value, form.frac)))


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
