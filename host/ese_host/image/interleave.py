"""Interleaved rows and relative index: how a sparse matrix lies in the PEs (EIE section III.B, ESE section 4.2).

Rows are interleaved over the PEs. A Dense or projection row r belongs to PE r mod P, as its row r div P. An LSTM's
rows come in groups of four gate rows of one cell: cell u belongs to PE u mod P, and gate g of it is that PE's row
4 * (u div P) + g. Within a PE a weight's position is column * stride + row, the stride a power of two.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ese_host.errors import FormatError
from ese_host.ir import WEIGHT_KINDS, WeightKind

Positions = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Interleave:
    """Rows of one matrix over `pes` PEs; `group` is 4 for an LSTM's gate matrices (Keras row order), else 1."""

    rows: int
    pes: int
    group: int = 1

    def __post_init__(self) -> None:
        if self.rows < 1 or self.pes < 1 or self.group < 1 or self.rows % self.group:
            raise FormatError(
                f"{self.rows} rows over {self.pes} PEs in groups of {self.group}; all positive, rows a multiple"
            )

    @property
    def items(self) -> int:
        """Cells of an LSTM, rows of another matrix: what is dealt out to the PEs in turn."""
        return self.rows // self.group

    @property
    def rows_per_pe(self) -> int:
        """Rows of the fullest PE."""
        return -(-self.items // self.pes) * self.group

    @property
    def stride_log2(self) -> int:
        """log2 of the stride: rows of the fullest PE, rounded up to a power of two."""
        return (self.rows_per_pe - 1).bit_length()

    def owners(self) -> tuple[Positions, Positions]:
        """(rows,) PE and row within the PE of every matrix row."""
        gate, item = np.divmod(np.arange(self.rows, dtype=np.int64), self.items)
        return item % self.pes, (item // self.pes) * self.group + gate

    def rows_of(self, pe: int) -> Positions:
        """Matrix rows of one PE, in the order of its rows."""
        owner, local = self.owners()
        mine = np.flatnonzero(owner == pe)
        return mine[np.argsort(local[mine])]

    def placed(self, matrix: npt.NDArray[np.generic]) -> list[tuple[Positions, npt.NDArray[np.generic]]]:
        """The non-zero elements of a (rows, columns) matrix, for each PE: ascending positions, and their values."""
        owner, local = self.owners()
        row, column = np.nonzero(matrix)
        position = (column.astype(np.int64) << self.stride_log2) + local[row]
        order = np.lexsort((position, owner[row]))
        ends = np.cumsum(np.bincount(owner[row].astype(np.intp), minlength=self.pes))[:-1]
        values = matrix[row, column][order]
        return list(zip(np.split(position[order], ends), np.split(values, ends), strict=True))


def max_gap(kind: WeightKind, gap_bits: int) -> int:
    """Largest gap of an entry that carries a weight: ternary keeps the all-ones gap for padding."""
    return (1 << gap_bits) - (1 if WEIGHT_KINDS[kind].holds_zero else 2)


def padding_passes(kind: WeightKind, gap_bits: int) -> int:
    """Positions that one padding entry passes: the gap, and, but for ternary, the zero weight behind it."""
    return (1 << gap_bits) - (0 if WEIGHT_KINDS[kind].holds_zero else 1)


def relative_index(positions: Positions, kind: WeightKind, gap_bits: int) -> tuple[Positions, Positions]:
    """Gaps of all entries and the indices, among the entries, of those that carry the weights.

    The other entries are padding. A gap is the number of positions skipped since the previous entry.

    >>> gaps, weights = relative_index(np.array([0, 5, 40]), "int4", 4)
    >>> gaps.tolist(), weights.tolist()
    ([0, 4, 15, 15, 2], [0, 1, 4])
    """
    gaps, weights, _ = _padded(np.diff(positions, prepend=-1) - 1, kind, gap_bits)
    return gaps, weights


def column_index(
    positions: Positions, stride_log2: int, columns: int, kind: WeightKind, gap_bits: int
) -> tuple[Positions, Positions, Positions]:
    """Skip order: as `relative_index`, but every column's gaps count from its own row 0.

    Returns:
        Gaps, the indices of the entries that carry the weights, and (columns + 1,) the entry with which each column
        begins and the last one ends.

    >>> gaps, weights, starts = column_index(np.array([1, 3, 8]), 2, 3, "int4", 4)
    >>> gaps.tolist(), weights.tolist(), starts.tolist()
    ([1, 1, 0], [0, 1, 2], [0, 2, 2, 3])
    """
    column, row = positions >> stride_log2, positions & ((1 << stride_log2) - 1)
    same = np.diff(column, prepend=-1) == 0
    before = np.where(same, np.concatenate(([-1], row))[:-1], -1)
    gaps, weights, entries = _padded(row - before - 1, kind, gap_bits)
    starts = np.zeros(columns + 1, dtype=np.int64)
    np.add.at(starts, column + 1, entries)
    return gaps, weights, np.cumsum(starts)


def _padded(skipped: Positions, kind: WeightKind, gap_bits: int) -> tuple[Positions, Positions, Positions]:
    """Gaps of all entries, the indices of those with weights, and each weight's entries, its padding counted."""
    limit = max_gap(kind, gap_bits)
    step = padding_passes(kind, gap_bits)
    padding = np.where(skipped > limit, -(-(skipped - limit) // step), 0)
    weights = np.cumsum(padding + 1) - 1
    gaps = np.full(len(skipped) + int(padding.sum()), (1 << gap_bits) - 1, dtype=np.int64)
    gaps[weights] = skipped - padding * step
    return gaps, weights, padding + 1


@dataclass(frozen=True, eq=False)
class Entries:
    """What one PE stores of a matrix, padding included.

    Attributes:
        gaps: (entries,) positions skipped since the entry before.
        values: (entries,) the matrix's elements, 0 in padding.
        starts: (columns + 1,) the entry with which each column begins and the last one ends; skip order alone.
    """

    gaps: Positions
    values: Positions
    starts: Positions | None = None


def entries(
    matrix: npt.NDArray[np.generic], interleave: Interleave, kind: WeightKind, gap_bits: int, by_column: bool = False
) -> list[Entries]:
    """The entries of each PE, in stream order, or with `by_column` in skip order.

    Args:
        matrix: (rows, columns) codes, outputs first; 0 is no weight.
        interleave: its rows over the PEs.
        kind: of its codes.
        gap_bits: width of the relative index.
        by_column: whether every column's gaps count from its own row 0.
    """
    found = []
    for positions, values in interleave.placed(matrix):
        starts = None
        if by_column:
            gaps, weights, starts = column_index(positions, interleave.stride_log2, matrix.shape[1], kind, gap_bits)
        else:
            gaps, weights = relative_index(positions, kind, gap_bits)
        stored = np.zeros_like(gaps)
        stored[weights] = values
        found.append(Entries(gaps, stored, starts))
    return found


def entries_per_pe(
    matrix: npt.NDArray[np.generic], interleave: Interleave, kind: WeightKind, gap_bits: int
) -> npt.NDArray[np.int64]:
    """(pes,) stored entries, padding counted: the cycles that each PE needs for the matrix."""
    return np.array([len(one.gaps) for one in entries(matrix, interleave, kind, gap_bits)])
