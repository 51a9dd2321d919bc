# SPDX-License-Identifier: Apache-2.0
"""Intervals of what Keras may compute in a Dense layer, or with weights and activations, as this package has read them.

The layer is computed in float64 from the values that its quantizers give in Keras. Wherever the engine rounds and
Keras does not, the interval is widened by what that rounding may change; where Keras's model has a quantizer, the
interval is rounded by it. So both Keras's value and the engine's must lie inside.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ese_hls.quantize import ROUNDING, Doubles, LayerTensors, WeightTensor, is_rounded_activation, line_of, values_of
from ese_hls.selfcheck.intervals import FLOAT32, Interval, Weights
from ese_hls.selfcheck.split_layers import WholeDense, WholeMatrix
from ese_host.errors import MismatchError
from ese_host.ir import SLOPE, Activation, Dense, Matrix

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
    noise = noise_of(tensor) * np.maximum(np.abs(tensor.values.T * factors), np.abs(values))
    if tensor.quantizer is None:  # rounded to the last bit of its row, unless it was clipped to the largest level
        levels, last_bit = engine.levels, np.ldexp(engine.scale[0].astype(np.float64), -engine.scale_frac)[:, None]
        within = (levels > levels.min()) & (levels < levels.max()) & (reported <= last_bit.max())
        reported = np.where(within, np.minimum(reported, last_bit / 2 + scale_error), reported)
    return weights_of(tensor.where, values, engine.values(), reported + noise)


def noise_of(tensor: WeightTensor | None) -> float:
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
    return weights_of(where, values, np.ldexp(codes.astype(np.float64), -frac), reported + noise * np.abs(values))


def weights_of(where: str, values: Doubles, engine: Doubles, allowed: Doubles) -> Weights:
    """Values as Keras uses them, with the deviations of the engine's.

    Args:
        where: their name in messages.
        values: the values in Keras.
        engine: the values in the engine.
        allowed: the largest deviation of each.

    Raises:
        MismatchError: if a value of the engine differs by more.
    """
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
    """An activation of a recurrent layer or of the host.

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
        noise_of(tensors.bias),
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
