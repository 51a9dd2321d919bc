"""QKeras's quantizers by their own steps: integer levels times one step per output.

A quantizer is called as Keras calls it. What it returns is x + (q - x) in float32, so that q's last bit is lost; its
own step gives q back exactly.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ese_hls.quantize.formats import describe, meaning_of
from ese_hls.quantize.step_sizes import Doubles
from ese_hls.quantize.tensors import WeightTensor
from ese_hls.quantize.weight_kind import WIDEST
from ese_host.errors import UnsupportedError
from ese_host.ir import Codes

ROUNDING = 2.0**-21
"""Relative noise of QKeras's straight-through form x + (q - x) in float32."""
LEVEL = WIDEST.high
"""Largest magnitude of a level."""


def levels_of(tensor: WeightTensor, values: Doubles) -> tuple[Codes, Doubles]:
    """(inputs, outputs) levels and the (outputs,) value of level 1 of a quantizer that has just been called.

    A step that varies along an output's weights (scale_axis=0, elements_per_scale, powers of two) is resolved into
    levels of the smallest; where those exceed 16 bits, the values are rounded to 16 bits of their largest.

    Raises:
        UnsupportedError: the values are no integers times the quantizer's steps.
    """
    unit = np.broadcast_to(_unit(tensor, values), values.shape)
    with np.errstate(divide="ignore", invalid="ignore"):
        codes = np.where(unit > 0, np.rint(values / unit), 0)
    exact = codes * unit
    noise = ROUNDING * np.maximum(np.abs(tensor.values), np.abs(values))
    if not (np.abs(exact - values) <= noise).all():
        raise UnsupportedError(
            f"{tensor.where}: {describe(tensor.quantizer)} gives values that are no integers times its scale: use "
            "qnoise_factor 1 and no stochastic rounding, or give it codes_and_scale (docs/weights.md)"
        )
    used = np.where((codes != 0) & (unit > 0), unit, np.inf)
    step = used.min(axis=0)
    step = np.where(np.isfinite(step), step, unit[0])
    with np.errstate(divide="ignore", invalid="ignore"):
        levels = np.where(step > 0, exact / step, 0)
    whole = levels == np.rint(levels)
    if whole.all() and WIDEST.holds(int(levels.min()), int(levels.max())):
        return levels.astype(np.int64), step
    return to_16_bits(exact, axis=0)


def to_16_bits(exact: Doubles, axis: int | None) -> tuple[Codes, Doubles]:
    """Levels of 16 bits and their (outputs,) power-of-two steps, chosen by the largest value along `axis`.

    >>> levels, step = to_16_bits(np.array([[0.75], [-0.3]]), axis=0)
    >>> levels.ravel().tolist(), float(step[0] * 2**15)
    ([24576, -9830], 1.0)
    """
    largest = np.abs(exact).max(axis=axis, keepdims=True)
    exponent = np.frexp(largest)[1] - 15
    exponent += np.rint(np.ldexp(largest, -exponent)) > LEVEL
    levels = np.rint(np.ldexp(exact, -exponent)).astype(np.int64)
    return levels, np.ldexp(np.ones(exact.shape[1]), np.broadcast_to(exponent, (1, exact.shape[1]))[0])


def _unit(tensor: WeightTensor, values: Doubles) -> Any:
    """The value of code 1 at each weight, of a shape that broadcasts to (inputs, outputs)."""
    unit = meaning_of(tensor.quantizer).unit
    if unit is None:
        raise UnsupportedError(
            f"{tensor.where} has quantizer {describe(tensor.quantizer)}, which is no weight quantizer: use "
            "quantized_bits, quantized_linear, ternary, binary or quantized_po2, or a quantizer with codes_and_scale "
            "(docs/weights.md)"
        )
    return unit(tensor.quantizer, values)
