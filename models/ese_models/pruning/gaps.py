"""Gap-aware PE-balanced masks: as `pe_balanced`, but no relative index ever needs a padding entry.

Of each PE, the k positions of largest total magnitude are kept whose gaps, from the stream's start on, never exceed
what the gap field holds. Positions are the engine's (`ese_host.image.interleave`), so the virtual rows of the stride
cost gap.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from ese_host.image import Interleave, max_gap, padding_passes
from ese_host.ir import WeightKind
from ese_models.pruning.heaviest_chain import best_chain
from ese_models.pruning.masks import Floats, Mask, checked_magnitudes, keep_per_pe


def gap_aware(
    weights: Floats, density: float, interleave: Interleave, kind: WeightKind = "ternary", gap_bits: int = 5
) -> Mask:
    """Exact optimum under the gap constraint: min(k, its weights) in each PE, k = `keep_per_pe`.

    Magnitudes are compared on an integer grid of the PE's largest (at most 2**-30 of it). Where the stride's virtual
    rows alone exceed the gap field, gaps may need the fewest paddings each with which k weights are within reach.

    Args:
        weights: (rows, columns), outputs first.
        density: kept share.
        interleave: rows over PEs.
        kind: weight code, which decides what the gap field holds.
        gap_bits: width of the gap field.

    Raises:
        FormatError: the weights are no finite matrix of the interleave's rows.
        UnsupportedError: the density lies outside 0..1.
    """
    array = checked_magnitudes(weights, density, interleave)
    keep = keep_per_pe(array.size, density, interleave.pes)
    mask = np.zeros(array.shape, dtype=bool)
    for pe in range(interleave.pes):
        rows = interleave.rows_of(pe)
        count = min(keep, array[rows].size)
        if not count:
            continue
        real = real_positions(len(rows), array.shape[1], interleave.stride_log2)
        step = reach(real[:count], max_gap(kind, gap_bits), padding_passes(kind, gap_bits))
        chosen = real[best_chain(integers(array[rows].T.ravel()), real, count, step)]
        mask[rows[chosen & ((1 << interleave.stride_log2) - 1)], chosen >> interleave.stride_log2] = True
    return mask


def gap_bits_for(interleaves: Iterable[Interleave], kind: WeightKind, least: int = 5) -> int:
    """Narrowest gap field, from `least` on, that passes the virtual rows at the end of a column without padding.

    >>> gap_bits_for([Interleave(256, 8, 4)], "ternary"), gap_bits_for([Interleave(256, 3, 4)], "ternary")
    (5, 6)
    """
    empty = 0
    for interleave in interleaves:
        rows = [len(interleave.rows_of(pe)) for pe in range(min(interleave.pes, interleave.items))]
        empty = max(empty, (1 << interleave.stride_log2) - min(rows))
    return next(bits for bits in range(least, 64) if max_gap(kind, bits) >= empty)


def real_positions(rows: int, columns: int, stride_log2: int) -> npt.NDArray[np.int64]:
    """(columns * rows,) ascending positions that hold a weight."""
    return ((np.arange(columns)[:, None] << stride_log2) + np.arange(rows)).ravel()


def reach(first: npt.NDArray[np.int64], limit: int, passes: int) -> int:
    """Largest allowed distance between kept positions, from -1 on; paddings only where the first positions need them.

    >>> reach(np.array([0, 1, 8]), 15, 16), reach(np.array([0, 1, 20]), 15, 16)
    (16, 32)
    """
    needed = int(np.diff(first, prepend=-1).max()) - 1
    return limit + 1 + max(0, -(-(needed - limit) // passes)) * passes


def integers(magnitudes: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Magnitudes as integers, coarse enough that no sum of `best_chain` overflows 64 bits."""
    bits = min(30, 60 - 2 * len(magnitudes).bit_length())
    largest = magnitudes.max()
    return np.rint(magnitudes * (2.0**bits / largest) if largest > 0 else magnitudes).astype(np.int64)
