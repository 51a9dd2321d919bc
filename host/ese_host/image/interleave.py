# SPDX-License-Identifier: Apache-2.0
"""Interleaved rows and relative index: how the PEs store a sparse matrix (EIE section III.B, ESE section 4.2).

The rows of a matrix are interleaved over P PEs. Row r of a Dense or projection matrix belongs to PE r mod P and is
this PE's row r div P. A recurrent layer's cell has a group of four rows of sums: cell u belongs to PE u mod P, and its
sum g is this PE's row 4 * (u div P) + g. The rows of such a layer's matrix come in blocks, one for each of those of the
four sums to which it adds: all four in an LSTM, and three, two or one in a GRU. The position of a weight within its PE
is column * stride + row; the stride is a power of two.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from ese_host.errors import FormatError
from ese_host.ir import GATES, WEIGHT_KINDS, WeightKind

Positions = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Interleave:
    """Distribution of a matrix's rows over the PEs.

    Attributes:
        rows: rows of the matrix; for a recurrent layer in Keras's order, gate by gate.
        pes: number of PEs.
        places: row of an item to which each block of the matrix's rows adds: (0, 1, 2, 3) for an LSTM's kernels,
            (0,) for a matrix whose rows are single ones.
    """

    rows: int
    pes: int
    places: tuple[int, ...] = (0,)

    def __post_init__(self) -> None:
        if self.rows < 1 or self.pes < 1 or not self.places or self.rows % len(self.places):
            raise FormatError(
                f"{self.rows} rows are to be interleaved over {self.pes} PEs in {len(self.places)} blocks; all three "
                "must be positive, and the rows a multiple of the blocks"
            )

    @property
    def group(self) -> int:
        """Rows that an item has in its PE: the four sums of a cell, or 1."""
        return 1 if self.places == (0,) else GATES

    @property
    def items(self) -> int:
        """Number of items that the PEs receive in turn: cells of a recurrent layer, or rows of any other matrix."""
        return self.rows // len(self.places)

    @property
    def rows_per_pe(self) -> int:
        """Rows of sums of the PE that has most."""
        return -(-self.items // self.pes) * self.group

    @property
    def stride_log2(self) -> int:
        """log2 of the stride, which is `rows_per_pe` rounded up to a power of two."""
        return (self.rows_per_pe - 1).bit_length()

    def owners(self) -> tuple[Positions, Positions]:
        """(rows,) PE of every matrix row, and (rows,) its row within that PE."""
        block, item = np.divmod(np.arange(self.rows, dtype=np.int64), self.items)
        return item % self.pes, (item // self.pes) * self.group + np.array(self.places)[block]

    def rows_of(self, pe: int) -> Positions:
        """Matrix rows that belong to a PE, in the order of the PE's rows."""
        owner, local = self.owners()
        rows = np.flatnonzero(owner == pe)
        return rows[np.argsort(local[rows])]

    def local_rows(self, pe: int) -> Positions:
        """Numbers that the rows of `rows_of` have within their PE, ascending."""
        items = np.arange(len(range(pe, self.items, self.pes)), dtype=np.int64)
        return np.sort((items[:, None] * self.group + np.array(self.places, dtype=np.int64)).ravel())

    def longest_gaps(self) -> Positions:
        """(pes,) most successive positions of each PE's stream without a row of the matrix; 0 in a PE that has none."""
        items = (self.items - np.arange(self.pes, dtype=np.int64) - 1) // self.pes + 1
        places = sorted(self.places)
        to_next_item = places[0] + self.group - places[-1]
        to_next_column = to_next_item + (1 << self.stride_log2) - items * self.group
        within = max([after - before for before, after in pairwise(places)], default=1)
        steps = np.maximum(to_next_column, np.where(items > 1, max(within, to_next_item), within))
        return np.where(items > 0, steps - 1, 0)

    def placed(self, matrix: npt.NDArray[np.generic]) -> list[tuple[Positions, npt.NDArray[np.generic]]]:
        """For each PE the ascending positions and the values of the non-zero elements of a (rows, columns) matrix."""
        owner, local = self.owners()
        row, column = np.nonzero(matrix)
        position = (column.astype(np.int64) << self.stride_log2) + local[row]
        order = np.lexsort((position, owner[row]))
        ends = np.cumsum(np.bincount(owner[row].astype(np.intp), minlength=self.pes))[:-1]
        values = matrix[row, column][order]
        return list(zip(np.split(position[order], ends), np.split(values, ends), strict=True))


def max_gap(kind: WeightKind, gap_bits: int) -> int:
    """Largest gap of an entry that carries a weight; ternary reserves the gap of all ones for padding."""
    return (1 << gap_bits) - (1 if WEIGHT_KINDS[kind].holds_zero else 2)


def padding_passes(kind: WeightKind, gap_bits: int) -> int:
    """Positions that one padding entry skips: its gap, and except for ternary the zero weight that it carries."""
    return (1 << gap_bits) - (0 if WEIGHT_KINDS[kind].holds_zero else 1)


def relative_index(positions: Positions, kind: WeightKind, gap_bits: int) -> tuple[Positions, Positions]:
    """Encode ascending positions as gaps (stream order).

    A gap is the number of positions skipped since the previous entry. Entries without a weight are padding.

    Args:
        positions: ascending positions of the weights of one PE.
        kind: kind of weight code.
        gap_bits: bits of the relative index.

    Returns:
        The gaps of all entries, and the indices of the entries that carry the weights.

    >>> gaps, weights = relative_index(np.array([0, 5, 40]), "int4", 4)
    >>> gaps.tolist(), weights.tolist()
    ([0, 4, 15, 15, 2], [0, 1, 4])
    """
    gaps, weights, _ = _padded(np.diff(positions, prepend=-1) - 1, kind, gap_bits)
    return gaps, weights


def column_index(
    positions: Positions, stride_log2: int, columns: int, kind: WeightKind, gap_bits: int
) -> tuple[Positions, Positions, Positions]:
    """Encode ascending positions as gaps that begin anew at row 0 of every column (skip order).

    Args:
        positions: ascending positions of the weights of one PE.
        stride_log2: log2 of the stride.
        columns: columns of the matrix.
        kind: kind of weight code.
        gap_bits: bits of the relative index.

    Returns:
        The gaps of all entries; the indices of the entries that carry the weights; (columns + 1,) the index of the
        entry with which each column begins, and last the number of entries.

    >>> gaps, weights, starts = column_index(np.array([1, 3, 8]), 2, 3, "int4", 4)
    >>> gaps.tolist(), weights.tolist(), starts.tolist()
    ([1, 1, 0], [0, 1, 2], [0, 2, 2, 3])
    """
    column, row = positions >> stride_log2, positions & ((1 << stride_log2) - 1)
    same_column = np.diff(column, prepend=-1) == 0
    previous_row = np.where(same_column, np.concatenate(([-1], row))[:-1], -1)
    gaps, weights, counts = _padded(row - previous_row - 1, kind, gap_bits)
    starts = np.zeros(columns + 1, dtype=np.int64)
    np.add.at(starts, column + 1, counts)
    return gaps, weights, np.cumsum(starts)


def _padded(skipped: Positions, kind: WeightKind, gap_bits: int) -> tuple[Positions, Positions, Positions]:
    """Insert padding entries for gaps that are too large.

    Args:
        skipped: positions skipped before each weight.
        kind: kind of weight code.
        gap_bits: bits of the relative index.

    Returns:
        The gaps of all entries; the indices of the entries that carry the weights; for each weight the number of its
        entries, padding included.
    """
    limit = max_gap(kind, gap_bits)
    step = padding_passes(kind, gap_bits)
    padding = np.where(skipped > limit, -(-(skipped - limit) // step), 0)
    weights = np.cumsum(padding + 1) - 1
    gaps = np.full(len(skipped) + int(padding.sum()), (1 << gap_bits) - 1, dtype=np.int64)
    gaps[weights] = skipped - padding * step
    return gaps, weights, padding + 1


def entry_columns(positions: Positions, weights: Positions, count: int, interleave: Interleave) -> Positions:
    """(count,) columns of the weights of one PE's entries, and -1 in padding.

    Args:
        positions: positions of the weights.
        weights: indices of the entries that carry them.
        count: number of entries.
        interleave: distribution of the rows over the PEs.
    """
    columns = np.full(count, -1, dtype=np.int64)
    columns[weights] = positions >> interleave.stride_log2
    return columns


@dataclass(frozen=True, eq=False)
class Entries:
    """The entries of a matrix that one PE stores, padding included.

    Attributes:
        gaps: (entries,) positions skipped since the previous entry.
        values: (entries,) codes of the weights; 0 in padding.
        columns: (entries,) columns of the weights; -1 in padding.
        starts: (columns + 1,) the index of the entry with which each column begins, and last the number of entries;
            None in stream order.
    """

    gaps: Positions
    values: Positions
    columns: Positions
    starts: Positions | None = None


def entries(
    matrix: npt.NDArray[np.generic], interleave: Interleave, kind: WeightKind, gap_bits: int, by_column: bool = False
) -> list[Entries]:
    """The entries of each PE.

    Args:
        matrix: (rows, columns) codes, outputs first; 0 is a pruned weight.
        interleave: distribution of the rows over the PEs.
        kind: kind of weight code.
        gap_bits: bits of the relative index.
        by_column: whether gaps begin anew at row 0 of every column (skip order), instead of running on (stream order).
    """
    result = []
    for positions, values in interleave.placed(matrix):
        starts = None
        if by_column:
            gaps, weights, starts = column_index(positions, interleave.stride_log2, matrix.shape[1], kind, gap_bits)
        else:
            gaps, weights = relative_index(positions, kind, gap_bits)
        stored = np.zeros_like(gaps)
        stored[weights] = values
        result.append(Entries(gaps, stored, entry_columns(positions, weights, len(gaps), interleave), starts))
    return result


def entries_per_pe(
    matrix: npt.NDArray[np.generic], interleave: Interleave, kind: WeightKind, gap_bits: int
) -> npt.NDArray[np.int64]:
    """(pes,) number of entries, padding included: the cycles that each PE needs for a matrix in stream mode.

    Args:
        matrix: (rows, columns) codes, outputs first; 0 is a pruned weight.
        interleave: distribution of the rows over the PEs.
        kind: kind of weight code.
        gap_bits: bits of the relative index.
    """
    return np.array([len(stored.gaps) for stored in entries(matrix, interleave, kind, gap_bits)])
