# SPDX-License-Identifier: Apache-2.0
"""Intervals of what Keras may compute in a recurrent layer as this package has read it (`selfcheck.engine_layers`)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ese_hls.quantize import ROUNDING, Doubles, LayerTensors, WeightTensor, gru_bias, values_of
from ese_hls.selfcheck.engine_layers import Function, matrix, vector, weights_of
from ese_hls.selfcheck.intervals import FLOAT32, Interval, Weights, stack
from ese_host.ir import GATES, Gru, Lstm, Matrix


def lstm(node: Any, layer: Lstm, x: Interval, deviations: dict[str, float], seen: Interval | None = None) -> Interval:
    """The interval of an LSTM's outputs at every step, from the zero state (docs/reference/numerics.md, "LSTM").

    Args:
        node: the graph node.
        layer: the layer of integers.
        x: (N, T, inputs) inputs in the order of feeding.
        deviations: the largest deviation of each tensor that the summary names.
        seen: (N, T, outputs) intervals that hold the outputs of Keras and of the golden model at every step, if known.
            What is fed back is then taken from them, as long as they lie within what is explained, so that intervals
            do not grow from step to step.
    """
    tensors: LayerTensors = node.get_attr("tensors")
    kernel = matrix(tensors.kernel, layer.kernel, deviations["kernel"])
    recurrent = matrix(_given(tensors.recurrent), layer.recurrent, deviations["recurrent_kernel"])
    zeros = np.zeros(len(layer.bias))
    bias = zeros if tensors.bias is None else np.broadcast_to(values_of(tensors.bias), zeros.shape)
    shared = deviations.get("bias", 0.0) + np.ldexp(0.5, -layer.bias_frac) * (tensors.peepholes is not None)
    shift = vector(f"layer {node.name!r}: bias", bias, layer.bias, layer.bias_frac, float(shared))
    gate = Function.of(tensors.recurrent_activation, f"layer {node.name!r}", layer.gate)
    cell = Function.of(tensors.activation, f"layer {node.name!r}", layer.cell)
    state = Interval.rounded if tensors.state is not None else Interval.about_rounded
    projection = None
    if tensors.projection is not None and layer.projection is not None:
        projection = matrix(tensors.projection, layer.projection, deviations["projection_kernel"])
    peepholes = None
    if tensors.peepholes is not None and layer.peepholes is not None:
        peepholes = values_of(tensors.peepholes)
        lost = deviations["peephole_kernel"] + np.ldexp(0.5, -layer.bias_frac)
        vector(tensors.peepholes.where, peepholes, layer.peepholes, layer.bias_frac, float(lost))
    samples = x.low.shape[0]
    h = Interval.point(np.zeros((samples, layer.outputs)))
    c = Interval.point(np.zeros((samples, layer.units)))
    of_inputs = kernel.sums(x, shift.values).widened(shift.deviation)
    outputs = []
    for step in range(x.low.shape[1]):
        h, c = state(h, layer.state), state(c, layer.state)
        of_state = recurrent.sums(h)
        sums = (of_inputs[:, step] + of_state).in_float32()
        z_i, z_f, z_g, z_o = (sums[:, gate_rows] for gate_rows in _gates(layer.units))

        def with_peephole(z: Interval, index: int, value: Interval) -> Interval:
            if peepholes is None:
                return z
            reach = value.largest * float(shared)
            return (z + (Interval.point(peepholes[index]) * value).in_float32().widened(reach)).in_float32()

        i, f = gate(with_peephole(z_i, 0, c)), gate(with_peephole(z_f, 1, c))
        c = ((f * c).in_float32() + (i * cell(z_g)).in_float32()).in_float32()
        o = gate(with_peephole(z_o, 2, state(c, layer.state)))
        h = (o * cell(c)).in_float32()
        if projection is not None:
            if tensors.product is not None:
                h = h.rounded(layer.product)
            elif layer.output is not None:
                h = h.about_rounded(layer.output)
            h = state(projection.sums(h), layer.state)
        outputs.append(h)
        h = h if seen is None else seen[:, step].within(h)
    result = stack(outputs if layer.return_sequences else outputs[-1:])
    form = node.get_attr("output")
    return result if form is None or projection is not None else result.rounded(form)


def gru(node: Any, layer: Gru, x: Interval, deviations: dict[str, float], seen: Interval | None = None) -> Interval:
    """The interval of a GRU's outputs at every step, from the zero state (docs/reference/numerics.md, "GRU").

    Args:
        node: the graph node.
        layer: the layer of integers.
        x: (N, T, inputs) inputs in the order of feeding.
        deviations: the largest deviation of each tensor that the summary names.
        seen: (N, T, outputs) intervals that hold the outputs of Keras and of the golden model at every step, if known,
            as for an LSTM.
    """
    tensors: LayerTensors = node.get_attr("tensors")
    units, where = layer.units, f"layer {node.name!r}"
    gates, candidate = slice(2 * units), slice(2 * units, 3 * units)
    kernel = matrix(tensors.kernel, layer.kernel, deviations["kernel"])
    recurrent = matrix(_given(tensors.recurrent), _whole_recurrent(layer), deviations["recurrent_kernel"])
    of_gates, of_candidate = (Weights(recurrent.values[rows], recurrent.deviation[rows]) for rows in (gates, candidate))
    of_input, of_h, deviation = _biases(tensors.bias, layer, where, deviations)
    gate = Function.of(tensors.recurrent_activation, where, layer.gate)
    cell = Function.of(tensors.activation, where, layer.cell)
    state = Interval.rounded if tensors.state is not None else Interval.about_rounded
    h = Interval.point(np.zeros((x.low.shape[0], units)))
    of_inputs = kernel.sums(x, of_input).widened(deviation[: 3 * units])
    outputs = []
    for step in range(x.low.shape[1]):
        h = state(h, layer.state)
        sums = (of_inputs[:, step, gates] + of_gates.sums(h, of_h[gates])).in_float32()
        z, r = gate(sums[:, :units]), gate(sums[:, units:])
        if layer.reset is None:
            fed_back = (r * of_candidate.sums(h, of_h[candidate]).widened(deviation[3 * units :])).in_float32()
        else:
            fed_back = of_candidate.sums((r * h).in_float32().about_rounded(layer.reset))
        h = _mixed(z, h, cell((of_inputs[:, step, candidate] + fed_back).in_float32()))
        outputs.append(h)
        h = h if seen is None else seen[:, step].within(h)
    result = stack(outputs if layer.return_sequences else outputs[-1:])
    form = node.get_attr("output")
    return result if form is None else result.rounded(form)


def _whole_recurrent(layer: Gru) -> Matrix:
    """The recurrent kernel of a GRU as one matrix, as Keras has it."""
    if layer.candidate is None:
        return layer.recurrent
    parts = (layer.recurrent, layer.candidate)
    codes = np.concatenate([part.codes for part in parts])
    return replace(layer.recurrent, codes=codes, scale=np.concatenate([part.scale for part in parts], axis=1))


def _biases(
    tensor: WeightTensor | None, layer: Gru, where: str, deviations: dict[str, float]
) -> tuple[Doubles, Doubles, Doubles]:
    """The biases of a GRU: Keras's of both kernels, and by how much the engine's four of each cell differ from them.

    Raises:
        MismatchError: if a value of the engine differs by more than rounding explains.
    """
    units = layer.units
    if tensor is None:
        values = np.zeros((2, 3 * units))
    else:
        given = values_of(tensor)
        values = given if given.ndim == 2 else np.stack([given, np.zeros_like(given)])
    allowed = deviations.get("bias", 0.0) + ROUNDING * gru_bias(np.abs(values))
    engine = np.ldexp(layer.bias.astype(np.float64), -layer.bias_frac)
    deviation = weights_of(f"{where}: bias", gru_bias(values), engine, allowed).deviation
    return values[0], values[1], deviation


def _mixed(z: Interval, h: Interval, candidate: Interval) -> Interval:
    """The interval of z * h + (1 - z) * candidate, for z from 0 to 1.

    It rises with h and the candidate, and for given values of these it is linear in z, so that its ends belong to ends
    of z. In float32, each of the four operations adds its own error.
    """
    rest = Interval(1 - z.high, 1 - z.low).in_float32()
    kept, added = (z * h).in_float32(), (rest * candidate).in_float32()
    whole = (kept + added).in_float32()
    noise = 2 * FLOAT32 * (kept.largest + added.largest)
    lows = [end * h.low + (1 - end) * candidate.low for end in (z.low, z.high)]
    highs = [end * h.high + (1 - end) * candidate.high for end in (z.low, z.high)]
    linear = Interval(np.minimum(*lows), np.maximum(*highs)).widened(noise)
    return Interval(np.maximum(whole.low, linear.low), np.minimum(whole.high, linear.high))


def _given(tensor: WeightTensor | None) -> WeightTensor:
    """A tensor that every recurrent layer has."""
    if tensor is None:
        raise ValueError("a recurrent layer without recurrent kernel has been converted")
    return tensor


def _gates(units: int) -> list[slice]:
    """The rows of each gate."""
    return [slice(gate * units, (gate + 1) * units) for gate in range(GATES)]
