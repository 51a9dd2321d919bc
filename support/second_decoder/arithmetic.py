# SPDX-License-Identifier: Apache-2.0
"""Arithmetic of cells and rows, in Python's integers (docs/reference/numerics.md)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


def quantized(value: int, frac: int, form: Mapping[str, Any]) -> int:
    """The code of a value in a format: rounded half to even, then saturated.

    Args:
        value: a code.
        frac: its fractional bits.
        form: `bits`, `integer`, `signed` and `symmetric` of the format.
    """
    low = (-(1 << form["bits"] - 1) if form["signed"] else 0) + form["symmetric"]
    high = (1 << form["bits"] - form["signed"]) - 1
    return int(min(max(rounded(value, frac - frac_of(form)), low), high))


def rounded(value: int, shift: int) -> int:
    """The value shifted right and rounded half to even; a negative shift goes left."""
    if shift <= 0:
        return value << -shift
    floor, rest, half = value >> shift, value & ((1 << shift) - 1), 1 << shift - 1
    return floor + int(rest > half or (rest == half and floor % 2 == 1))


def frac_of(form: Mapping[str, Any]) -> int:
    """Fractional bits of a format."""
    return int(form["bits"] - form["integer"])


@dataclass(frozen=True)
class LoadedActivation:
    """An activation with what the image holds for it.

    Attributes:
        kind: name of the function.
        out: format of the result.
        line: slope in the low half, offset in the high half.
        table: V and D of each segment.
    """

    kind: str
    out: Mapping[str, Any]
    line: int
    table: list[tuple[int, int]]

    def of(self, x: int, frac: int) -> int:
        """The activation of a code with `frac` fractional bits."""
        value, value_frac = {"hard": self._line, "": self._smooth}[self.kind.rpartition("_")[0]](x, frac)
        least, one = {"tanh": -1, "sigmoid": 0}[self.kind.rpartition("_")[2]], 1 << value_frac
        return quantized(min(max(value, least * one), one), value_frac, self.out)

    def _line(self, x: int, frac: int) -> tuple[int, int]:
        held = min(max(x, -64 << frac), 64 << frac)
        return held * (self.line & 0xFFFF) + (self.line >> 16 << frac), frac + 15

    def _smooth(self, x: int, frac: int) -> tuple[int, int]:
        return (self._tanh(x, frac), 19) if self.kind == "tanh" else ((1 << 19) + self._tanh(x, frac + 1), 20)

    def _tanh(self, x: int, frac: int) -> int:
        magnitude = min(abs(x) >> frac - 20 if frac >= 20 else abs(x) << 20 - frac, (1 << 23) - 1)
        value, step = self.table[magnitude >> 13]
        result = value + (step * (magnitude & 0x1FFF) >> 13)
        return -result if x < 0 else result


@dataclass(frozen=True)
class Item:
    """Values that a stage computes for one item.

    Attributes:
        exact: the exact output.
        stored: the stored output.
        first: what the first target gets.
        cell: c, or a GRU's h; zero for a row, and in a *reset* stage.
    """

    exact: int
    stored: int
    first: int
    cell: int


def cell_of(
    sums: list[int], before: int, peepholes: tuple[int, ...], record: Mapping[str, int], formats: Mapping[str, Any],
    activations: tuple[LoadedActivation, LoadedActivation],
) -> Item:  # fmt: skip
    """Compute an LSTM's cell.

    Args:
        sums: of the rows i, f, c, o, with 36 fractional bits.
        before: c of the step before.
        peepholes: p_i, p_f and p_o.
        record: of the phase.
        formats: the format set of the phase.
        activations: of the gates and of the cell.
    """
    gate, cell = activations
    state, gate_frac, cell_frac = formats["state"], frac_of(gate.out), frac_of(cell.out)

    def seen(index: int, c: int) -> int:
        return peepholes[index] * c << record["shift_peephole"] if record["peephole"] else 0

    i = gate.of(sums[0] + seen(0, before), 36)
    f = gate.of(sums[1] + seen(1, before), 36)
    g = cell.of(sums[2], 36)
    kept, added = gate_frac + frac_of(state), gate_frac + cell_frac
    frac = max(kept, added)
    c = (f * before << frac - kept) + (i * g << frac - added)
    stored_c = quantized(c, frac, state)
    o = gate.of(sums[3] + seen(2, stored_c), 36)
    m = o * cell.of(c, frac)
    output = quantized(m, added, formats["output"])
    return Item(m, output, output if record["first_output"] else quantized(m, added, state), stored_c)


def gru_of(
    sums: list[int], before: int, reset_after: bool, formats: Mapping[str, Any],
    activations: tuple[LoadedActivation, LoadedActivation],
) -> Item:  # fmt: skip
    """Compute a GRU's cell.

    Args:
        sums: of the rows z, r, and the input and the recurrent part of the candidate, with 36 fractional bits.
        before: h of the step before.
        reset_after: whether r multiplies the candidate's recurrent part.
        formats: the format set of the phase.
        activations: of the gates and of the cell.
    """
    gate, cell = activations
    state, gate_frac, cell_frac = formats["state"], frac_of(gate.out), frac_of(cell.out)
    z, one = gate.of(sums[0], 36), 1 << gate_frac
    factor = gate.of(sums[1], 36) if reset_after else one
    g = cell.of((sums[2] << gate_frac) + factor * sums[3], 36 + gate_frac)
    kept, added = gate_frac + frac_of(state), gate_frac + cell_frac
    frac = max(kept, added)
    h = (z * before << frac - kept) + ((one - z) * g << frac - added)
    stored = quantized(h, frac, state)
    return Item(h, quantized(h, frac, formats["output"]), stored, stored)


def reset_of(total: int, before: int, record: Mapping[str, int], gate: LoadedActivation) -> Item:
    """Compute r * h of a GRU without `reset_after`.

    Args:
        total: sum of the row r, with 36 fractional bits.
        before: h of the step before.
        record: of the phase.
        gate: activation of the gates.
    """
    product = gate.of(total, 36) * before
    stored = limited(product, record)
    return Item(product, stored, stored, 0)


def row_of(total: int, record: Mapping[str, int]) -> Item:
    """Compute a row of a Dense layer or projection from its sum."""
    if record["relu"]:
        total = max(total, 0)
    stored = limited(total, record)
    return Item(total, stored, stored, 0)


def limited(value: int, record: Mapping[str, int]) -> int:
    """A sum or product shifted right, rounded half to even, and limited as a record says."""
    return min(max(rounded(value, record["shift_output"]), record["smallest"]), record["largest"])
