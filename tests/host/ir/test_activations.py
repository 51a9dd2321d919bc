# SPDX-License-Identifier: Apache-2.0
"""Activations: every kind has a function, and only valid ones are decoded; test_golden.py tests their values."""

from __future__ import annotations

from dataclasses import asdict
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ese_host.errors import FormatError, UnsupportedError
from ese_host.files.decoder import decode
from ese_host.ir.activations import KINDS, LIMIT_BITS, Activation, ActivationKind, activate, check_cell, check_gates
from ese_host.ir.fixed import Fixed
from ese_host.ir.tables import tanh_table


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_computed_and_grows_with_its_input(kind: ActivationKind) -> None:
    activation = Activation(kind, Fixed(12, 1), 16384, 0)
    x = np.arange(-(9 << 10), 9 << 10, 5)
    codes = activate(x, 10, activation, tanh_table())
    assert codes.shape == x.shape and (np.diff(codes) >= 0).all() and codes.min() < codes.max()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("form", [Fixed(16, 8), Fixed(18, 2), Fixed(8, 1), Fixed(8, 1, symmetric=True), Fixed(4, 9)])
def test_an_activation_ends_at_the_end_points_of_its_function(kind: ActivationKind, form: Fixed) -> None:
    activation = Activation(kind, form, 32768, 16384 if kind == "hard_sigmoid" else 0)
    ends = [form.quantize(value, 0) for value in ((-1, 1) if kind.endswith("tanh") else (0, 1))]
    limit = (1 << LIMIT_BITS) << 12
    for far, integer in ((1 << 40, np.int64), (limit, np.int64), (limit, np.int32)):
        x: Any = np.array([-far, far], dtype=integer)
        assert activate(x, 12, activation, tanh_table()).tolist() == ends == [activation.low, activation.high]


@pytest.mark.parametrize(
    ("state", "gate", "cell", "message"),
    [
        (Fixed(8, 1), Fixed(18, 0, signed=False), Fixed(8, 1), "^here: recurrent_activation has 18 bits; at most 18 "),
        (Fixed(8, 1), Fixed(8, 0, signed=False), Fixed(26, 1), "^here: activation has 26 bits; at most 25 are allowed"),
        (
            Fixed(8, -17),
            Fixed(16, 0, signed=False),
            Fixed(8, 1),
            "^here: its new state needs 42 bits, 41 of ",
        ),
        (
            Fixed(16, 9),
            Fixed(17, 1, signed=False),
            Fixed(25, 2),
            "^here: its new state needs 49 bits, 39 of ",
        ),
        (Fixed(16, 8), Fixed(17, 1, signed=False), Fixed(25, 2), ""),
        (
            Fixed(16, 16),
            Fixed(17, 1, signed=False),
            Fixed(18, 2),
            "^here: its new state needs 49 bits, 32 of ",
        ),
        (Fixed(16, 16), Fixed(16, 0, signed=False), Fixed(16, 1), ""),
    ],
)
def test_formats_of_a_cell(state: Fixed, gate: Fixed, cell: Fixed, message: str) -> None:
    activations = Activation("sigmoid", gate), Activation("tanh", cell)
    if not message:
        check_cell("here", state, *activations)
        return
    with pytest.raises(UnsupportedError, match=message):
        check_cell("here", state, *activations)


@pytest.mark.parametrize(
    ("kind", "form", "message"),
    [
        ("tanh", Fixed(8, 1), "recurrent_activation is tanh; the gates of a GRU need a sigmoid or a hard sigmoid"),
        ("hard_tanh", Fixed(8, 1), "recurrent_activation is hard_tanh; the gates of a GRU need a sigmoid or a hard"),
        ("sigmoid", Fixed(17, 0, signed=False), "recurrent_activation has 17 fractional bits; 0 to 16 are allowed in"),
        ("hard_sigmoid", Fixed(4, 5), "recurrent_activation has -1 fractional bits; 0 to 16 are allowed in a GRU: "),
        ("sigmoid", Fixed(17, 1, signed=False), ""),
        ("hard_sigmoid", Fixed(1, 1, signed=False), ""),
    ],
)
def test_gates_of_a_gru(kind: ActivationKind, form: Fixed, message: str) -> None:
    if not message:
        check_gates("here", Activation(kind, form))
        return
    with pytest.raises(UnsupportedError, match=f"^here: {message}"):
        check_gates("here", Activation(kind, form))


@given(
    kind=st.sampled_from(["hard_sigmoid", "hard_tanh"]),
    line=st.sampled_from([(5461, 16384), (6554, 16384), (16384, 16384), (32768, 0), (65535, 1), (1, 0)]),
    bits=st.integers(1, 48),
    form_frac=st.integers(-2, 48) | st.integers(46, 48),
    frac=st.integers(0, 52) | st.integers(50, 52),
    seed=st.integers(0, 2**32 - 1),
)
def test_lines_are_exact_at_every_binary_point(
    kind: ActivationKind, line: tuple[int, int], bits: int, form_frac: int, frac: int, seed: int
) -> None:
    """Hard activations equal exact fractions, for values anywhere and for those whose lines lie beside a tie."""
    form, (slope, offset), rng = Fixed(bits, bits - form_frac), line, np.random.default_rng(seed)
    activation = Activation(kind, form, slope, offset)
    limit = min(65 << frac, (1 << 62) - 1)
    x = [int(value) for value in rng.integers(-limit, limit, 8)] + [-limit, limit, 0]
    least = {"hard_tanh": -1, "hard_sigmoid": 0}[kind]
    for code in rng.integers(max(form.low, least << max(form_frac, 0)), min(form.high, 1 << max(form_frac, 0)) + 1, 4):
        tie = (
            (Fraction(2 * int(code) + 1, 2) / Fraction(2) ** form_frac - Fraction(offset, 1 << 15)) * (1 << 15) / slope
        )
        x += [min(max(int(tie * 2**frac) + step, -limit), limit) for step in (-1, 0, 1)]
    wanted = []
    for value in x:
        clipped = min(max(Fraction(value, 1 << frac), Fraction(-64)), Fraction(64))
        exact = min(max((clipped * slope + offset) / (1 << 15), Fraction(least)), Fraction(1))
        wanted.append(min(max(round(exact * Fraction(2) ** form_frac), form.low), form.high))
    assert activate(np.array(x), frac, activation, tanh_table()).tolist() == wanted


def test_an_activation_is_read_back() -> None:
    for kind in KINDS:
        activation = Activation(kind, Fixed(9, 1, symmetric=True), 5, 7)
        assert decode(Activation, asdict(activation), "activation") == activation


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "cube"}, r"^activation: kind is 'cube'; expected "),
        ({"slope": 1.0}, r"^activation: slope is 1\.0; expected an integer"),
        ({"more": 1}, r"^activation has fields "),
        ({"out": 3}, r"^activation: out is 3; expected "),
    ],
)
def test_what_is_no_activation_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(FormatError, match=message):
        decode(Activation, {**asdict(Activation("tanh", Fixed(8, 1))), **changes}, "activation")
