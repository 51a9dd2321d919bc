# SPDX-License-Identifier: Apache-2.0
"""How the rows of a model's kernels are distributed over the PEs, in the matrices that the engine makes of them.

A kernel is one matrix on the engine, but for the recurrent kernel of a GRU without `reset_after`, which is two. Masks
are chosen, and entries counted, for each of the engine's matrices by itself, because the PEs wait for one another at
the end of each.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ese_host.image import Interleave
from ese_host.ir import WeightKind
from ese_models.networks import Mask, prunable
from ese_models.pruning import Family, MaskStatistics, gap_bits_for, mask_for, statistics

Rows = Mapping[str, Mapping[str, Interleave]]
"""Kernel name -> name of each of the engine's matrices that the kernel becomes -> distribution of its rows."""
Kernels = Mapping[str, npt.NDArray[Any]]
"""Kernel name -> (outputs, inputs) weights, codes or mask."""


def interleaves(model: Any, pes: int) -> dict[str, dict[str, Interleave]]:
    """The distribution of the rows of a model's kernels over the PEs.

    Args:
        model: a Keras or QKeras model, or a layer.
        pes: number of PEs.
    """
    return {
        name: {matrix: size.interleave(pes) for matrix, size in kernel.matrices.items()}
        for name, kernel in prunable(model).items()
    }


def by_matrix(kernels: Kernels, rows: Rows) -> dict[str, npt.NDArray[Any]]:
    """The engine's matrices by name, each a part of the outputs of a kernel.

    Args:
        kernels: to divide.
        rows: of the same kernels.
    """
    return {matrix: part for name, kernel in kernels.items() for matrix, part in _parts(kernel, rows[name]).items()}


def _parts(kernel: npt.NDArray[Any], rows: Mapping[str, Interleave]) -> dict[str, npt.NDArray[Any]]:
    """The engine's matrices that a kernel becomes, by name."""
    ends = np.cumsum([interleave.rows for interleave in rows.values()])[:-1]
    return dict(zip(rows, np.split(kernel, ends), strict=True))


def kernel_mask(
    family: Family,
    weights: npt.NDArray[np.float32],
    density: float,
    rows: Mapping[str, Interleave],
    kind: WeightKind,
    gap_bits: int,
) -> Mask:
    """The mask that a family chooses for a kernel; each of the engine's matrices keeps the same share of its weights.

    Args:
        family: name of the family, or a function of a user's own.
        weights: (outputs, inputs).
        density: kept share of the weights, 0 to 1.
        rows: name of each matrix that the kernel becomes -> distribution of its rows.
        kind: weight code; only the gap-aware family uses it.
        gap_bits: width of the relative index, bits; only the gap-aware family uses it.
    """
    parts = _parts(weights, rows).values()
    masks = [
        mask_for(family, part, density, row, kind, gap_bits) for part, row in zip(parts, rows.values(), strict=True)
    ]
    return np.concatenate(masks)


def matrix_loads(
    weights: Kernels, masks: Kernels, rows: Rows, kinds: Mapping[str, WeightKind], gap_bits: int
) -> dict[str, MaskStatistics]:
    """Statistics of masks for each of the engine's matrices, by its name.

    Args:
        weights: weights for which the masks were chosen.
        masks: of the same kernels.
        rows: of the same kernels.
        kinds: kernel name -> weight code, which decides how large a gap the gap field holds.
        gap_bits: width of the relative index, bits.
    """
    parts, kept = by_matrix(weights, rows), by_matrix(masks, rows)
    return {
        matrix: statistics(parts[matrix], kept[matrix], interleave, kinds[name], gap_bits)
        for name in weights
        for matrix, interleave in rows[name].items()
    }


def gap_bits_of(rows: Rows, kind: WeightKind) -> int:
    """Width of the narrowest gap field that serves all matrices, as of `ese_models.pruning.gap_bits_for`.

    Args:
        rows: of all kernels of a model.
        kind: weight code.
    """
    return gap_bits_for([interleave for matrices in rows.values() for interleave in matrices.values()], kind)
