"""Activations: their kinds, their formats, and what they compute, exactly (docs/numerics.md, "Activations").

A kind is one entry of `_VALUES`: the value before rounding, with its fractional bits. The engine computes the same in
csrc/engine/activation.h; the golden model reads this module, the encoder and the generator only the kind's name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from ese_host.ir.fixed import Codes, Fixed
from ese_host.ir.tables import INPUT_FRAC, SEGMENT_FRAC, TABLE_SIZE, VALUE_FRAC

ActivationKind = Literal["tanh", "sigmoid", "hard_tanh", "hard_sigmoid"]
KINDS: tuple[ActivationKind, ...] = get_args(ActivationKind)

SLOPE = Fixed(16, 1, signed=False)
"""Format of a hard activation's slope and offset."""
LIMIT_BITS = 6
"""A hard activation holds its input to +-2**6 first, beyond which all are saturated."""


@dataclass(frozen=True)
class Activation:
    """A quantized activation: smooth (the tanh table) or hard (slope * x + offset), then `out`."""

    kind: ActivationKind
    out: Fixed
    slope: int = 0
    offset: int = 0

    @property
    def hard(self) -> bool:
        """Whether it is piecewise linear, and so exact."""
        return self.kind.startswith("hard_")


def activate(x: Codes, frac: int, activation: Activation, table: Codes) -> Codes:
    """Quantized activation of codes with `frac` fractional bits; hard ones are exact, smooth ones read the table.

    Args:
        x: codes of any shape.
        frac: their fractional bits.
        activation: what is computed, and its format.
        table: (2, 1024) values and steps of `ese_host.ir.tables`.

    Returns:
        Codes in the format `activation.out`, of the shape of `x`.
    """
    values, value_frac = _VALUES[activation.kind](x, frac, activation, table)
    return activation.out.quantize(values, value_frac)


def _line(x: Codes, frac: int, activation: Activation, _table: Codes) -> tuple[Codes, int]:
    """Slope * x + offset."""
    limit = 1 << LIMIT_BITS + frac
    return np.clip(x, -limit, limit) * activation.slope + (activation.offset << frac), frac + SLOPE.frac


def _tanh(x: Codes, frac: int, _activation: Activation, table: Codes) -> tuple[Codes, int]:
    """Tanh, interpolated linearly within a segment of the table; beyond its end the last value."""
    shift = frac - INPUT_FRAC
    magnitude = np.right_shift(np.abs(x), shift) if shift >= 0 else np.left_shift(np.abs(x), -shift)
    magnitude = np.minimum(magnitude, (TABLE_SIZE << SEGMENT_FRAC) - 1)
    segment, rest = magnitude >> SEGMENT_FRAC, magnitude & ((1 << SEGMENT_FRAC) - 1)
    return np.sign(x) * (table[0][segment] + ((table[1][segment] * rest) >> SEGMENT_FRAC)), VALUE_FRAC


def _sigmoid(x: Codes, frac: int, activation: Activation, table: Codes) -> tuple[Codes, int]:
    """1/2 + tanh(x/2) / 2."""
    half, value_frac = _tanh(x, frac + 1, activation, table)
    return (1 << value_frac) + half, value_frac + 1


_VALUES: dict[ActivationKind, Callable[[Codes, int, Activation, Codes], tuple[Codes, int]]] = {
    "tanh": _tanh,
    "sigmoid": _sigmoid,
    "hard_tanh": _line,
    "hard_sigmoid": _line,
}
