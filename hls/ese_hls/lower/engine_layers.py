"""Conversion of graph nodes with weights to layers of integers, which the engine runs."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from ese_hls.lower.conversion_log import ConversionLog
from ese_hls.quantize import LayerTensors, WeightTensor, as_kind, codes16, format_of, of_layer, of_model, text_of
from ese_host.errors import UnsupportedError
from ese_host.image import SUM_FRAC
from ese_host.ir import ELEMENT_BITS, MAX_THRESHOLD, SCALE_BITS, Codes, Dense, Fixed, Layer, Lstm, WeightKind


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
    gate = log.activation(tensors.recurrent_activation, f"layer {name!r}: recurrent_activation")
    cell = log.activation(tensors.activation, f"layer {name!r}: activation")
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
            f"layer {node.name!r}: state_quantizer is {tensors.state}; h and c must be signed and have at most "
            f"{ELEMENT_BITS} bits: use, say, quantized_bits(16, 3, alpha=1)"
        )
    form = of_layer(node, "state") or of_layer(node) or of_model(node)
    if form is None:
        raise UnsupportedError(
            f"{where} has no state_quantizer; h and c need a fixed-point format: build it with, say, "
            f"state_quantizer=quantized_bits(16, 3, alpha=1), or set hls_config['LayerName'][{node.name!r}]"
            "['Precision']['state'] to, say, 'fixed<16,4>'"
        )
    if not form.signed:
        raise UnsupportedError(
            f"{where}: the configured format of its state is {text_of(form)}; h and c must be signed: set "
            f"hls_config['LayerName'][{node.name!r}]['Precision']['state'] to, say, 'fixed<16,4>'"
        )
    return log.configured(f"{where} has no state_quantizer; h and c are", form)


def _peepholes(
    node: Any, tensor: WeightTensor | None, bias: Codes, bias_frac: int, log: ConversionLog
) -> tuple[Codes | None, Codes, int]:
    """(3, units) codes of the peepholes (or None), the codes of the bias, and the fractional bits that both share."""
    if tensor is None:
        return None, bias, bias_frac
    codes, frac = log.bias(node, replace(tensor, values=tensor.values.reshape(-1)), tensor.values.size)
    exact = np.concatenate([np.ldexp(codes.astype(np.float64), -frac), np.ldexp(bias.astype(np.float64), -bias_frac)])
    both, common = codes16(exact)
    if bool((np.ldexp(both.astype(np.float64), -common) != exact).any()):
        log.notes.append(
            f"{tensor.where} and the bias share one binary point; both are rounded to {common} fractional bits"
        )
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
    tensors: LayerTensors = node.get_attr("tensors")
    kernel = log.matrix(node, tensors.kernel, source)
    bias, bias_frac = log.bias(node, tensors.bias, len(kernel.codes))
    if node.get_attr("normalized") is not None:
        factor, offset = (np.broadcast_to(value, bias.shape) for value in node.get_attr("normalized"))
        exact = np.ldexp(kernel.scale.astype(np.float64), -kernel.scale_frac) * factor
        limits = {"max_frac": SUM_FRAC - source.frac, "signed": False}
        scale, scale_frac = log.scales(node.name, "folded scale", exact, SCALE_BITS, **limits)
        kernel = replace(kernel, scale=scale, scale_frac=scale_frac)
        folded = np.ldexp(bias.astype(np.float64), -bias_frac) * factor + offset
        bias, bias_frac = log.scales(node.name, "folded bias", folded)
    return Dense(node.name, kernel, bias, bias_frac, bool(node.get_attr("relu")), source, node.get_attr("output"))


def as_one_kind(layer: Layer, kind: WeightKind) -> Layer:
    """The layer with all of its matrices stored as the weight kind `kind`."""
    matrices: dict[str, Any] = {part: as_kind(matrix, kind) for part, matrix in layer.matrices().items()}
    return replace(layer, **matrices)
