# SPDX-License-Identifier: Apache-2.0
"""Step sizes of weights, read from the attributes of a QKeras quantizer after it has been called."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Doubles = npt.NDArray[np.float64]
StepSize = Callable[[Any, Doubles], Any]
"""Maps a quantizer and its (inputs, outputs) values to step sizes, in a shape that broadcasts to the values."""

MANTISSA = 24
"""Bits of the significand of a float32."""


def of_scale(quantizer: Any, _values: Doubles) -> Doubles:
    """The step size of ternary and binary quantizers, whose levels are signs: their scale."""
    return np.abs(_array(quantizer.scale))


def of_bits(quantizer: Any, _values: Doubles) -> Doubles:
    """The step size of quantized_bits: its scale times the value of the least significant bit."""
    width = int(quantizer.bits) - bool(quantizer.keep_negative)
    return np.abs(_array(quantizer.scale)) * 2.0 ** (int(quantizer.integer) - width if width else 0)


def of_linear(quantizer: Any, _values: Doubles) -> Doubles:
    """The step size of quantized_linear: its quantization scale, or half of it for the one-bit sign function."""
    return np.abs(_array(quantizer.quantization_scale)) * (0.5 if quantizer.use_sign_function else 1.0)


def of_powers(_quantizer: Any, values: Doubles) -> Doubles:
    """The step size of quantizers to powers of two: the magnitude of each value."""
    with np.errstate(divide="ignore"):
        return np.where(values == 0, 0.0, 2.0 ** np.rint(np.log2(np.abs(values))))


def of_values(_quantizer: Any, values: Doubles) -> Doubles:
    """(1, outputs) step sizes derived from float32 values: the largest power of two that divides all of an output."""
    mantissa, exponent = np.frexp(values)
    whole = np.ldexp(mantissa, MANTISSA).astype(np.int64)
    lowest = np.where(whole == 0, np.inf, np.ldexp((whole & -whole).astype(np.float64), exponent - MANTISSA))
    step_size: Doubles = lowest.min(axis=0, keepdims=True)
    return np.where(np.isfinite(step_size), step_size, 1.0)


def _array(value: Any) -> Doubles:
    """A scale as an array; quantizers hold numbers, arrays or tensors."""
    return np.asarray(value, dtype=np.float64)
