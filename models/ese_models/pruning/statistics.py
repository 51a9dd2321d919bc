# SPDX-License-Identifier: Apache-2.0
"""Statistics of a mask: its entries and padding per PE, as the engine stores them, and the magnitude it keeps."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ese_host.image import Interleave, entries_per_pe
from ese_host.ir import WeightKind


@dataclass(frozen=True)
class MaskStatistics:
    """Work that one matrix costs the engine under a mask.

    Attributes:
        density: kept share of all weights, 0 to 1.
        entries_per_pe: stored entries of each PE, gap padding included; a PE takes one cycle per entry.
        padding: entries over all PEs that carry no weight.
        imbalance: entries of the fullest PE over the mean of all PEs; 1 is perfect balance.
        kept_magnitude: share of the sum of `|w|` that the mask keeps, 0 to 1.
    """

    density: float
    entries_per_pe: list[int]
    padding: int
    imbalance: float
    kept_magnitude: float

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def statistics(
    weights: npt.NDArray[np.floating[Any]],
    mask: npt.NDArray[np.bool_],
    interleave: Interleave,
    kind: WeightKind,
    gap_bits: int,
) -> MaskStatistics:
    """Statistics of a mask on the weights for which it was chosen.

    Args:
        weights: (rows, columns), outputs first.
        mask: (rows, columns), true for kept weights.
        interleave: assignment of the rows to the PEs.
        kind: weight code, which decides how large a gap the gap field holds.
        gap_bits: width of the gap field, bits.
    """
    entries = entries_per_pe(mask, interleave, kind, gap_bits)
    size = np.abs(weights)
    return MaskStatistics(
        density=float(mask.mean()),
        entries_per_pe=[int(count) for count in entries],
        padding=int(entries.sum() - mask.sum()),
        imbalance=float(entries.max() / entries.mean()) if entries.any() else 1.0,
        kept_magnitude=float((size * mask).sum() / size.sum()) if size.any() else 0.0,
    )
