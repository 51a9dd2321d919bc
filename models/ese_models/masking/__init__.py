# SPDX-License-Identifier: Apache-2.0
"""Masks on the kernels of a Keras model: how many weights they keep, how they change in training, what they store."""

from ese_models.masking.plan import (
    MaskPlan,
    densities,
    kept_share,
    kind_of,
    masks_for,
    masks_from_dense,
    matrices,
)
from ese_models.masking.pruner import Masks, Matrices, Pruner
from ese_models.masking.regrouping import LEARNED, Regrouping, begin, finish
from ese_models.masking.rows import Rows, by_matrix, gap_bits_of, interleaves, kernel_mask, matrix_loads
from ese_models.masking.schedules import GroupingSchedule, PruningSchedule, StepShare, plan_from
from ese_models.masking.sparsity import Sparsity, sparsity, stored_codes

__all__ = [
    "LEARNED",
    "GroupingSchedule",
    "MaskPlan",
    "Masks",
    "Matrices",
    "Pruner",
    "PruningSchedule",
    "Regrouping",
    "Rows",
    "Sparsity",
    "StepShare",
    "begin",
    "by_matrix",
    "densities",
    "finish",
    "gap_bits_of",
    "interleaves",
    "kept_share",
    "kernel_mask",
    "kind_of",
    "masks_for",
    "masks_from_dense",
    "matrices",
    "matrix_loads",
    "plan_from",
    "sparsity",
    "stored_codes",
]
