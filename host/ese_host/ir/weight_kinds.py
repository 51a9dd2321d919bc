# SPDX-License-Identifier: Apache-2.0
"""The kinds of weight codes: the one table that images, designs, estimates and options follow (weights.md)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

WeightKind = Literal["ternary", "int4", "int8", "int12", "int16", "codebook4"]

LEVEL_BITS = 16
"""Bits of a level in a codebook."""


@dataclass(frozen=True)
class WeightCode:
    """One kind of weight code.

    Attributes:
        name: name in designs, options and messages.
        code_bits: bits of a code as an entry stores it, beside its gap.
        low: smallest code in a matrix.
        high: largest code in a matrix.
        acc_bits: default width of an accumulator.
        codebook: number of levels in the codebook that a code points into; 0 if the code is itself the level.
        holds_zero: whether an entry can store a zero weight. Padding entries then have code 0 and the largest gap;
            otherwise (ternary) the largest gap marks padding whatever the code.
    """

    name: WeightKind
    code_bits: int
    low: int
    high: int
    acc_bits: int
    codebook: int = 0
    holds_zero: bool = True

    @property
    def own_level(self) -> bool:
        """Whether the code is itself the level, without a codebook."""
        return not self.codebook

    @property
    def level_bits(self) -> int:
        """Bits of the level that a code stands for."""
        return LEVEL_BITS if self.codebook else self.code_bits

    @property
    def multiplies(self) -> bool:
        """Whether a weight needs a multiplication; a ternary weight, which is a sign, needs none."""
        return self.level_bits > 1

    def holds(self, low: int, high: int) -> bool:
        """Whether the integers from `low` to `high` are codes of the kind."""
        return self.low <= low and high <= self.high


def _integer(name: WeightKind, bits: int) -> WeightCode:
    """A kind whose codes are two's complement numbers (QKeras's quantized_bits; ESE's weights have 12 bits)."""
    return WeightCode(name, bits, -(1 << (bits - 1)), (1 << (bits - 1)) - 1, acc_bits=24 + bits)


WEIGHT_KINDS: dict[WeightKind, WeightCode] = {
    kind.name: kind
    for kind in (
        WeightCode("ternary", code_bits=1, low=-1, high=1, acc_bits=24, holds_zero=False),  # TTQ: a sign
        _integer("int4", 4),
        _integer("int8", 8),
        _integer("int12", 12),
        _integer("int16", 16),
        WeightCode("codebook4", code_bits=4, low=0, high=15, acc_bits=36, codebook=16),  # Deep Compression
    )
}
"""All kinds by name; those without a codebook are ordered from narrow to wide."""
