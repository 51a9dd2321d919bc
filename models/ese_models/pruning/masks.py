"""Masks by magnitude: unbalanced (NIPS'15) and PE-balanced (ESE, FPGA'17)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ese_host.errors import FormatError, UnsupportedError
from ese_host.image import Interleave

Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.floating]  # type: ignore[type-arg]  # NumPy 1.21 has no arguments for it at run time


def checked_magnitudes(weights: Floats, density: float, interleave: Interleave) -> npt.NDArray[np.float64]:
    """|weights| of a sound request.

    Raises:
        FormatError: the weights are no finite matrix of the interleave's rows.
        UnsupportedError: the density lies outside 0..1.
    """
    array = np.abs(np.asarray(weights, dtype=np.float64))
    if array.ndim != 2 or len(array) != interleave.rows:
        raise FormatError(f"weights have shape {array.shape}; expected ({interleave.rows}, columns), outputs first")
    if not np.isfinite(array).all():
        where = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise FormatError(f"weight at {where} is not finite; a mask needs magnitudes: check the training")
    if not 0 <= density <= 1:
        raise UnsupportedError(f"density is {density}; 0 to 1 is allowed")
    return array


def keep_per_pe(weights: int, density: float, pes: int) -> int:
    """Weights that each PE keeps where it has as many: round(density * weights / pes), half to even.

    >>> keep_per_pe(64 * 256, 0.1, 8)
    205
    """
    return round(density * weights / pes)


def magnitude(weights: Floats, density: float, interleave: Interleave) -> Mask:
    """Largest magnitudes of the whole matrix, the unbalanced control: round(density * weights) of them.

    Of equal magnitudes the first in row-major order are kept. See `checked_magnitudes` for what is refused.
    """
    array = checked_magnitudes(weights, density, interleave)
    return largest(array.ravel(), round(density * array.size)).reshape(array.shape)


def pe_balanced(weights: Floats, density: float, interleave: Interleave) -> Mask:
    """Largest magnitudes of each PE, as many in each: min(k, its weights), k = `keep_per_pe` (ESE section 4).

    Of equal magnitudes the first in row-major order are kept. See `checked_magnitudes` for what is refused.
    """
    array = checked_magnitudes(weights, density, interleave)
    keep = keep_per_pe(array.size, density, interleave.pes)
    mask = np.zeros(array.shape, dtype=bool)
    for pe in range(interleave.pes):
        rows = interleave.rows_of(pe)
        mask[rows] = largest(array[rows].ravel(), keep).reshape(len(rows), array.shape[1])
    return mask


def largest(values: npt.NDArray[np.float64], count: int) -> Mask:
    """(n,) mask of the `count` largest of n values, the first of equal ones; all where count exceeds n."""
    if count >= len(values):
        return np.ones(len(values), dtype=bool)
    if count <= 0:
        return np.zeros(len(values), dtype=bool)
    threshold = np.partition(values, len(values) - count)[len(values) - count]
    mask: Mask = values > threshold
    ties = np.flatnonzero(values == threshold)
    mask[ties[: count - int(mask.sum())]] = True
    return mask
