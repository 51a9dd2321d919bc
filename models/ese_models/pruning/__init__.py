# SPDX-License-Identifier: Apache-2.0
"""Pruning masks, most of them load-balanced: pure functions from (rows, columns) weights, outputs first, to a mask."""

from ese_models.pruning.balanced_units import bank_balanced, column_balanced
from ese_models.pruning.families import Family, MaskFunction, check_family, family_name, mask_for
from ese_models.pruning.gaps import gap_aware, gap_bits_for
from ese_models.pruning.masks import keep_per_pe, magnitude, pe_balanced
from ese_models.pruning.sparsity_schedule import SCHEDULES, Schedule, density_of_round, round_of
from ese_models.pruning.statistics import MaskStatistics, statistics

__all__ = [
    "SCHEDULES",
    "Family",
    "MaskFunction",
    "MaskStatistics",
    "Schedule",
    "bank_balanced",
    "check_family",
    "column_balanced",
    "density_of_round",
    "family_name",
    "gap_aware",
    "gap_bits_for",
    "keep_per_pe",
    "magnitude",
    "mask_for",
    "pe_balanced",
    "round_of",
    "statistics",
]
