"""Entries of every column in every PE: interleaved rows, relative row index within a column (EIE section III)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ese_host.errors import FormatError
from ese_host.image import Interleave, padding_passes

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class ColumnEntries:
    """Stored entries of a matrix.

    Attributes:
        weights: (columns, pes) non-zero weights.
        padding: (columns, pes) zero weights stored because a run of zeros exceeds the index field.
    """

    weights: Counts
    padding: Counts

    @property
    def entries(self) -> Counts:
        """(columns, pes) all stored entries."""
        return self.weights + self.padding

    @property
    def ideal_cycles(self) -> float:
        """Cycles of PEs that share every column evenly, and spend at least one on it: EIE's theoretical time.

        EIE's table IV divides the stored work, padding counted, by the peak rate; a layer of so few rows that a column
        is less than one entry a PE (NT-We) cannot be faster than one column a cycle.
        """
        return float(np.maximum(1.0, self.entries.mean(axis=1)).sum())


def column_entries(mask: npt.NDArray[np.bool_], interleave: Interleave, index_bits: int = 4) -> ColumnEntries:
    """Count the entries of a (rows, columns) mask; only the columns that are broadcast need be given.

    An entry passes at most 2**index_bits - 1 zeros, counted in the PE's own rows from the column's top; a longer run
    stores zero weights, each of which passes 2**index_bits rows (itself counted). Zeros below a column's last weight
    need none.

    Raises:
        FormatError: the mask's rows are not the interleave's.
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
