# SPDX-License-Identifier: Apache-2.0
"""Steps that compute any function of one element: exact at their bounds, and never outside their inferred range."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ese_host.errors import CapacityError, EseError, FormatError
from ese_host.ir import Codes, Fixed
from ese_host.ir.program import Lookup, Piecewise, Tensor, Value

SEEDS = st.integers(0, 2**32 - 1)


def codes(*rows: Any) -> Codes:
    return np.array(rows, dtype=np.int64)


def every(form: Fixed) -> Value:
    """A vector for each code of a format."""
    values = np.arange(form.low, form.high + 1)[:, None, None]
    return Value(Tensor.of(form, 1, "vector", 1), values, np.ones(len(values), dtype=np.int64))


@given(st.integers(-129, 128), st.integers(-129, 128), SEEDS)
def test_piecewise_equals_floats_at_and_beside_every_bound(first: int, second: int, seed: int) -> None:
    rng, form = np.random.default_rng(seed), Fixed(8, 3)
    low, high = sorted((first, second))
    slopes, offsets = rng.integers(-99, 99, (2, 3, 1))
    value = every(form)
    result = Piecewise("a", "b", codes([low], [high]), slopes, 4, offsets, 7).apply(value)
    x = value.codes.astype(float) / 2**form.frac
    piece = np.where(value.codes < low, 0, np.where(value.codes < high, 1, 2))
    expected = slopes[piece, 0] / 16 * x + offsets[piece, 0] / 128
    np.testing.assert_array_equal(result.codes / 2.0**result.tensor.frac, expected)
    assert (result.codes.min(), result.codes.max()) == (result.tensor.low, result.tensor.high)


def test_a_threshold_counts_its_own_code_or_not() -> None:
    value = every(Fixed(3, 3))
    constants = codes([0], [1])
    for bound, expected in ((1, [0, 0, 0, 0, 0, 1, 1, 1]), (2, [0, 0, 0, 0, 0, 0, 1, 1])):  # x >= 1, and x > 1
        step = Piecewise("a", "b", codes([bound]), np.zeros((2, 1), np.int64), 0, constants, 0)
        assert step.apply(value).codes.ravel().tolist() == expected


@given(SEEDS)
def test_a_table_is_read_by_code(seed: int) -> None:
    rng, value = np.random.default_rng(seed), every(Fixed(7, 3))
    first = value.tensor.low - int(rng.integers(4))
    entries = rng.integers(-(2**40), 2**40, value.tensor.high - first + 1 + int(rng.integers(4)))
    result = Lookup("a", "b", first, entries, 30).apply(value)
    assert result.codes.ravel().tolist() == [entries[code - first] for code in range(-64, 64)]
    assert (result.codes.min(), result.codes.max()) == (result.tensor.low, result.tensor.high)


def test_a_table_needs_no_entry_beyond_the_steps_of_a_sample() -> None:
    value = Value(Tensor(1, 0, 5, 6, "sequence", None), codes([[5], [6]], [[6], [0]]), np.array([2, 1]))
    assert Lookup("a", "b", 5, codes(7, 8).reshape(2), 0).apply(value).codes.ravel().tolist() == [7, 8, 8, 0]


WIDE = Tensor(2, 4, -(1 << 60), 1 << 60, "vector", 1)
ONES = np.ones((2, 1), np.int64)
REFUSALS: dict[str, tuple[Any, type[EseError], str]] = {
    "shapes": (
        lambda: Piecewise("a", "b", codes([0]), ONES, 0, codes([1], [2], [3]), 0), FormatError,
        r"a Piecewise has slopes of shape \(2, 1\) and offsets of shape \(3, 1\); both have shape \(pieces, columns\)",
    ),
    "order": (
        lambda: Piecewise("a", "b", codes([1], [0]), codes([1], [1], [1]), 0, codes([1], [1], [1]), 0), FormatError,
        r"a Piecewise of 3 pieces has bounds of shape \(2, 1\); 2 for each of 1 columns are expected, in ascending "
        "order",
    ),
    "columns": (
        lambda: Piecewise("a", "b", codes([0, 0, 0]), codes([1] * 3, [1] * 3), 0, codes([1] * 3, [1] * 3), 0).infer(
            WIDE
        ),
        FormatError, "it has pieces for 3 elements; 2 arrive",
    ),
    "too wide": (
        lambda: Piecewise("a", "b", codes([0]), 8 * ONES, 0, ONES, 0).infer(WIDE), CapacityError,
        r"values may need codes -9223372036854775808\.\..*; a code has at most 62 bits: put a quantizer before it",
    ),
    "entries": (
        lambda: Lookup("a", "b", 0, np.zeros(65537, np.int64), 0), FormatError,
        r"a Lookup has entries of shape \(65537,\); 1 to 65536 are allowed",
    ),
    "codes": (
        lambda: Lookup("a", "b", 0, np.zeros(9, np.int64), 0).infer(WIDE), FormatError,
        r"its table has entries for codes 0\.\.8; codes -.* arrive: put a Quantize before it",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSALS)
def test_refusals(case: str) -> None:
    make, kind, message = REFUSALS[case]
    with pytest.raises(kind, match=f"^{message}$"):
        make()
