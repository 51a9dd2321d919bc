# SPDX-License-Identifier: Apache-2.0
"""Conversion of recurrent nodes to layers of integers, which the engine runs: LSTM and GRU."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from ese_hls.graph.nodes import SparseLSTM
from ese_hls.lower.conversion_log import LAST_BIT, ConversionLog
from ese_hls.quantize import (
    LayerTensors,
    WeightTensor,
    codes16,
    describe,
    format_of,
    gru_bias,
    holding,
    key_of,
    of_layer,
    of_model,
)
from ese_host.errors import UnsupportedError
from ese_host.ir import CELL_BITS, ELEMENT_BITS, GATES, MAX_THRESHOLD, Activation, Codes, Fixed, Gru, Lstm, Matrix


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
    kernel = log.matrix(node, tensors.kernel, source)
    recurrent = log.matrix(node, _recurrent(node, tensors), state)
    bias, bias_frac = log.bias(node, tensors.bias, len(kernel.codes))
    peepholes, bias, bias_frac = _peepholes(node, tensors.peepholes, bias, bias_frac, log)
    gate, cell = _activations(node, tensors, state, log)
    output = node.get_attr("output")
    projection = None
    if tensors.projection is not None:
        if tensors.product is not None:
            output = format_of(tensors.product, f"layer {name!r}: output_quantizer").fixed
        projection = log.matrix(node, tensors.projection, output or gate.out.times(cell.out))
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


def gru(node: Any, source: Fixed, log: ConversionLog) -> Gru:
    """Convert a GRU node to a layer.

    Args:
        node: the graph node, a `SparseGRU`.
        source: format of the layer's inputs.
        log: receives reports and notes.

    Raises:
        UnsupportedError: if the engine cannot run the layer; the message says what to change.
        MismatchError: if the codes of a quantizer do not stand for the values that it computes.
    """
    tensors: LayerTensors = node.get_attr("tensors")
    name = node.name
    state = _state(node, tensors, log)
    gate, cell = _activations(node, tensors, state, log)
    reset = None if tensors.reset_after else _reset(name, gate, state, log)
    kernel = log.matrix(node, tensors.kernel, source)
    finest = state if reset is None or reset.frac < state.frac else reset
    recurrent = log.matrix(node, _recurrent(node, tensors), finest)
    units, candidate = len(recurrent.codes) // 3, None
    if reset is not None:
        recurrent, candidate = _rows(recurrent, slice(2 * units)), _rows(recurrent, slice(2 * units, None))
    bias, bias_frac = log.bias(node, tensors.bias, GATES * units, rows=gru_bias)
    return Gru(
        name=name,
        kernel=kernel,
        recurrent=recurrent,
        bias=bias,
        bias_frac=bias_frac,
        gate=gate,
        cell=cell,
        source=source,
        state=state,
        output=node.get_attr("output"),
        return_sequences=node.get_attr("return_sequences"),
        candidate=candidate,
        reset=reset,
        delta_input=_threshold(node, "delta_input", source),
        delta_state=_threshold(node, "delta_state", state),
    )


def _reset(name: str, gate: Activation, state: Fixed, log: ConversionLog) -> Fixed:
    """The format of r * h, which the engine stores: the exact one, or as many bits as it stores, of which a note tells.

    |r * h| is at most |h|, as r is at most 1.
    """
    exact = gate.out.times(state)
    if exact.bits <= ELEMENT_BITS:
        return exact
    form = Fixed(ELEMENT_BITS, state.integer)
    log.notes.append(
        f"layer {name!r}: r * h, which the recurrent kernel of the candidate reads with reset_after=False, has no "
        f"quantizer; its value is rounded to {form}"
    )
    return form


def _rows(matrix: Matrix, rows: slice) -> Matrix:
    """Some rows of a matrix."""
    return replace(matrix, codes=matrix.codes[rows], scale=matrix.scale[:, rows])


def _recurrent(node: Any, tensors: LayerTensors) -> WeightTensor:
    """The recurrent kernel, which every recurrent layer has."""
    if tensors.recurrent is None:
        raise UnsupportedError(
            f"layer {node.name!r} has no recurrent kernel; a recurrent layer needs one: build it with Keras's LSTM or "
            "GRU"
        )
    return tensors.recurrent


def _activations(node: Any, tensors: LayerTensors, state: Fixed, log: ConversionLog) -> tuple[Activation, Activation]:
    """The activations of the gates and of the cell."""
    where = f"layer {node.name!r}"
    gate = log.activation(tensors.recurrent_activation, f"{where}: recurrent_activation", "gate")
    # the new c of f * c + i * g, or h of z * h + (1 - z) * g, must fit: the old one is below 2 ** (integer bits - 1)
    most_frac = max(CELL_BITS - 1 - gate.out.frac - max(state.integer, 2), 0)
    return gate, log.activation(tensors.activation, f"{where}: activation", "cell", most_frac)


def _state(node: Any, tensors: LayerTensors, log: ConversionLog) -> Fixed:
    """The format of h, and of an LSTM's c: that of the state quantizer, else the configured one.

    If the configuration has none for the layer, h of a GRU gets a format that holds all values which it can have, -1 to
    1. Beside an LSTM it gets the model's format, as the LSTM does, so that one format set of the engine serves both.
    """
    where = f"layer {node.name!r} ({tensors.class_name})"
    is_lstm = isinstance(node, SparseLSTM)
    held, need, are = ("h and c", "need", "are") if is_lstm else ("h", "needs", "is")
    if tensors.state is not None:
        state = format_of(tensors.state, f"layer {node.name!r}: state_quantizer")
        if not state.relu and state.fixed.signed and state.fixed.bits <= ELEMENT_BITS:
            return state.fixed
        raise UnsupportedError(
            f"layer {node.name!r}: state_quantizer is {describe(tensors.state)}; {held} must be signed and have at "
            f"most {ELEMENT_BITS} bits: use, say, quantized_bits(16, 3, alpha=1)"
        )
    form = of_layer(node, "state") or of_layer(node)
    key = key_of(node.name, "state")
    if form is None:
        form, proven = of_model(node), holding(-1.0, 1.0)
        beside_lstm = any(isinstance(other, SparseLSTM) for other in node.model.graph.values())
        if not beside_lstm and (form is None or proven.integer <= form.integer):
            log.notes.append(f"{where} has no state_quantizer; h is rounded to {proven}, which holds all its values")
            return proven
    if form is None:
        raise UnsupportedError(
            f"{where} has no state_quantizer; {held} {need} a fixed-point format: build it with, say, "
            f"state_quantizer=quantized_bits(16, 3, alpha=1), or set {key} to, say, 'fixed<16,4>'"
        )
    if not form.signed:
        raise UnsupportedError(
            f"{where}: the configured format of its state is {form}; {held} must be signed: set {key} to, say, "
            "'fixed<16,4>'"
        )
    form = log.configured(f"{where} has no state_quantizer; {held} {are}", form, node.name, key)
    steps = node.get_attr("input_shape")[0][0]
    grows = is_lstm and (steps is None or steps > form.to_float(form.high) + 1)
    if of_layer(node, "state") is None and grows:
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
