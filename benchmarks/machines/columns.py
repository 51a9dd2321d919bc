# SPDX-License-Identifier: Apache-2.0
"""Entries of every column in every PE, with interleaved rows and a relative index within a column (EIE section III)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ese_host.errors import FormatError
from ese_host.image import Interleave, padding_passes

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class ColumnEntries:
    """Numbers of stored entries of a matrix.

    Attributes:
        weights: (columns, pes) non-zero weights.
        padding: (columns, pes) zero weights that are stored because a run of zeros exceeds the index field.
    """

    weights: Counts
    padding: Counts

    @property
    def entries(self) -> Counts:
        """(columns, pes) stored entries, padding counted."""
        return self.weights + self.padding

    @property
    def ideal_cycles(self) -> float:
        """EIE's theoretical time in cycles: PEs share every column evenly, and spend at least one cycle on it.

        EIE's table IV divides the stored work, padding counted, by the peak rate. A layer with so few rows that a
        column has less than one entry per PE (NT-We) cannot be faster than one column per cycle.
        """
        return float(np.maximum(1.0, self.entries.mean(axis=1)).sum())


def column_entries(mask: npt.NDArray[np.bool_], interleave: Interleave, index_bits: int = 4) -> ColumnEntries:
    """Count the entries of a mask.

    An entry skips at most 2**index_bits - 1 zeros, counted in the PE's rows from the top of the column. In a longer
    run, zero weights are stored as padding, each of which covers 2**index_bits rows (itself counted). Zeros below the
    last weight of a column need no padding.

    Args:
        mask: (rows, columns), True for non-zero weights; only columns that are broadcast need be given.
        interleave: assignment of the rows to PEs.
        index_bits: bits of the relative index.

    Raises:
        FormatError: if the mask does not have the interleave's number of rows.
    """
    if mask.ndim != 2 or len(mask) != interleave.rows:
        raise FormatError(f"the mask has shape {mask.shape}; expected ({interleave.rows}, columns), outputs first")
    owner, local = interleave.owners()
    order = np.lexsort((local, owner))
    column, place = np.nonzero(np.ascontiguousarray(mask.T)[:, order])
    pe, row = owner[order][place], local[order][place]
    stream = column * interleave.pes + pe
    size = mask.shape[1] * interleave.pes
    above = np.full(len(row), -1, dtype=np.int64)
    same = stream[1:] == stream[:-1]
    above[1:][same] = row[:-1][same]
    padding = (row - above - 1) // padding_passes("codebook4", index_bits)
    shape = (mask.shape[1], interleave.pes)
    return ColumnEntries(
        np.bincount(stream, minlength=size).reshape(shape).astype(np.int64),
        np.bincount(stream, weights=padding, minlength=size).reshape(shape).astype(np.int64),
    )
