# SPDX-License-Identifier: Apache-2.0
"""Masks by magnitude: unbalanced (Han et al., NIPS'15) and PE-balanced (ESE: Han et al., FPGA'17)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ese_host.errors import FormatError, UnsupportedError
from ese_host.image import Interleave

Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.floating]  # type: ignore[type-arg]  # NumPy 1.21 has no arguments for it at run time


def checked_magnitudes(weights: Floats, density: float, interleave: Interleave) -> npt.NDArray[np.float64]:
    """Check the arguments of a mask function and return |weights|.

    Args:
        weights: (rows, columns), outputs first.
        density: kept share of the weights, 0 to 1.
        interleave: assignment of the rows to the PEs.

    Raises:
        FormatError: if the weights are not a finite matrix with the interleave's rows.
        UnsupportedError: if the density lies outside 0 to 1.
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
    """Number of weights k that each PE keeps: round(density * weights / pes), half to even.

    A PE that has fewer weights keeps all of them.

    Args:
        weights: number of weights of the matrix.
        density: kept share of the weights, 0 to 1.
        pes: number of PEs.

    >>> keep_per_pe(64 * 256, 0.1, 8)
    205
    """
    return round(density * weights / pes)


def magnitude(weights: Floats, density: float, interleave: Interleave) -> Mask:
    """Keep the round(density * weights) largest magnitudes of the whole matrix (Han et al., NIPS'15): not balanced.

    Of equal magnitudes the first in row-major order are kept.

    Args:
        weights: (rows, columns), outputs first.
        density: kept share of the weights, 0 to 1.
        interleave: assignment of the rows to the PEs; only its number of rows is used, for a check.

    Returns:
        (rows, columns) mask, true for kept weights.

    Raises:
        FormatError: if the weights are not a finite matrix with the interleave's rows.
        UnsupportedError: if the density lies outside 0 to 1.
    """
    array = checked_magnitudes(weights, density, interleave)
    return largest(array.ravel(), round(density * array.size)).reshape(array.shape)


def pe_balanced(weights: Floats, density: float, interleave: Interleave) -> Mask:
    """Keep the min(k, its weights) largest magnitudes of each PE, k = `keep_per_pe` (ESE: FPGA'17, section 4).

    Of equal magnitudes the first in row-major order are kept.

    Args:
        weights: (rows, columns), outputs first.
        density: kept share of the weights, 0 to 1.
        interleave: assignment of the rows to the PEs.

    Returns:
        (rows, columns) mask, true for kept weights.

    Raises:
        FormatError: if the weights are not a finite matrix with the interleave's rows.
        UnsupportedError: if the density lies outside 0 to 1.
    """
    array = checked_magnitudes(weights, density, interleave)
    keep = keep_per_pe(array.size, density, interleave.pes)
    mask = np.zeros(array.shape, dtype=bool)
    for pe in range(interleave.pes):
        rows = interleave.rows_of(pe)
        mask[rows] = largest(array[rows].ravel(), keep).reshape(len(rows), array.shape[1])
    return mask


def largest(values: npt.NDArray[np.float64], count: int) -> Mask:
    """(n,) mask of the `count` largest of n values, of equal values the first; all true if count exceeds n."""
    if count >= len(values):
        return np.ones(len(values), dtype=bool)
    if count <= 0:
        return np.zeros(len(values), dtype=bool)
    threshold = np.partition(values, len(values) - count)[len(values) - count]
    mask: Mask = values > threshold
    ties = np.flatnonzero(values == threshold)
    mask[ties[: count - int(mask.sum())]] = True
    return mask
