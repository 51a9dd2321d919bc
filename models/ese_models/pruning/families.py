# SPDX-License-Identifier: Apache-2.0
"""Selection of a mask family by its name."""

from __future__ import annotations

from collections.abc import Callable

from ese_host.errors import UnsupportedError
from ese_host.image import Interleave
from ese_host.ir import MASK_FAMILIES, MaskFamily, WeightKind
from ese_models.pruning.balanced_units import bank_balanced, column_balanced
from ese_models.pruning.gaps import gap_aware
from ese_models.pruning.masks import Floats, Mask, magnitude, pe_balanced

_PLAIN: dict[MaskFamily, Callable[[Floats, float, Interleave], Mask]] = {
    "pe-balanced": pe_balanced,
    "bank-balanced": bank_balanced,
    "column-balanced": column_balanced,
    "magnitude": magnitude,
}


def mask_for(
    family: MaskFamily, weights: Floats, density: float, interleave: Interleave, kind: WeightKind, gap_bits: int
) -> Mask:
    """The mask that a family chooses for one weight matrix.

    Args:
        family: name of the family, one of `MASK_FAMILIES`.
        weights: (rows, columns), outputs first.
        density: kept share of the weights, 0 to 1.
        interleave: assignment of the rows to the PEs.
        kind: weight code; only the gap-aware family uses it.
        gap_bits: width of the relative index, bits; only the gap-aware family uses it.

    Returns:
        (rows, columns) mask, true for kept weights.

    Raises:
        UnsupportedError: if there is no such family, or the density lies outside 0 to 1.
        FormatError: if the weights are not a finite matrix with the interleave's rows.
    """
    if family == "gap-aware":
        return gap_aware(weights, density, interleave, kind, gap_bits)
    if family not in _PLAIN:
        raise UnsupportedError(f"mask family is {family!r}; allowed: {', '.join(MASK_FAMILIES)}")
    return _PLAIN[family](weights, density, interleave)
