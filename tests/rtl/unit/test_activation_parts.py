# SPDX-License-Identifier: Apache-2.0
"""Activations of many formats against the golden model's function."""

import functools

import numpy as np
import pytest
from bench import SideBySide
from unit_harness import TABLE, number

from ese_host.image import SUM_BITS, SUM_FRAC
from ese_host.ir import TABLE_SIZE, Activation, ActivationKind, Codes, Fixed
from ese_host.ir.activations import activate
from ese_rtl.unit.activation import component_of

SIGMOIDS = (
    *(Fixed(bits, 0, signed=False) for bits in (1, 8, 16)),
    *(Fixed(17, 1, signed=False), Fixed(16, 0, symmetric=True), Fixed(9, 1, symmetric=True)),
    *(Fixed(2, 2, signed=False), Fixed(3, 4, signed=False), Fixed(6, 8), Fixed(1, 0), Fixed(2, 1)),
    *(Fixed(16, -6, signed=False), Fixed(3, 2, signed=False, symmetric=True)),
)
TANHS = (
    *(Fixed(1, 1), Fixed(2, 1), Fixed(2, 2, symmetric=True), Fixed(8, 1), Fixed(16, 1), Fixed(18, 2), Fixed(24, 2)),
    *(Fixed(7, 0, symmetric=True), Fixed(4, 6), Fixed(16, 0, signed=False), Fixed(12, -12), Fixed(5, 3)),
)
FORMATS: dict[ActivationKind, tuple[Fixed, ...]] = {
    "sigmoid": SIGMOIDS,
    "hard_sigmoid": SIGMOIDS[1::2],
    "tanh": TANHS,
    "hard_tanh": (*TANHS[::2], Fixed(25, 2)),
}
INPUTS = ((SUM_BITS, SUM_FRAC), (40, 29), (22, 14), (30, 0), (SUM_BITS + 16, SUM_FRAC + 16), (56, 44), (56, 43))
"""Widths and fractional bits of x: of a sum, of three kinds of c, and of three sums of a GRU's candidate."""

LINES = ((32768, 0), (16384, 16384), (5461, 16384), (65535, 65535), (1, 0), (0, 7), (300, 40000))
"""Slopes and offsets."""


def parts(kind: ActivationKind) -> dict[str, tuple[Activation, int, int]]:
    """Activations of a kind, and the width and fractional bits of their inputs; all formats for sums, some for c."""
    chosen = [(form, INPUTS[0]) for form in FORMATS[kind]]
    if "tanh" in kind:
        chosen += [(form, at) for form in (TANHS[3], TANHS[4]) for at in INPUTS[1:]]
    return {f"n{at}": (Activation(kind, form), *sizes) for at, (form, sizes) in enumerate(chosen)}


@functools.cache
def tables() -> list[Codes]:
    """The table, and one of random words."""
    words = np.random.default_rng(3).integers(0, [[1 << 19], [1 << 13]], (2, TABLE_SIZE))
    words[0, 0] = 0  # at 0 the golden model gives the sign of x times the table's value, the engine the value itself
    return [TABLE, words]


@functools.cache
def bench() -> SideBySide:
    made = {
        f"{kind}_{name}": component_of(function)(function, bits, frac)
        for kind in FORMATS
        for name, (function, bits, frac) in parts(kind).items()
    }
    return SideBySide(made, tables())


def inputs(bits: int, frac: int) -> list[int]:
    rng = np.random.default_rng(bits)
    half = 1 << bits - 1
    segments = [((at << frac) >> 7) + off for at in range(-1200, 1200, 37) for off in (-1, 0, 1)]
    ends = [(edge << frac) + off for edge in (-64, -16, -8, -2, -1, 1, 2, 8, 16, 64) for off in (-2, -1, 0, 1, 2)]
    rest = [number(rng, -half, half - 1) for _ in range(150)]
    lowest = 1 - half if bits == 64 else -half  # which 64 bits hold, but not its magnitude
    return [x for x in (0, lowest, half - 1, *segments, *ends, *rest) if lowest <= x < half]


@pytest.mark.parametrize("table", [0, 1])
@pytest.mark.parametrize("kind", ["sigmoid", "tanh"])
def test_smooth(kind: ActivationKind, table: int) -> None:
    for name, (function, bits, frac) in parts(kind).items():
        given = inputs(bits, frac)
        rows = [{"x": x} for x in given]
        found = bench().stream(f"{kind}_{name}", component_of(function).latency, rows, table)
        values = activate(np.array(given), frac, function, tables()[table])
        # a table whose values are too large must not lead beyond the end points of the function
        wanted = np.clip(values, function.low, function.high).tolist()
        assert [row["code"] for row in found] == wanted, (function, bits, frac)


@pytest.mark.parametrize("line", [(32768, 0), (5461, 16384), (65535, 65535), (1, 0), (300, 40000)])
@pytest.mark.parametrize("kind", ["hard_sigmoid", "hard_tanh"])
def test_hard(kind: ActivationKind, line: tuple[int, int]) -> None:
    for name, (function, bits, frac) in parts(kind).items():
        given = inputs(bits, frac)
        values = {"slope": line[0], "offset": line[1]}
        rows = [{"x": x} for x in given]
        found = bench().stream(f"{kind}_{name}", bench().parts[f"{kind}_{name}"].latency, rows, line=values)
        wanted = activate(np.array(given), frac, Activation(kind, function.out, *line), TABLE).tolist()
        assert [row["code"] for row in found] == wanted, (function, bits, frac)
