# SPDX-License-Identifier: Apache-2.0
"""Gap-aware PE-balanced masks: balanced like `pe_balanced`, but without padding entries. A method of this project.

Of each PE, those k positions are kept whose gaps, counted from the start of the PE's stream, all fit into the gap
field, and whose total magnitude is the largest possible. Positions are counted as the engine counts them
(`ese_host.image.interleave`): virtual rows count as gap, those that fill a column up to the power-of-two stride and
those of a cell's four sums to which a GRU's matrix does not add.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import ceil, log2

import numpy as np
import numpy.typing as npt

from ese_host.image import Interleave, max_gap, padding_passes
from ese_host.ir import WeightKind
from ese_models.pruning.heaviest_chain import best_chain
from ese_models.pruning.masks import Floats, Mask, checked_magnitudes, keep_per_pe


def gap_aware(
    weights: Floats, density: float, interleave: Interleave, kind: WeightKind = "ternary", gap_bits: int = 5
) -> Mask:
    """Keep min(k, its weights) weights of each PE, k = `keep_per_pe`: the heaviest choice that needs no padding entry.

    Magnitudes are rounded to an integer grid, see `integers`; on that grid the result is the exact optimum. If the
    virtual rows of a column already exceed the gap field, each gap may take the fewest padding entries that bring k
    weights within reach.

    Args:
        weights: (rows, columns), outputs first.
        density: kept share of the weights, 0 to 1.
        interleave: assignment of the rows to the PEs.
        kind: weight code, which decides how large a gap the gap field holds.
        gap_bits: width of the gap field, bits.

    Returns:
        (rows, columns) mask, true for kept weights.

    Raises:
        FormatError: if the weights are not a finite matrix with the interleave's rows.
        UnsupportedError: if the density lies outside 0 to 1.
    """
    array = checked_magnitudes(weights, density, interleave)
    keep = keep_per_pe(array.size, density, interleave.pes)
    mask = np.zeros(array.shape, dtype=bool)
    columns = array.shape[1]
    for pe in range(interleave.pes):
        rows = interleave.rows_of(pe)
        count = min(keep, array[rows].size)
        if not count:
            continue
        real = real_positions(interleave.local_rows(pe), columns, interleave.stride_log2)
        step = reach(real[:count], max_gap(kind, gap_bits), padding_passes(kind, gap_bits))
        column, row = np.divmod(best_chain(integers(array[rows].T.ravel()), real, count, step), len(rows))
        mask[rows[row], column] = True
    return mask


def gap_bits_for(interleaves: Iterable[Interleave], kind: WeightKind, least: int = 5) -> int:
    """Width of the narrowest gap field that bridges a PE's virtual rows without a padding entry.

    Args:
        interleaves: of all matrices that share the gap field.
        kind: weight code, which decides how large a gap the gap field holds.
        least: smallest width to consider for a matrix that adds to all sums of a cell, bits. Of one that adds to some
            of them, weights of the same density are as much farther apart, so that gap-aware masks need a wider field.

    >>> cells = [(256, 8, (0, 1, 2, 3)), (256, 3, (0, 1, 2, 3)), (192, 8, (0, 1, 3)), (64, 8, (3,))]
    >>> [gap_bits_for([Interleave(*cell)], "ternary") for cell in cells]
    [5, 6, 6, 7]
    """
    virtual_rows, farther = 0, 1.0
    for interleave in interleaves:
        farther = max(farther, interleave.group / len(interleave.places))
        virtual_rows = max(virtual_rows, int(interleave.longest_gaps().max()))
    return next(bits for bits in range(least + ceil(log2(farther)), 64) if max_gap(kind, bits) >= virtual_rows)


def real_positions(rows: npt.NDArray[np.int64], columns: int, stride_log2: int) -> npt.NDArray[np.int64]:
    """Positions in a PE's stream that hold a weight; the others are virtual rows.

    Args:
        rows: (n,) ascending rows of the PE that the matrix has.
        columns: of the matrix.
        stride_log2: base-2 logarithm of the positions per column.

    Returns:
        (columns * n,) ascending positions, column by column.
    """
    return ((np.arange(columns)[:, None] << stride_log2) + rows).ravel()


def reach(first: npt.NDArray[np.int64], limit: int, passes: int) -> int:
    """Largest distance to allow between successive kept positions; the first is measured from position -1.

    Args:
        first: (k,) ascending, the first positions that hold a weight. The distance is large enough to keep these, so
            that a choice of k positions always exists.
        limit: largest gap that the gap field holds; the gap is the distance less one.
        passes: positions that one padding entry bridges.

    Returns:
        limit + 1, enlarged by as many paddings as the positions in `first` need.

    >>> reach(np.array([0, 1, 8]), 15, 16), reach(np.array([0, 1, 20]), 15, 16)
    (16, 32)
    """
    needed = int(np.diff(first, prepend=-1).max()) - 1
    return limit + 1 + max(0, -(-(needed - limit) // passes)) * passes


def integers(magnitudes: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Magnitudes rounded to integers, the largest becoming at most 2**30, so that no sum in `best_chain` overflows."""
    bits = min(30, 60 - 2 * len(magnitudes).bit_length())
    largest = magnitudes.max()
    return np.rint(magnitudes * (2.0**bits / largest) if largest > 0 else magnitudes).astype(np.int64)
