# SPDX-License-Identifier: Apache-2.0
"""Use of each resource of a board by a design, and whether the board has enough of it."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

NAMES = {"bram36": "BRAM36", "lutram": "LUTRAM", "dsps": "DSP", "luts": "LUT", "flip_flops": "FF"}
INFRASTRUCTURE = {"luts": 4500, "flip_flops": 6000, "lutram": 400}
"""Allowance for the AXI DMA, two AXI interconnects and the reset."""


@dataclass(frozen=True)
class ResourceUse:
    """Use of one resource.

    Attributes:
        parts: amount that each part of the design takes, by its name.
        budget: amount that the board has.
    """

    parts: dict[str, float]
    budget: int

    @property
    def used(self) -> float:
        """Amount taken by all parts together."""
        return sum(self.parts.values())

    @property
    def fits(self) -> bool:
        """Whether the board has enough of the resource."""
        return ceil(self.used) <= self.budget


def over(resources: dict[str, ResourceUse], causes: int = 4) -> list[str]:
    """One sentence for each resource that the board has too little of; an empty list if the design fits.

    A sentence names the `causes` largest parts.
    """
    return [
        f"{NAMES[name]}: {_number(resource.used)} needed, the board has {resource.budget:,}: "
        f"{_largest(resource, causes)}"
        for name, resource in resources.items()
        if not resource.fits
    ]


def _largest(resource: ResourceUse, causes: int) -> str:
    ordered = sorted(resource.parts.items(), key=lambda part: -part[1])
    named = [f"{cause} {_number(value)}" for cause, value in ordered[:causes]]
    rest = sum(value for _, value in ordered[causes:])
    return ", ".join([*named, f"others {_number(rest)}"] if rest else named)


def _number(value: float) -> str:
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.1f}"


def percentages(resources: dict[str, ResourceUse]) -> dict[str, float]:
    """Share of the board's budget that the design takes of each resource, in percent."""
    return {name: 100 * resource.used / resource.budget for name, resource in resources.items()}
