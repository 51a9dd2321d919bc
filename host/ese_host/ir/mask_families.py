# SPDX-License-Identifier: Apache-2.0
"""Properties of the families of pruning masks, for training and for estimates (docs/results/masks.md)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

MaskFamily = Literal["gap-aware", "pe-balanced", "bank-balanced", "column-balanced", "magnitude"]


@dataclass(frozen=True)
class Balance:
    """Properties of the masks of one family.

    Attributes:
        whole: whether weights are chosen in the matrix as a whole, so that the PEs may get different numbers of them.
        no_padding: whether gaps never exceed the index field, so that every entry is a weight.
        estimated: whether `ese_host.estimate` can model the number of entries of each PE.
    """

    whole: bool = False
    no_padding: bool = False
    estimated: bool = False


MASK_FAMILIES: dict[MaskFamily, Balance] = {
    "gap-aware": Balance(no_padding=True, estimated=True),
    "pe-balanced": Balance(estimated=True),
    "bank-balanced": Balance(),
    "column-balanced": Balance(),
    "magnitude": Balance(whole=True, estimated=True),
}
ESTIMATED: tuple[MaskFamily, ...] = tuple(name for name, family in MASK_FAMILIES.items() if family.estimated)
"""Families that `ese_host.estimate` supports."""
