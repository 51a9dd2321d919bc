# SPDX-License-Identifier: Apache-2.0
"""Masks that balance units smaller than a PE: banks of a row (BBS, FPGA'19) or a PE's part of a column (Spartus' CBTD).

Both papers round the number of weights that a unit keeps, so that the density is missed slightly. Here each PE keeps
exactly min(k, its weights), k = `keep_per_pe`, as in every balanced family, so that families are compared at equal
density. If k divides evenly, the units of a PE keep equal counts as in the papers; otherwise their counts differ by at
most one. A unit with fewer weights than its count keeps all of them.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ese_host.errors import UnsupportedError
from ese_host.image import Interleave
from ese_models.pruning.masks import Floats, Mask, checked_magnitudes, keep_per_pe, largest

BANK = 64
"""Default for the largest number of columns of a bank."""


def bank_balanced(weights: Floats, density: float, interleave: Interleave, bank: int = BANK) -> Mask:
    """Keep the largest magnitudes of each bank of each row, equally many per bank of a PE (BBS: Cao et al., FPGA'19).

    The columns of a row are cut into the fewest banks of at most `bank` columns, as equal in width as possible.

    Args:
        weights: (rows, columns), outputs first.
        density: kept share of the weights, 0 to 1.
        interleave: assignment of the rows to the PEs.
        bank: largest number of columns of a bank.

    Returns:
        (rows, columns) mask, true for kept weights.

    Raises:
        FormatError: if the weights are not a finite matrix with the interleave's rows.
        UnsupportedError: if `bank` is below 1 or the density lies outside 0 to 1.
    """
    if bank < 1:
        raise UnsupportedError(f"banks have {bank} columns; at least 1 is needed")
    columns = np.shape(weights)[-1]
    banks = -(-columns // bank)
    units = np.arange(interleave.rows)[:, None] * banks + np.arange(columns) * banks // columns
    return balance_units(weights, density, interleave, units)


def column_balanced(weights: Floats, density: float, interleave: Interleave) -> Mask:
    """Keep the largest magnitudes of each PE's part of each column, equally many per part (Spartus: 2108.02297).

    Every column costs every PE the same, so that the PEs stay balanced when a delta network skips columns. This is the
    mask with which Column-Balanced Targeted Dropout (CBTD) ends, when its drop probability has reached 1.

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
    units = np.broadcast_to(np.arange(np.shape(weights)[-1]), (interleave.rows, np.shape(weights)[-1]))
    return balance_units(weights, density, interleave, units)


def balance_units(weights: Floats, density: float, interleave: Interleave, units: npt.NDArray[np.int64]) -> Mask:
    """The heaviest mask whose units, within each PE, differ by at most one kept weight (full units excepted).

    Args:
        weights: (rows, columns), outputs first.
        density: kept share, 0 to 1; each PE keeps min(k, its weights), k = `keep_per_pe`.
        interleave: assignment of the rows to the PEs.
        units: (rows, columns) number of each weight's unit; the same number on two PEs denotes two units.

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
        values = array[rows].ravel()
        rank = _ranks(values, units[rows].ravel())
        kept = np.zeros(values.shape, dtype=bool)
        # The values of rank n are the n-th largest of every unit. Whole ranks are kept while they fit into the PE's
        # count; of the first rank that does not fit, the largest values are kept.
        ends = np.cumsum(np.bincount(rank))
        level = int(np.searchsorted(ends, min(keep, len(values))))
        kept[rank < level] = True
        last = np.flatnonzero(rank == level)
        kept[last] = largest(values[last], min(keep, len(values)) - int(kept.sum()))
        mask[rows] = kept.reshape(len(rows), array.shape[1])
    return mask


def _ranks(values: npt.NDArray[np.float64], units: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """(n,) rank of each value within its unit; 0 is the largest, and of equal values the first ranks higher."""
    order = np.lexsort((-values, units))
    counts = np.bincount(units)
    ranks = np.empty(len(values), dtype=np.int64)
    ranks[order] = np.arange(len(values)) - np.repeat(np.cumsum(counts) - counts, counts)
    return ranks
