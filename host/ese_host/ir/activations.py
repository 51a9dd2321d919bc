# SPDX-License-Identifier: Apache-2.0
"""Quantized activation functions: kinds, formats, exact integer arithmetic (docs/reference/numerics.md, "Activations").

`_FUNCTIONS` describes the kinds. The engine computes the same values in csrc/engine/activation.h.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from ese_host.errors import UnsupportedError
from ese_host.ir.fixed import Codes, Fixed
from ese_host.ir.tables import INPUT_FRAC, SEGMENT_FRAC, TABLE_SIZE, VALUE_FRAC

ActivationKind = Literal["tanh", "sigmoid", "hard_tanh", "hard_sigmoid"]
KINDS: tuple[ActivationKind, ...] = get_args(ActivationKind)

SLOPE = Fixed(16, 1, signed=False)
"""Format of a hard activation's slope and offset."""
GATE_BITS, FACTOR_BITS = 18, 25
"""Most bits of the gates' activation and of the cell's, signs included: the inputs of a DSP48's multiplier."""
GRU_GATE_FRAC = 16
"""Most fractional bits of a GRU's gates: the reset gate times a sum of 48 bits, plus another sum, has 64 bits."""
CELL_BITS, CELL_FRAC = 48, 40
"""Most bits, and fractional bits, of an LSTM's c, or a GRU's h, that is not rounded yet."""
_KEPT_FRAC = 50
"""Fractional bits of a line that is longer than 64 bits, two more than any format's; the last says if one below is set.
"""
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

    def __str__(self) -> str:
        """The function, its line if it has one, and the format of its results."""
        values = ", ".join(f"{SLOPE.to_float(code):.5g}" for code in (self.slope, self.offset))
        line = f" of slope and offset {values}" if self.slope or self.offset else ""
        return f"{self.kind}{line} rounded to {self.out}"

    @property
    def hard(self) -> bool:
        """Whether the activation is piecewise linear, and therefore exact before rounding."""
        return _FUNCTIONS[self.kind].value is _line

    @property
    def low(self) -> int:
        """Smallest code: that of the function's lower end point, or the smallest of the format."""
        return int(self.out.quantize(_FUNCTIONS[self.kind].low, 0))

    @property
    def high(self) -> int:
        """Largest code: that of the function's upper end point, or the largest of the format."""
        return int(self.out.quantize(_FUNCTIONS[self.kind].high, 0))


def unrounded_cell(state: Fixed, gate: Activation, cell: Activation) -> tuple[int, int]:
    """The format of a cell's new state before it is rounded: bits, the sign included, and fractional bits.

    The state is c = f * c + i * candidate in an LSTM, and h = z * h + (1 - z) * candidate in a GRU.

    Args:
        state: format of the state.
        gate: activation of the gates.
        cell: activation of the candidate.
    """
    point = max(state.frac, cell.out.frac)
    kept, added = max(-state.low, state.high) << point - state.frac, max(-cell.low, cell.high) << point - cell.out.frac
    largest = max(-gate.low, gate.high) * (kept + added)
    return largest.bit_length() + 1, gate.out.frac + point


def check_cell(owner: str, state: Fixed, gate: Activation, cell: Activation) -> None:
    """Refuse formats of a recurrent layer's cell that its arithmetic cannot hold.

    Args:
        owner: begins the message.
        state: format of h and c.
        gate: activation of the gates.
        cell: activation of the candidate and of c.

    Raises:
        UnsupportedError: if an activation or an unrounded c needs too many bits.
    """
    for what, activation, bits in (("recurrent_activation", gate, GATE_BITS), ("activation", cell, FACTOR_BITS)):
        if max(-activation.low - 1, activation.high) >= 1 << bits - 1:
            raise UnsupportedError(
                f"{owner}: {what} has {activation.out.bits} bits; at most {bits} are allowed, the sign included: give "
                "its quantizer fewer bits"
            )
    bits, frac = unrounded_cell(state, gate, cell)
    if frac > CELL_FRAC or bits > CELL_BITS:
        raise UnsupportedError(
            f"{owner}: its new state needs {bits} bits, {frac} of them fractional, before it is rounded; "
            f"{CELL_BITS} and {CELL_FRAC} are allowed: change the integer bits of the state's format, or give the "
            "activations' quantizers fewer bits"
        )


def check_gates(owner: str, gate: Activation) -> None:
    """Refuse an activation that cannot be that of a GRU's gates, of which 1 - z is a factor, too.

    Args:
        owner: begins the message.
        gate: activation of the gates.

    Raises:
        UnsupportedError: if it is no sigmoid, or has too many fractional bits, or less than none.
    """
    if gate.kind not in ("sigmoid", "hard_sigmoid"):
        raise UnsupportedError(
            f"{owner}: recurrent_activation is {gate.kind}; the gates of a GRU need a sigmoid or a hard sigmoid"
        )
    if not 0 <= gate.out.frac <= GRU_GATE_FRAC:
        raise UnsupportedError(
            f"{owner}: recurrent_activation has {gate.out.frac} fractional bits; 0 to {GRU_GATE_FRAC} are allowed in a "
            "GRU: change the bits of its quantizer"
        )


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
    values, value_frac = _FUNCTIONS[activation.kind].value(np.asarray(x, dtype=np.int64), frac, activation, table)
    return activation.out.quantize(values, value_frac)


def _line(x: Codes, frac: int, activation: Activation, _table: Codes) -> tuple[Codes, int]:
    """Compute slope * x + offset of the clipped input, clipped to the function's end points.

    Where 64 bits may not hold the line, it is made of Python's integers, which have any width. Its last fractional bit
    then says whether any bit from there on is set: no format's rounding needs to know more.
    """
    limit, function, value_frac = 1 << LIMIT_BITS + frac, _FUNCTIONS[activation.kind], frac + SLOPE.frac
    held = np.clip(x, -limit, limit)
    wide = value_frac + LIMIT_BITS + 2 > 62
    line = (held.astype(object) if wide else held) * activation.slope + (activation.offset << frac)
    line = np.clip(line, function.low << value_frac, function.high << value_frac)
    if wide:
        dropped = value_frac - _KEPT_FRAC
        line = ((line >> dropped) | (line & ((1 << dropped) - 1) != 0)).astype(np.int64)
        value_frac = _KEPT_FRAC
    return line, value_frac


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


@dataclass(frozen=True)
class _Function:
    """A kind of activation.

    Attributes:
        low: its lower end point.
        high: its upper end point.
        value: computes values before rounding, and their fractional bits, from the arguments of `activate`.
    """

    low: int
    high: int
    value: Callable[[Codes, int, Activation, Codes], tuple[Codes, int]]


_FUNCTIONS: dict[ActivationKind, _Function] = {
    "tanh": _Function(-1, 1, _tanh),
    "sigmoid": _Function(0, 1, _sigmoid),
    "hard_tanh": _Function(-1, 1, _line),
    "hard_sigmoid": _Function(0, 1, _line),
}
