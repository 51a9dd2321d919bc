"""The families of pruning masks by name: one table, for training and for estimates (docs/masks.md)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

MaskFamily = Literal["gap-aware", "pe-balanced", "bank-balanced", "column-balanced", "magnitude"]


@dataclass(frozen=True)
class Balance:
    """What the masks of one family promise.

    Attributes:
        whole: the weights kept are chosen in the whole matrix, so that no PE's number of them is given.
        no_padding: gaps never exceed the index field, so that entries are weights.
        estimated: `ese_host.estimate` models the entries of each PE.
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
"""Families that an estimate may be asked for."""
