"""Intervals of what Keras may compute in an LSTM or Dense layer as this package has read it.

The layer is computed in float64 from the values that its quantizers give in Keras. Wherever the engine rounds and
Keras does not, the interval is widened by what that rounding may change; where Keras's model has a quantizer, the
interval is rounded by it. So both Keras's value and the engine's must lie inside.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ese_hls.quantize import ROUNDING, Doubles, LayerTensors, WeightTensor, is_rounded_activation, line_of, values_of
from ese_hls.selfcheck.intervals import FLOAT32, Interval, Weights, stack
from ese_hls.selfcheck.split_layers import WholeDense, WholeMatrix
from ese_host.errors import MismatchError
from ese_host.ir import GATES, SLOPE, Activation, Dense, Lstm, Matrix

SLACK = 2.0**-30
"""Relative error of the float64 arithmetic with weights."""
TABLE_ERROR = {"tanh": 0.65 * 2.0**-16, "sigmoid": 0.33 * 2.0**-16}
"""Largest errors of the interpolated table before rounding, as the tests of the table measure them."""


def matrix(
    tensor: WeightTensor,
    engine: Matrix | WholeMatrix,
    reported: Doubles | float,
    factor: Doubles | float = 1.0,
    scale_error: Doubles | float = 0.0,
) -> Weights:
    """A kernel as Keras uses it.

    Args:
        tensor: the kernel, (columns, rows).
        engine: the engine's matrix.
        reported: the largest deviation that the summary names, for all weights or for each.
        factor: (rows,) factors of a normalization folded into the matrix.
        scale_error: by how much the rounding of these factors may change a weight.

    Raises:
        MismatchError: if a weight of the engine differs by more.
    """
    factors = np.reshape(factor, (-1, 1))
    values = values_of(tensor).T * factors
    noise = _noise(tensor) * np.maximum(np.abs(tensor.values.T * factors), np.abs(values))
    if tensor.quantizer is None:  # rounded to the last bit of its row, unless it was clipped to the largest level
        levels, last_bit = engine.levels, np.ldexp(engine.scale[0].astype(np.float64), -engine.scale_frac)[:, None]
        within = (levels > levels.min()) & (levels < levels.max()) & (reported <= last_bit.max())
        reported = np.where(within, np.minimum(reported, last_bit / 2 + scale_error), reported)
    return _weights(tensor.where, values, engine.values(), reported + noise)


def _noise(tensor: WeightTensor | None) -> float:
    """Relative error of the values that Keras computes with: that of a quantizer's straight-through form."""
    return 0.0 if tensor is None or tensor.quantizer is None else ROUNDING


def vector(where: str, values: Doubles, codes: Any, frac: int, reported: float, noise: float = ROUNDING) -> Weights:
    """A bias as Keras uses it, for which the engine has codes.

    Args:
        where: its name in messages.
        values: its values in Keras.
        codes: its codes in the engine.
        frac: their fractional bits.
        reported: the largest deviation that the summary names.
        noise: relative error of Keras's values.

    Raises:
        MismatchError: if a value of the engine differs by more.
    """
    return _weights(where, values, np.ldexp(codes.astype(np.float64), -frac), reported + noise * np.abs(values))


def _weights(where: str, values: Doubles, engine: Doubles, allowed: Doubles) -> Weights:
    deviation = np.abs(engine - values)
    wrong = deviation > allowed * (1 + SLACK)
    if wrong.any():
        place = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise MismatchError(
            f"{where}: the value at {place[::-1]} is {values[place]:.9g} in Keras and {engine[place]:.9g} in the "
            f"converted model; rounding explains a difference of {allowed[place]:.3g}: this is a fault of the "
            "conversion, please report it"
        )
    return Weights(values, deviation)


@dataclass(frozen=True, eq=False)
class Function:
    """An activation of an LSTM or of the host.

    Attributes:
        engine: the activation as the engine computes it.
        line: slope and offset of a hard activation as Keras has them, else None.
        rounds: whether Keras's function rounds to the engine's output format, too.
    """

    engine: Activation
    line: tuple[float, float] | None
    rounds: bool

    @classmethod
    def of(cls, function: Any, where: str, engine: Activation, rounds: bool = False) -> Function:
        """Read a function or quantizer of Keras.

        Args:
            function: the function or quantizer.
            where: names it in messages.
            engine: the activation as the engine computes it.
            rounds: whether a quantizer of the model stands behind it.
        """
        return cls(engine, line_of(function, where), rounds or is_rounded_activation(function))

    def __call__(self, x: Interval) -> Interval:
        """The interval of the results for inputs of an interval."""
        if self.line is not None:
            slope, offset = self.line
            low = -1.0 if self.engine.kind == "hard_tanh" else 0.0
            result = x.rising(lambda values: np.clip(slope * values + offset, low, 1.0))
            if low < 0:  # QKeras computes a hard tanh as 2 * sigmoid(x) - 1, whose noise is that of values up to 1
                half = result.rising(lambda values: (values + 1) / 2).in_float32()
                result = half.rising(lambda values: 2 * values - 1)
            result = result.in_float32()
            error, last_bit = abs(float(SLOPE.to_float(self.engine.slope)) - slope), 2.0**-SLOPE.frac
            error = error if error < last_bit else last_bit / 2
            reach = np.minimum(x.largest, (1 - low) / slope)
            result = result.widened(error * reach)
        else:
            smooth = np.tanh if self.engine.kind == "tanh" else lambda values: 0.5 + 0.5 * np.tanh(values / 2)
            result = x.rising(smooth).widened(TABLE_ERROR[self.engine.kind] + FLOAT32)
        return result.rounded(self.engine.out) if self.rounds else result.about_rounded(self.engine.out)


def dense(node: Any, layer: Dense | WholeDense, x: Interval, deviations: dict[str, float]) -> Interval:
    """The interval of a Dense layer's outputs.

    Args:
        node: the graph node, with the layers folded into it.
        layer: the layer of integers.
        x: (N, T, inputs) inputs.
        deviations: the largest deviation of each tensor that the summary names.
    """
    tensors: LayerTensors = node.get_attr("tensors")
    factor, offset = (np.broadcast_to(value, layer.bias.shape) for value in node.get_attr("normalized") or (1.0, 0.0))
    late = "folded scale" in deviations  # the weights were rounded before the normalization was folded into them
    reported = deviations["kernel"] * (np.abs(factor)[:, None] if late else 1.0)
    scale_error = np.abs(layer.kernel.levels) * deviations.get("folded scale", 0.0)
    kernel = matrix(tensors.kernel, layer.kernel, reported + scale_error, factor, scale_error)
    bias = (
        np.zeros(layer.outputs) if tensors.bias is None else np.broadcast_to(values_of(tensors.bias), (layer.outputs,))
    )
    reported = _bias_deviation(deviations, factor if late else np.ones(1))
    shift = vector(
        f"layer {node.name!r}: bias",
        bias * factor + offset,
        layer.bias,
        layer.bias_frac,
        reported,
        _noise(tensors.bias),
    )
    sums = kernel.sums(x, shift.values).widened(shift.deviation)
    if node.get_attr("normalized") is not None:  # Keras rounds after each of several operations
        sums = sums.widened(4 * FLOAT32 * (sums.largest + np.abs(offset) + np.abs(bias * factor)))
    if node.get_attr("relu"):
        sums = sums.rising(lambda values: np.maximum(values, 0))
    form = node.get_attr("output")
    return sums if form is None else sums.rounded(form)


def _bias_deviation(deviations: dict[str, float], factor: Doubles) -> float:
    return deviations.get("bias", 0.0) * float(np.abs(factor).max()) + deviations.get("folded bias", 0.0)


def lstm(node: Any, layer: Lstm, x: Interval, deviations: dict[str, float], seen: Interval | None = None) -> Interval:
    """The interval of an LSTM's outputs at every step, from the zero state (docs/numerics.md, "LSTM").

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


def _given(tensor: WeightTensor | None) -> WeightTensor:
    """A tensor that every LSTM has."""
    if tensor is None:
        raise ValueError("an LSTM without recurrent kernel has been converted")
    return tensor


def _gates(units: int) -> list[slice]:
    """The rows of each gate."""
    return [slice(gate * units, (gate + 1) * units) for gate in range(GATES)]
