# SPDX-License-Identifier: Apache-2.0
"""Intervals hold what float32 and the engine's table really compute."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ese_hls.selfcheck.engine_layers import TABLE_ERROR
from ese_hls.selfcheck.intervals import Interval, Weights, last_bit
from ese_host.ir import Activation, Fixed
from ese_host.ir.activations import activate
from ese_host.ir.tables import tanh_table


@pytest.mark.parametrize("kind", ["tanh", "sigmoid"])
@pytest.mark.parametrize("frac", [10, 18, 20, 24, 30])
def test_the_table_errs_by_no_more_than_is_said(kind: str, frac: int) -> None:
    rng = np.random.default_rng(frac)
    codes = np.concatenate([rng.integers(-(9 << frac), 9 << frac, 200_000), np.arange(-5000, 5000)])
    fine = Activation("tanh" if kind == "tanh" else "sigmoid", Fixed(40, 2))
    found = np.ldexp(activate(codes, frac, fine, tanh_table()).astype(np.float64), -38)
    x = np.ldexp(codes.astype(np.float64), -frac)
    exact = np.tanh(x) if kind == "tanh" else 0.5 + 0.5 * np.tanh(x / 2)
    assert np.abs(found - exact).max() <= TABLE_ERROR[kind]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(0, 2**32 - 1), st.integers(1, 300), st.sampled_from([2, 8, 16, None]))
def test_float32_sums_lie_inside(seed: int, terms: int, bits: int | None) -> None:
    rng = np.random.default_rng(seed)
    x, weights, bias = rng.normal(size=(7, terms)), rng.normal(size=(5, terms)), rng.normal(size=5)
    if bits is not None:
        x, weights, bias = (np.rint(np.ldexp(part, bits - 2)) * 2.0 ** (2 - bits) for part in (x, weights, bias))
    x, weights, bias = (part.astype(np.float32).astype(np.float64) for part in (x, weights, bias))
    sums = Weights(weights, np.zeros_like(weights)).sums(Interval.point(x), bias)
    single = (x.astype(np.float32) @ weights.T.astype(np.float32) + bias.astype(np.float32)).astype(np.float64)
    assert ((sums.low <= single) & (single <= sums.high)).all()
    if bits is not None and bits <= 8 and terms < 100:
        assert sums.is_point  # few bits: float32 holds every partial sum


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(0, 2**32 - 1), st.integers(2, 16), st.integers(-3, 4), st.booleans())
def test_a_quantizer_of_qkeras_lies_inside(seed: int, bits: int, integer: int, signed: bool) -> None:
    form = Fixed(bits, integer, signed)
    x = np.random.default_rng(seed).normal(0, 4, 200).astype(np.float32)
    rounded = form.to_float(form.from_float(x.astype(np.float64))).astype(np.float32)
    straight_through = (x + (rounded - x)).astype(np.float64)
    interval = Interval.point(x.astype(np.float64)).rounded(form)
    assert ((interval.low <= straight_through) & (straight_through <= interval.high)).all()


def test_the_last_bit_divides_all_values() -> None:
    assert last_bit(np.array([0.75, 2.0, 0.0])) == -2
    assert last_bit(np.zeros(3)) == np.inf
    assert last_bit(np.array([2.0**20 * 3])) == 20
