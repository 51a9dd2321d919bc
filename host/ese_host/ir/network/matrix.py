# SPDX-License-Identifier: Apache-2.0
"""Weight matrices in integers, and what the parts of a layer are called."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from ese_host.errors import FormatError
from ese_host.ir.fixed import Codes
from ese_host.ir.weight_kinds import WEIGHT_KINDS, WeightKind

Part = Literal["kernel", "recurrent", "projection", "candidate"]

PARTS: tuple[Part, ...] = get_args(Part)
"""Names of the matrices that a layer may have: the layer's fields that hold them."""
SCALE_BITS = 16
"""Bits of a scale, which is unsigned."""


@dataclass(frozen=True, eq=False)
class Matrix:
    """A weight matrix: weight[r, c] = level[r, c] * scale[0 if level[r, c] >= 0 else 1, r] * 2**-scale_frac.

    Attributes:
        codes: (rows, columns) codes within the kind's range; the level is the code itself, or `codebook[code]`.
        kind: kind of weight code (`ese_host.ir.weight_kinds`).
        scale: (2, rows) unsigned 16-bit scales of each row, for positive and for negative levels.
        scale_frac: fractional bits of the scales.
        codebook: (16,) 16-bit levels for codebook4, level 0 being zero; None for kinds whose code is the level.
    """

    codes: Codes
    kind: WeightKind
    scale: Codes
    scale_frac: int
    codebook: Codes | None = None

    def __post_init__(self) -> None:
        kind = WEIGHT_KINDS[self.kind]
        if self.codes.ndim != 2 or not self.codes.size:
            raise FormatError(
                f"weight codes have shape {self.codes.shape}; a matrix with at least one weight is needed"
            )
        if not kind.holds(self.codes.min(), self.codes.max()):
            raise FormatError(
                f"{self.kind} codes span {self.codes.min()}..{self.codes.max()}; {kind.low}..{kind.high} are allowed: "
                "quantize first"
            )
        if self.scale.shape != (2, len(self.codes)):
            raise FormatError(f"scales have shape {self.scale.shape}; expected {(2, len(self.codes))}")
        if self.scale.min() < 0 or self.scale.max() >= 1 << SCALE_BITS:
            raise FormatError(f"scales span {self.scale.min()}..{self.scale.max()}; 0..65535 are allowed")
        if (self.codebook is None) != kind.own_level:
            raise FormatError(
                f"{self.kind} weights come {'without' if self.codebook is None else 'with'} a codebook; codebook4 "
                "weights have one, all other kinds have none"
            )
        if self.codebook is not None and (self.codebook.shape != (kind.codebook,) or self.codebook[0] != 0):
            raise FormatError(
                f"a codebook has shape {self.codebook.shape} and begins with {self.codebook.reshape(-1)[:1].tolist()}; "
                f"expected {(kind.codebook,)} levels, the first of them 0"
            )

    @property
    def levels(self) -> Codes:
        """(rows, columns) signed integer levels."""
        return self.codes if self.codebook is None else self.codebook[self.codes]

    @property
    def two_scales(self) -> bool:
        """Whether positive and negative levels have different scales in some row (TTQ with Wp != Wn)."""
        return bool((self.scale[0] != self.scale[1]).any())

    def values(self) -> npt.NDArray[np.float64]:
        """(rows, columns) real weights."""
        levels = self.levels
        scale = np.where(levels >= 0, self.scale[0][:, None], self.scale[1][:, None])
        values: npt.NDArray[np.float64] = np.ldexp((levels * scale).astype(np.float64), -self.scale_frac)
        return values
