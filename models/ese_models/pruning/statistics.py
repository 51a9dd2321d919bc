"""What a mask costs and keeps, counted as the engine counts it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ese_host.image import Interleave, entries_per_pe
from ese_host.ir import WeightKind


@dataclass(frozen=True)
class MaskStatistics:
    """Work of one matrix.

    Attributes:
        density: kept share of all weights.
        entries_per_pe: stored entries of each PE, gap padding counted: its cycles.
        padding: entries that carry no weight.
        imbalance: largest over mean entries of a PE.
        kept_magnitude: share of the sum of |w| that the mask keeps.
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
    """Statistics of a (rows, columns) mask on the weights it was made from."""
    entries = entries_per_pe(mask, interleave, kind, gap_bits)
    size = np.abs(weights)
    return MaskStatistics(
        density=float(mask.mean()),
        entries_per_pe=[int(count) for count in entries],
        padding=int(entries.sum() - mask.sum()),
        imbalance=float(entries.max() / entries.mean()) if entries.any() else 1.0,
        kept_magnitude=float((size * mask).sum() / size.sum()) if size.any() else 0.0,
    )
