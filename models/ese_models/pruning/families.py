# SPDX-License-Identifier: Apache-2.0
"""Mask families: those of the project by their names, and a user's own as functions, whose masks are checked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Union

import numpy as np

from ese_host.errors import FormatError, UnsupportedError
from ese_host.image import Interleave
from ese_host.ir import MASK_FAMILIES, MaskFamily, WeightKind
from ese_models.pruning.balanced_units import bank_balanced, column_balanced
from ese_models.pruning.gaps import gap_aware
from ese_models.pruning.masks import Floats, Mask, checked_magnitudes, keep_per_pe, magnitude, pe_balanced

MaskFunction = Callable[[Floats, float, Interleave], Mask]
"""A mask family of a user's own: a function like `pe_balanced`, from (rows, columns) weights with outputs first, the
density, and the assignment of the rows to the PEs to the (rows, columns) mask, which is true for kept weights.

`mask_for` checks every mask that it gives. While a model is pruned step by step, the function is called for each matrix
in every round, with the weights as they are then, of which pruned ones are zero, and a density that falls.
"""
Family = Union[MaskFamily, MaskFunction]
"""A mask family: the name of one of the project's, or a function of a user's own."""

_PLAIN: dict[MaskFamily, MaskFunction] = {
    "pe-balanced": pe_balanced,
    "bank-balanced": bank_balanced,
    "column-balanced": column_balanced,
    "magnitude": magnitude,
}


def mask_for(
    family: Family, weights: Floats, density: float, interleave: Interleave, kind: WeightKind, gap_bits: int
) -> Mask:
    """The mask that a family chooses for one weight matrix.

    The mask of a function must be an array of the weights' shape and of type bool. It may keep as many weights as the
    density asks for, of the whole matrix or of each PE, and fewer, such as whole blocks of weights only, but not less
    than half as many.

    Args:
        family: name of the family, one of `MASK_FAMILIES`, or a `MaskFunction`.
        weights: (rows, columns), outputs first.
        density: kept share of the weights, 0 to 1.
        interleave: assignment of the rows to the PEs.
        kind: weight code; only the gap-aware family uses it.
        gap_bits: width of the relative index, bits; only the gap-aware family uses it.

    Returns:
        (rows, columns) mask, true for kept weights.

    Raises:
        UnsupportedError: if there is no such family, or the density lies outside 0 to 1.
        FormatError: if the weights are not a finite matrix with the interleave's rows, or the mask of a function is not
            what it must be.
    """
    if callable(family):
        return _own_mask(family, weights, density, interleave)
    if family == "gap-aware":
        return gap_aware(weights, density, interleave, kind, gap_bits)
    check_family(family)
    return _PLAIN[family](weights, density, interleave)


def check_family(family: Family) -> None:
    """Refuse what is neither the name of a mask family nor a function.

    Raises:
        UnsupportedError: if there is no such family.
    """
    if not callable(family) and family not in MASK_FAMILIES:
        raise UnsupportedError(
            f"mask family is {family!r}; allowed: {', '.join(MASK_FAMILIES)}, or a function of your own"
        )


def family_name(family: Family) -> str:
    """Name under which a family is recorded: its own, or that of the function."""
    return family if isinstance(family, str) else getattr(family, "__name__", type(family).__name__)


def _own_mask(family: MaskFunction, weights: Floats, density: float, interleave: Interleave) -> Mask:
    """The checked mask of a function; the arguments are checked as those of other families."""
    size = checked_magnitudes(weights, density, interleave).size
    mask = family(weights, density, interleave)
    name = family_name(family)
    if not isinstance(mask, np.ndarray) or mask.dtype != bool or mask.shape != np.shape(weights):
        found = f"{mask.dtype} {mask.shape}" if isinstance(mask, np.ndarray) else type(mask).__name__
        raise FormatError(
            f"mask family {name!r} gives {found}; expected an array of bool {np.shape(weights)}, the weights' shape"
        )
    keep, columns = keep_per_pe(size, density, interleave.pes), size // interleave.rows
    balanced = sum(min(keep, len(interleave.rows_of(pe)) * columns) for pe in range(interleave.pes))
    fewest, most = sorted((balanced, round(density * size)))
    fewest //= 2
    if not fewest <= mask.sum() <= most:
        raise FormatError(
            f"mask family {name!r} keeps {int(mask.sum()):,} of {size:,} weights at a density of {density:g}; "
            f"{fewest:,} to {most:,} are allowed: the density is the kept share"
        )
    return mask
