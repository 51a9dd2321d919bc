# SPDX-License-Identifier: Apache-2.0
"""Real numbers as codes of at most 16 bits with a common binary point."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ese_host.image import SUM_FRAC
from ese_host.ir import SCALE_BITS, Codes, round_half_even

Doubles = npt.NDArray[np.float64]

BIAS_BITS = 16
"""Bits of a bias code."""


def codes16(values: Doubles, max_frac: int = SUM_FRAC, bits: int = BIAS_BITS, signed: bool = True) -> tuple[Codes, int]:
    """Real numbers as fixed-point codes with one binary point, rounded half to even.

    There are as many fractional bits as the largest magnitude leaves room for, but no more than the values need.

    Args:
        values: real numbers of any shape.
        max_frac: largest number of fractional bits.
        bits: bits of a code, including the sign.
        signed: whether one of the bits is a sign.

    Returns:
        Codes of the shape of `values`, and their fractional bits.

    >>> codes, frac = codes16(np.array([0.5, -0.25]))
    >>> codes.tolist(), frac
    ([2, -1], 2)
    """
    largest = float(np.abs(values).max(initial=0.0))
    if largest == 0:
        return np.zeros(values.shape, dtype=np.int64), 0
    top = (1 << (bits - signed)) - 1
    frac = bits - signed - int(np.frexp(largest)[1])
    frac -= int(np.rint(np.ldexp(largest, frac)) > top)
    frac = min(frac, max_frac)
    return fit(np.rint(np.ldexp(values, frac)).astype(np.int64), frac, max_frac)


def rows16(values: Doubles, max_frac: int) -> tuple[Codes, Doubles]:
    """Real numbers as levels of at most 16 bits times a power of two for each column, rounded half to even.

    The levels of a column are as fine as its largest magnitude allows. If all levels share a power of two, it goes into
    the step sizes, so that few levels take few bits.

    Args:
        values: (inputs, outputs) real numbers.
        max_frac: largest number of fractional bits.

    Returns:
        (inputs, outputs) levels, and (outputs,) step sizes.

    >>> levels, step_sizes = rows16(np.array([[0.5, 48], [-0.25, 16]]), 26)
    >>> levels.tolist(), step_sizes.tolist()
    ([[2, 3], [-1, 1]], [0.25, 16.0])
    """
    largest = np.abs(values).max(axis=0)
    exponent = np.frexp(largest)[1] + 1 - BIAS_BITS
    exponent += np.rint(np.ldexp(largest, -exponent)) >= 1 << (BIAS_BITS - 1)
    exponent = np.maximum(exponent, -max_frac)
    exponent = np.where(largest == 0, exponent.max(), exponent)
    levels: Codes = np.rint(np.ldexp(values, -exponent)).astype(np.int64)
    common = int(np.bitwise_or.reduce(levels, axis=None))
    unit = common & -common or 1
    step_sizes: Doubles = np.ldexp(float(unit), exponent)
    return levels // unit, step_sizes


def fit(codes: Codes, frac: int, max_frac: int) -> tuple[Codes, int]:
    """The same values as codes with the fewest fractional bits, rounded only if these exceed `max_frac`.

    Args:
        codes: fixed-point codes.
        frac: their fractional bits.
        max_frac: largest number of fractional bits of the result.

    Returns:
        Codes, and their fractional bits.
    """
    while frac > 0 and codes.any() and not (codes & 1).any():
        codes, frac = codes >> 1, frac - 1
    if frac > max_frac:
        codes, frac = round_half_even(codes, frac - max_frac), max_frac
    return codes, frac


def scaled(levels: Codes, step_sizes: Doubles, max_frac: int) -> tuple[Codes, Codes, int]:
    """Levels times real step sizes as levels times 16-bit scales.

    If a step size is not a 16-bit number, its output gets the closer of two approximations: the nearest scale with the
    same levels, or the next larger scale with levels rounded again.

    Args:
        levels: (inputs, outputs) integers.
        step_sizes: (outputs,) real values of level 1.
        max_frac: largest number of fractional bits of the scales.

    Returns:
        (inputs, outputs) levels, (outputs,) unsigned 16-bit scale codes, and the scales' fractional bits.
    """
    top = (1 << SCALE_BITS) - 1
    nearest, frac = codes16(step_sizes, max_frac, SCALE_BITS, signed=False)
    larger = np.minimum(np.ceil(np.ldexp(step_sizes, frac)), top).astype(np.int64)
    exact = levels * np.ldexp(step_sizes, frac)
    new_levels = np.where(larger > 0, np.rint(exact / np.maximum(larger, 1)), 0).astype(np.int64)
    better = np.abs(new_levels * larger - exact).max(axis=0) < np.abs(levels * nearest - exact).max(axis=0)
    scale, frac = fit(np.where(better, larger, nearest), frac, max_frac)
    return np.where(better, new_levels, levels), scale, frac
