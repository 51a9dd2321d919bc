"""Real numbers as codes of at most 16 bits with a common binary point."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ese_host.image import SUM_FRAC
from ese_host.ir import SCALE_BITS, Codes, round_half_even

Doubles = npt.NDArray[np.float64]

BIAS_BITS = 16


def codes16(values: Doubles, max_frac: int = SUM_FRAC, bits: int = BIAS_BITS, signed: bool = True) -> tuple[Codes, int]:
    """Codes of at most `bits` bits with as many fractional bits as fit and help, and that number.

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


def fit(codes: Codes, frac: int, max_frac: int) -> tuple[Codes, int]:
    """The same values with the fewest fractional bits, rounded where those are still more than `max_frac`."""
    while frac > 0 and codes.any() and not (codes & 1).any():
        codes, frac = codes >> 1, frac - 1
    if frac > max_frac:
        codes, frac = round_half_even(codes, frac - max_frac), max_frac
    return codes, frac


def scaled(levels: Codes, step: Doubles, max_frac: int) -> tuple[Codes, Codes, int]:
    """Levels (inputs, outputs), unsigned 16-bit scales (outputs,) and their fractional bits for levels * step.

    Where a step is no 16-bit number, either the scale is the nearest one and the levels stay, or the scale is the next
    larger one and the levels are rounded anew: whichever is closer, output by output.
    """
    top = (1 << SCALE_BITS) - 1
    near, frac = codes16(step, max_frac, SCALE_BITS, signed=False)
    above = np.minimum(np.ceil(np.ldexp(step, frac)), top).astype(np.int64)
    exact = levels * np.ldexp(step, frac)
    anew = np.where(above > 0, np.rint(exact / np.maximum(above, 1)), 0).astype(np.int64)
    better = np.abs(anew * above - exact).max(axis=0) < np.abs(levels * near - exact).max(axis=0)
    scale, frac = fit(np.where(better, above, near), frac, max_frac)
    return np.where(better, anew, levels), scale, frac
