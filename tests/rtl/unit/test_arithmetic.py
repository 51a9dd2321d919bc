# SPDX-License-Identifier: Apache-2.0
"""Shifts, products and roundings against Python's integers."""

import functools
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from amaranth.hdl import Module
from bench import SideBySide
from unit_harness import number, wrapped

from ese_rtl.unit.arithmetic import (
    ROUNDING_CLOCKS,
    SHIFT_CLOCKS,
    Product,
    Rounding,
    ShiftLeft,
    VariableRounding,
    product_clocks,
)

SHIFTED = (16, 32, 41, 48)
FACTORS = (
    *((12, 12), (24, 17), (18, 18), (19, 18), (25, 18), (26, 17), (35, 18), (36, 17), (43, 17)),
    *((48, 17), (48, 18), (49, 18), (50, 17), (60, 17), (73, 18)),
)
# bits, shift, lowest and highest result
ROUNDED = (
    (36, 19, -(1 << 15), (1 << 15) - 1),
    (24, 8, 1 - (1 << 7), (1 << 7) - 1),
    (20, 1, 0, 255),
    (12, 0, -5, 6),
    (9, -4, -(1 << 15), 1000),
    (10, 14, -1, 1),
    (10, 10, -1, 1),
)


class InParts(Product):
    """A product on an FPGA whose multipliers take 18 bits."""

    def elaborate(self, _platform: Any) -> Module:
        return super().elaborate(SimpleNamespace(multiplier_bits=18))


@functools.cache
def bench() -> SideBySide:
    return SideBySide(
        {
            **{f"shift{bits}": ShiftLeft(bits) for bits in SHIFTED},
            **{f"product{a}x{b}": Product(a, b) for a, b in FACTORS},
            **{f"parts{a}x{b}": InParts(a, b) for a, b in FACTORS},
            **{f"rounding{at}": Rounding(*sizes) for at, sizes in enumerate(ROUNDED)},
            "variable": VariableRounding(),
        }
    )


def nearest(value: int, shift: int) -> int:
    """A value * 2**-shift, rounded half to even."""
    if shift <= 0:
        return value << -shift
    whole, rest = divmod(value, unit := 1 << shift)
    return whole + (2 * rest > unit or (2 * rest == unit and whole % 2))


def values(seed: int, bits: int, count: int) -> list[int]:
    rng = np.random.default_rng(seed)
    half = 1 << bits - 1
    return [0, -1, -half, half - 1, *(number(rng, -half, half - 1) for _ in range(count))]


@pytest.mark.parametrize("bits", SHIFTED)
def test_shift_left(bits: int) -> None:
    for shift in range(64):
        given = values(shift, bits, 20)
        found = bench().stream(f"shift{bits}", SHIFT_CLOCKS, [{"value": value} for value in given], shift=shift)
        assert [row["shifted"] for row in found] == [wrapped(value << shift) for value in given]


@pytest.mark.parametrize("form", ["product", "parts"])
@pytest.mark.parametrize(("a_bits", "b_bits"), FACTORS)
def test_product(a_bits: int, b_bits: int, form: str) -> None:
    pairs = list(zip(values(1, a_bits, 500), reversed(values(2, b_bits, 500)), strict=True))
    pairs += [(a << a_bits - 1, b << b_bits - 1) for a in (-1, 0) for b in (-1, 0)]
    rows = [{"a": a, "b": b} for a, b in pairs]
    found = bench().stream(f"{form}{a_bits}x{b_bits}", product_clocks(a_bits), rows)
    assert [row["product"] for row in found] == [a * b for a, b in pairs]


@pytest.mark.parametrize("at", range(len(ROUNDED)))
def test_rounding(at: int) -> None:
    bits, shift, low, high = ROUNDED[at]
    all_of_12_bits = range(-(1 << min(bits, 12) - 1), 1 << min(bits, 12) - 1)
    given = [*values(at, bits, 1000), *all_of_12_bits]
    found = bench().stream(f"rounding{at}", ROUNDING_CLOCKS, [{"value": value} for value in given])
    assert [row["code"] for row in found] == [min(max(nearest(value, shift), low), high) for value in given]


@pytest.mark.parametrize(("low", "high"), [(-(1 << 17), (1 << 17) - 1), (0, 65535), (-128, 127), (5, 4)])
def test_variable_rounding(low: int, high: int) -> None:
    for shift in range(64):
        given = values(shift, 48, 20)
        given += [(2 * value + 1) << shift - 1 for value in values(shift, max(48 - shift, 1), 20) if 0 < shift < 48]
        given += [value << shift for value in (low - 1, low, high, high + 1) if shift < 28]
        rows = [{"value": value} for value in given]
        found = bench().stream("variable", VariableRounding.latency, rows, shift=shift, low=low, high=high)
        rounded = [nearest(value, shift) for value in map(wrapped, given)]
        assert [row["code"] for row in found] == [
            low if value < low else high if value > high else value for value in rounded
        ]
