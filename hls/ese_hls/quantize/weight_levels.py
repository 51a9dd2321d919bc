# SPDX-License-Identifier: Apache-2.0
"""Values of a QKeras weight quantizer as integer levels times one step size per output.

A quantizer is called as Keras calls it. It returns x + (q - x), computed in float32, so that the last bit of q may be
wrong; the quantizer's step sizes give q exactly.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ese_hls.quantize.formats import describe, meaning_of
from ese_hls.quantize.step_sizes import Doubles, StepSize
from ese_hls.quantize.tensors import WeightTensor
from ese_hls.quantize.weight_kind import WIDEST
from ese_host.errors import UnsupportedError
from ese_host.ir import Codes

ROUNDING = 2.0**-21
"""Relative error of QKeras's straight-through form x + (q - x) in float32."""
LEVEL = WIDEST.high
"""Largest level."""


def levels_of(tensor: WeightTensor, values: Doubles) -> tuple[Codes, Doubles]:
    """Levels and step sizes of weights that their quantizer has just rounded.

    If the step size varies along an output's weights (scale_axis=0, elements_per_scale, powers of two), the levels are
    multiples of the smallest one; if these need more than 16 bits, the values are rounded to 16 bits instead.

    Args:
        tensor: the weights and their quantizer.
        values: (inputs, outputs) values that the quantizer returned.

    Returns:
        (inputs, outputs) levels, and (outputs,) step sizes.

    Raises:
        UnsupportedError: if the values are not integer multiples of the quantizer's step sizes.
    """
    step_sizes = np.broadcast_to(_step_sizes(tensor, values), values.shape)
    with np.errstate(divide="ignore", invalid="ignore"):
        multiples = np.where(step_sizes > 0, np.rint(values / step_sizes), 0)
    exact = multiples * step_sizes
    noise = ROUNDING * np.maximum(np.abs(tensor.values), np.abs(values))
    if not (np.abs(exact - values) <= noise).all():
        raise UnsupportedError(
            f"{tensor.where}: {describe(tensor.quantizer)} gives values that are not integer multiples of its scale; "
            "only such values are allowed: set qnoise_factor to 1 and use no stochastic rounding, or give the "
            "quantizer a method codes_and_scale (docs/reference/weights.md)"
        )
    used = np.where((multiples != 0) & (step_sizes > 0), step_sizes, np.inf)
    smallest = used.min(axis=0)
    smallest = np.where(np.isfinite(smallest), smallest, step_sizes[0])
    with np.errstate(divide="ignore", invalid="ignore"):
        levels = np.where(smallest > 0, exact / smallest, 0)
    integer = levels == np.rint(levels)
    if integer.all() and WIDEST.holds(int(levels.min()), int(levels.max())):
        return levels.astype(np.int64), smallest
    return to_16_bits(exact, axis=0)


def to_16_bits(exact: Doubles, axis: int | None) -> tuple[Codes, Doubles]:
    """Values as 16-bit levels, with (outputs,) power-of-two step sizes that fit the largest value along `axis`.

    >>> levels, step_sizes = to_16_bits(np.array([[0.75], [-0.3]]), axis=0)
    >>> levels.ravel().tolist(), float(step_sizes[0] * 2**15)
    ([24576, -9830], 1.0)
    """
    largest = np.abs(exact).max(axis=axis, keepdims=True)
    exponent = np.frexp(largest)[1] - 15
    exponent += np.rint(np.ldexp(largest, -exponent)) > LEVEL
    levels = np.rint(np.ldexp(exact, -exponent)).astype(np.int64)
    return levels, np.ldexp(np.ones(exact.shape[1]), np.broadcast_to(exponent, (1, exact.shape[1]))[0])


def _step_sizes(tensor: WeightTensor, values: Doubles) -> Any:
    """The step size of each weight, in a shape that broadcasts to (inputs, outputs)."""
    return step_size_of(tensor)(tensor.quantizer, values)


def step_size_of(tensor: WeightTensor) -> StepSize:
    """How to find the step size of a weight array's quantizer.

    Raises:
        UnsupportedError: if the quantizer is not for weights, as one that draws random numbers.
    """
    step_size = meaning_of(tensor.quantizer).step_size
    if step_size is None:
        raise UnsupportedError(
            f"{tensor.where} has quantizer {describe(tensor.quantizer)}, which is not for weights; quantized_bits, "
            "quantized_linear, ternary, binary, quantized_po2 and quantizers with a method codes_and_scale "
            "(docs/reference/weights.md) are allowed: use one of them"
        )
    return step_size
