"""Quantized activation functions: kinds, formats, exact integer arithmetic (docs/numerics.md, "Activations").

`_VALUES` maps each kind to the function that computes its value before rounding. The engine computes the same values in
csrc/engine/activation.h.
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
"""A hard activation first clips its input to +-2**6, beyond which every hard activation is saturated."""


@dataclass(frozen=True)
class Activation:
    """A quantized activation: smooth (read from the tanh table) or hard (slope * x + offset).

    Attributes:
        kind: the function.
        out: format to which the result is rounded.
        slope: code in the format `SLOPE`; 0 for a smooth activation.
        offset: code in the format `SLOPE`; 0 for a smooth activation.
    """

    kind: ActivationKind
    out: Fixed
    slope: int = 0
    offset: int = 0

    @property
    def hard(self) -> bool:
        """Whether the activation is piecewise linear, and therefore exact before rounding."""
        return self.kind.startswith("hard_")


def activate(x: Codes, frac: int, activation: Activation, table: Codes) -> Codes:
    """Apply a quantized activation to codes.

    Args:
        x: input codes of any shape.
        frac: fractional bits of the input.
        activation: the function and the format of its result.
        table: (2, 1024) tanh table of `ese_host.ir.tables`, read by smooth activations.

    Returns:
        Codes in the format `activation.out`, of the shape of `x`.
    """
    # Products need 64 bits; integers of NumPy's default type have 32 on a board.
    values, value_frac = _VALUES[activation.kind](np.asarray(x, dtype=np.int64), frac, activation, table)
    return activation.out.quantize(values, value_frac)


def _line(x: Codes, frac: int, activation: Activation, _table: Codes) -> tuple[Codes, int]:
    """Compute slope * x + offset of the clipped input: values and their fractional bits."""
    limit = 1 << LIMIT_BITS + frac
    return np.clip(x, -limit, limit) * activation.slope + (activation.offset << frac), frac + SLOPE.frac


def _tanh(x: Codes, frac: int, _activation: Activation, table: Codes) -> tuple[Codes, int]:
    """Interpolate tanh linearly within a segment of the table; inputs beyond the table take its last value."""
    shift = frac - INPUT_FRAC
    magnitude = np.right_shift(np.abs(x), shift) if shift >= 0 else np.left_shift(np.abs(x), -shift)
    magnitude = np.minimum(magnitude, (TABLE_SIZE << SEGMENT_FRAC) - 1)
    segment, rest = magnitude >> SEGMENT_FRAC, magnitude & ((1 << SEGMENT_FRAC) - 1)
    return np.sign(x) * (table[0][segment] + ((table[1][segment] * rest) >> SEGMENT_FRAC)), VALUE_FRAC


def _sigmoid(x: Codes, frac: int, activation: Activation, table: Codes) -> tuple[Codes, int]:
    """Compute 1/2 + tanh(x/2) / 2; one fractional bit more halves the input."""
    half, value_frac = _tanh(x, frac + 1, activation, table)
    return (1 << value_frac) + half, value_frac + 1


_VALUES: dict[ActivationKind, Callable[[Codes, int, Activation, Codes], tuple[Codes, int]]] = {
    "tanh": _tanh,
    "sigmoid": _sigmoid,
    "hard_tanh": _line,
    "hard_sigmoid": _line,
}
