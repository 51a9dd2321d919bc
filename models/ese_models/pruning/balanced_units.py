"""Masks that balance smaller units than a PE: banks of a row (BBS, FPGA'19), a PE's part of a column (Spartus' CBTD).

Both papers round the count of a unit and keep what that gives. Here a PE keeps exactly min(k, its weights),
k = `keep_per_pe`, as in every balanced family, so that families compare at equal density: units keep the papers' equal
counts where k divides evenly, else counts that differ by one at most. A unit with fewer weights than that keeps all.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ese_host.errors import UnsupportedError
from ese_host.image import Interleave
from ese_models.pruning.masks import Floats, Mask, checked_magnitudes, keep_per_pe, largest

BANK = 64
"""Columns of a bank at most, where no width is given."""


def bank_balanced(weights: Floats, density: float, interleave: Interleave, bank: int = BANK) -> Mask:
    """Largest magnitudes of each bank of each row, as many in each bank of a PE (Cao et al., FPGA'19).

    A row's columns are cut into the fewest banks of at most `bank` columns, as equal in width as can be.
    See `checked_magnitudes` for what else is refused.

    Raises:
        UnsupportedError: `bank` is below 1.
    """
    if bank < 1:
        raise UnsupportedError(f"banks have {bank} columns; at least 1 is needed")
    columns = np.shape(weights)[-1]
    banks = -(-columns // bank)
    units = np.arange(interleave.rows)[:, None] * banks + np.arange(columns) * banks // columns
    return balance_units(weights, density, interleave, units)


def column_balanced(weights: Floats, density: float, interleave: Interleave) -> Mask:
    """Largest magnitudes of each PE's part of each column, as many in each part (Gao et al., 2108.02297).

    Every column costs every PE the same, so that columns can be skipped (delta LSTM) and the balance stays.
    This is the choice that CBTD ends with, its drop probability 1. See `checked_magnitudes` for what is refused.
    """
    units = np.broadcast_to(np.arange(np.shape(weights)[-1]), (interleave.rows, np.shape(weights)[-1]))
    return balance_units(weights, density, interleave, units)


def balance_units(weights: Floats, density: float, interleave: Interleave, units: npt.NDArray[np.int64]) -> Mask:
    """The heaviest mask whose units, within each PE, differ by one kept weight at most (full units aside).

    Args:
        weights: (rows, columns), outputs first.
        density: kept share; each PE keeps min(k, its weights), k = `keep_per_pe`.
        interleave: rows over PEs.
        units: (rows, columns) number of each weight's unit; equal numbers on two PEs are two units.
    """
    array = checked_magnitudes(weights, density, interleave)
    keep = keep_per_pe(array.size, density, interleave.pes)
    mask = np.zeros(array.shape, dtype=bool)
    for pe in range(interleave.pes):
        rows = interleave.rows_of(pe)
        values = array[rows].ravel()
        rank = _ranks(values, units[rows].ravel())
        mine = np.zeros(values.shape, dtype=bool)
        # ranks in turn: level n holds the n-th largest of every unit, and the last level gives its own largest
        ends = np.cumsum(np.bincount(rank))
        level = int(np.searchsorted(ends, min(keep, len(values))))
        mine[rank < level] = True
        last = np.flatnonzero(rank == level)
        mine[last] = largest(values[last], min(keep, len(values)) - int(mine.sum()))
        mask[rows] = mine.reshape(len(rows), array.shape[1])
    return mask


def _ranks(values: npt.NDArray[np.float64], units: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """(n,) rank of each value in its unit, 0 the largest; of equal ones the first."""
    order = np.lexsort((-values, units))
    counts = np.bincount(units)
    ranks = np.empty(len(values), dtype=np.int64)
    ranks[order] = np.arange(len(values)) - np.repeat(np.cumsum(counts) - counts, counts)
    return ranks
