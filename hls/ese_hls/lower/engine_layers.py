"""Graph nodes with weights to layers of integers."""

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
    """An LSTM node's layer, for inputs in the format `source`.

    Raises:
        UnsupportedError: the engine cannot run it; says what to change.
    """
    tensors: LayerTensors = node.get_attr("tensors")
    name = node.name
    state = _state(node, tensors, log)
    if tensors.recurrent is None:
        raise UnsupportedError(f"layer {name!r} has no recurrent kernel; an LSTM needs one")
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
    """Format of h and c: the state quantizer's, or the configuration's where there is none."""
    where = f"layer {node.name!r} ({tensors.class_name})"
    if tensors.state is not None:
        state = format_of(tensors.state, f"layer {node.name!r}: state_quantizer")
        if not state.relu and state.fixed.signed and state.fixed.bits <= ELEMENT_BITS:
            return state.fixed
        raise UnsupportedError(
            f"layer {node.name!r}: state_quantizer is {tensors.state}; h and c are signed, of at most {ELEMENT_BITS} "
            "bits: use quantized_bits(16, ...)"
        )
    form = of_layer(node, "state") or of_layer(node) or of_model(node)
    if form is None:
        raise UnsupportedError(
            f"{where} has no state_quantizer; h and c are stored in fixed point: build it with, say, "
            f"state_quantizer=quantized_bits(16, 3, alpha=1), or set hls_config['LayerName'][{node.name!r}]"
            "['Precision']['state'] to, say, 'fixed<16,4>'"
        )
    if not form.signed:
        raise UnsupportedError(
            f"{where}: the configuration's state format is {text_of(form)}; h and c are signed: set "
            f"hls_config['LayerName'][{node.name!r}]['Precision']['state'] to 'fixed<16,4>'"
        )
    return log.configured(f"{where} has no state_quantizer; h and c are", form)


def _peepholes(
    node: Any, tensor: WeightTensor | None, bias: Codes, bias_frac: int, log: ConversionLog
) -> tuple[Codes | None, Codes, int]:
    """(3, units) peephole codes, and bias codes with the same fractional bits."""
    if tensor is None:
        return None, bias, bias_frac
    codes, frac = log.bias(node, replace(tensor, values=tensor.values.reshape(-1)), tensor.values.size)
    common = max(frac, bias_frac)
    exact = [np.ldexp(found.astype(np.float64), -own) for found, own in ((codes, frac), (bias, bias_frac))]
    both, common = codes16(np.concatenate(exact))
    if bool((np.ldexp(both.astype(np.float64), -common) != np.concatenate(exact)).any()):
        log.notes.append(f"{tensor.where} and the bias share one binary point: both rounded to {common} bits behind it")
    return both[: tensor.values.size].reshape(tensor.values.shape), both[tensor.values.size :], common


def _threshold(node: Any, attribute: str, form: Fixed) -> int | None:
    """A threshold as a code of what it is compared with; rounded down, so that the same differences exceed it."""
    value = node.get_attr(attribute)
    return None if value is None else min(MAX_THRESHOLD, math.floor(math.ldexp(value, form.frac)))


def dense(node: Any, source: Fixed, log: ConversionLog) -> Dense:
    """A Dense node's layer, for inputs in the format `source`."""
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
    """The layer with all its weights stored as `kind`."""
    matrices: dict[str, Any] = {part: as_kind(matrix, kind) for part, matrix in layer.matrices().items()}
    return replace(layer, **matrices)
