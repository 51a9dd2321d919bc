"""The value of code 1 at each weight, by what a QKeras quantizer knows of itself after it has been called."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Doubles = npt.NDArray[np.float64]
StepSize = Callable[[Any, Doubles], Any]
"""Of a quantizer and its (inputs, outputs) values: an array of a shape that broadcasts to theirs."""

MANTISSA = 24
"""Bits of a float32's significand."""


def of_scale(quantizer: Any, _values: Doubles) -> Doubles:
    """Signs: the scale itself."""
    return np.abs(_array(quantizer.scale))


def of_bits(quantizer: Any, _values: Doubles) -> Doubles:
    """quantized_bits: the scale, and the weight of the last bit."""
    width = int(quantizer.bits) - bool(quantizer.keep_negative)
    return np.abs(_array(quantizer.scale)) * 2.0 ** (int(quantizer.integer) - width if width else 0)


def of_linear(quantizer: Any, _values: Doubles) -> Doubles:
    """quantized_linear: its own scale, of which a one-bit sign has half."""
    return np.abs(_array(quantizer.quantization_scale)) * (0.5 if quantizer.use_sign_function else 1.0)


def of_powers(_quantizer: Any, values: Doubles) -> Doubles:
    """Powers of two: every value its own."""
    with np.errstate(divide="ignore"):
        return np.where(values == 0, 0.0, 2.0 ** np.rint(np.log2(np.abs(values))))


def of_values(_quantizer: Any, values: Doubles) -> Doubles:
    """(1, outputs) largest power of two that divides all values of an output (float32 numbers)."""
    mantissa, exponent = np.frexp(values)
    whole = np.ldexp(mantissa, MANTISSA).astype(np.int64)
    lowest = np.where(whole == 0, np.inf, np.ldexp((whole & -whole).astype(np.float64), exponent - MANTISSA))
    step: Doubles = lowest.min(axis=0, keepdims=True)
    return np.where(np.isfinite(step), step, 1.0)


def _array(value: Any) -> Doubles:
    """A scale as an array, whatever holds it."""
    return np.asarray(value, dtype=np.float64)
