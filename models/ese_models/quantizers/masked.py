# SPDX-License-Identifier: Apache-2.0
"""Weight quantizers that never undo a mask: a code is zero if and only if the weight is zero.

`MaskedTernary` is the quantizer of ternary weight networks (TWN, 1605.04711) with the mask in place of the threshold:
sign(w) times the mean |w| of the weights that the mask keeps. `MaskedInt4` is a symmetrical 4-bit quantizer whose codes
for kept weights are -7 to -1 and 1 to 7. Scales are unsigned 16-bit fixed-point numbers, one per tensor or one per
output channel. Values and codes come from the same arithmetic in 64-bit floats, in which every operation is exact or
correctly rounded, so that NumPy and TensorFlow agree bit for bit.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import ops
from qkeras.base_quantizer import BaseQuantizer

from ese_host.errors import FormatError
from ese_host.ir import SCALE_BITS, Codes, WeightKind
from ese_models.quantizers.base import Quantizer

GRID = 2.0**24
"""Magnitudes are rounded to multiples of 1 / GRID before they are summed, so that the sum is exact in any order."""
SMALLEST = 2.0**-100
"""Magnitudes below this count as zero, because TensorFlow and NumPy treat denormal numbers differently."""
MAX_FRAC = 15
"""Largest number of fractional bits of a scale: with an input of 15 fractional bits, a sum is exact in SUM_FRAC."""


class _MaskedQuantizer(Quantizer, BaseQuantizer):  # type: ignore[misc,unused-ignore]
    """Arithmetic of both quantizers; `xp` is `keras.ops` for tensors and `numpy` for arrays."""

    kind: WeightKind
    bits: int
    alpha = "auto"

    def __init__(self, per_channel: bool = True, power_of_two: bool = False, max_frac: int = MAX_FRAC) -> None:
        super().__init__()
        self.per_channel, self.power_of_two = bool(per_channel), bool(power_of_two)
        self.max_frac = self.allowed_frac(max_frac)

    def __call__(self, x: Any) -> Any:
        """Quantized weights of the shape and type of `x`, (inputs, outputs), with the straight-through gradient."""
        x = ops.convert_to_tensor(x)
        codes, scale, step = self._quantize(ops.cast(x, "float64"), ops)
        values = ops.cast(codes * (scale * step), x.dtype)
        return ops.stop_gradient(values) + (x - ops.stop_gradient(x))

    def codes_and_scale(self, weights: npt.ArrayLike) -> tuple[Codes, Codes, int]:
        """Integer form of weights in Keras layout.

        Args:
            weights: (inputs, outputs).

        Returns:
            (inputs, outputs) codes, (outputs,) unsigned 16-bit scales (all equal if the scale is per tensor) and the
            fractional bits of the scales. As float32, code * scale * 2**-frac equals the result of `__call__`.

        Raises:
            FormatError: if a weight is not finite, or the weights are not a matrix.
        """
        array = finite_floats(weights)
        codes, scale, step = self._quantize(array.astype(np.float64), np)
        outputs = np.broadcast_to(scale, (1, array.shape[1]))[0]
        return codes.astype(np.int64), outputs.astype(np.int64), int(-np.log2(step))

    def _quantize(self, w: Any, xp: Any) -> tuple[Any, Any, Any]:
        """(inputs, outputs) codes, (1, outputs) or (1, 1) integer scales, and their unit, a power of two."""
        size, axis = xp.abs(w), 0 if self.per_channel else (0, 1)
        kept = xp.where(size >= SMALLEST, xp.ones_like(w), xp.zeros_like(w))
        ideal = self._ideal_scale(size * kept, kept, axis, xp)
        some = xp.max(kept, axis=axis, keepdims=True)
        scale, step = integral_scales(ideal, some, self.power_of_two, self.max_frac, xp)
        return xp.sign(w) * kept * self._levels(size, scale * step, xp), scale, step

    def _ideal_scale(self, size: Any, _kept: Any, axis: Any, xp: Any) -> Any:
        """Scales before rounding, from the magnitudes `size` and the mask `_kept`, reduced over `axis`."""
        raise NotImplementedError

    def _levels(self, size: Any, _scale: Any, xp: Any) -> Any:
        """Magnitude of the code of each weight, 1 or more."""
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments; the fractional bits of the scales follow from them and the weights."""
        return {"per_channel": self.per_channel, "power_of_two": self.power_of_two, "max_frac": self.max_frac}


@keras.saving.register_keras_serializable(package="ese4ml")
class MaskedTernary(_MaskedQuantizer):
    """Ternary weights sign(w) * scale; scale = mean `|w|` of the non-zero weights (TWN, 1605.04711, the mask given).

    Args:
        per_channel: whether each output channel (the last axis) has a scale; otherwise the tensor has one.
        power_of_two: whether scales are rounded to powers of two.
        max_frac: largest number of fractional bits of the scales; there are fewer if the largest scale needs integer
            bits.
    """

    kind: WeightKind = "ternary"
    bits = 2

    def _ideal_scale(self, size: Any, _kept: Any, axis: Any, xp: Any) -> Any:
        total = xp.sum(xp.round(size * GRID), axis=axis, keepdims=True)
        count = xp.sum(_kept, axis=axis, keepdims=True)
        return total / xp.maximum(count, xp.ones_like(count)) / GRID

    def _levels(self, size: Any, _scale: Any, xp: Any) -> Any:
        return xp.ones_like(size)


@keras.saving.register_keras_serializable(package="ese4ml")
class MaskedInt4(_MaskedQuantizer):
    """4-bit weights code * scale; codes are -7 to 7, never 0 for a non-zero weight, and scale = max `|w|` / 7.

    Args:
        per_channel: whether each output channel (the last axis) has a scale; otherwise the tensor has one.
        power_of_two: whether scales are rounded to powers of two.
        max_frac: largest number of fractional bits of the scales; there are fewer if the largest scale needs integer
            bits.
    """

    kind: WeightKind = "int4"
    bits = 4

    def _ideal_scale(self, size: Any, _kept: Any, axis: Any, xp: Any) -> Any:
        return xp.max(size, axis=axis, keepdims=True) / 7.0

    def _levels(self, size: Any, scale: Any, xp: Any) -> Any:
        divisor = xp.where(scale > 0, scale, xp.ones_like(scale))
        return xp.clip(xp.round(size / divisor), 1.0, 7.0)


def finite_floats(weights: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """(inputs, outputs) weights as float32, after a check that they are a finite matrix.

    Raises:
        FormatError: if a weight is not finite, or the weights are not a matrix.
    """
    array = np.asarray(weights, dtype=np.float32)
    if array.ndim != 2 or not array.size:
        raise FormatError(f"weights have shape {array.shape}; expected (inputs, outputs) with at least one weight")
    if not np.isfinite(array).all():
        where = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise FormatError(f"weight at {where} is {array[where]}; finite numbers are needed: check the training")
    return array


def integral_scales(ideal: Any, least: Any, power_of_two: bool, max_frac: int, xp: Any) -> tuple[Any, Any]:
    """Round scales to whole numbers of a step.

    Args:
        ideal: scales before rounding.
        least: smallest whole number of each scale, of a shape that broadcasts to that of `ideal`.
        power_of_two: whether the scales are rounded to powers of two first.
        max_frac: largest number of fractional bits of the step.
        xp: `keras.ops` or `numpy`.

    Returns:
        Whole numbers of at most `SCALE_BITS` bits, as 64-bit floats, and the step, a power of two.
    """
    if power_of_two:
        ideal = nearest_power_of_two(ideal, max_frac, xp)
    step = step_of(xp.max(ideal), SCALE_BITS, max_frac, xp)
    scale = xp.minimum(xp.round(ideal / step), xp.ones_like(ideal) * (2.0**SCALE_BITS - 1))
    return xp.maximum(scale, least), step


def step_of(largest: Any, bits: int, max_frac: int, xp: Any) -> Any:
    """Smallest power of two, from 2**-max_frac to 1, in units of which `largest` has at most `bits` bits.

    Args:
        largest: scalar, the largest magnitude.
        bits: of a magnitude.
        max_frac: largest number of fractional bits of the step.
        xp: `keras.ops` or `numpy`.
    """
    step = xp.ones_like(largest) * 2.0**-max_frac
    for exponent in range(bits - max_frac, bits):
        step = xp.where(largest >= 2.0**exponent, step * 2.0, step)
    return step


def nearest_power_of_two(value: Any, max_frac: int, xp: Any) -> Any:
    """Round to powers of two from 2**-max_frac to 2**15: up from 1.5 times the lower power on; zero stays zero.

    Args:
        value: non-negative numbers.
        max_frac: negative exponent of the smallest power.
        xp: `keras.ops` or `numpy`.
    """
    result = xp.ones_like(value) * 2.0**-max_frac
    for exponent in range(-max_frac, SCALE_BITS - 1):
        result = xp.where(value >= 1.5 * 2.0**exponent, result * 2.0, result)
    return xp.where(value > 0, result, xp.zeros_like(value))
