"""Load-balanced masks: pure functions from a (rows, columns) matrix, outputs first, to a boolean mask of its shape."""

from ese_models.pruning.families import FAMILIES, Family, mask_for
from ese_models.pruning.gaps import gap_aware, gap_bits_for
from ese_models.pruning.masks import balanced, keep_per_pe, magnitude
from ese_models.pruning.statistics import MaskStatistics, statistics

__all__ = [
    "FAMILIES",
    "Family",
    "MaskStatistics",
    "balanced",
    "gap_aware",
    "gap_bits_for",
    "keep_per_pe",
    "magnitude",
    "mask_for",
    "statistics",
]
