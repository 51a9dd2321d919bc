"""The mask families by name."""

from __future__ import annotations

from typing import Literal, get_args

from ese_host.errors import UnsupportedError
from ese_host.network import WeightKind
from ese_host.sparse import Interleave
from ese_models.pruning.gaps import gap_aware
from ese_models.pruning.masks import Floats, Mask, balanced, magnitude

Family = Literal["gap-aware", "balanced", "magnitude"]
FAMILIES: tuple[Family, ...] = get_args(Family)


def mask_for(
    family: Family, weights: Floats, density: float, interleave: Interleave, kind: WeightKind, gap_bits: int
) -> Mask:
    """The mask of a family by name; `kind` and `gap_bits` matter to the gap-aware one alone.

    Raises:
        UnsupportedError: there is no such family, or the density lies outside 0..1.
        FormatError: the weights are no finite matrix of the interleave's rows.
    """
    if family == "gap-aware":
        return gap_aware(weights, density, interleave, kind, gap_bits)
    if family == "balanced":
        return balanced(weights, density, interleave)
    if family == "magnitude":
        return magnitude(weights, density, interleave)
    raise UnsupportedError(f"mask family is {family!r}; allowed: {', '.join(FAMILIES)}")
