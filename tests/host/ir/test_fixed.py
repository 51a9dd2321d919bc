# SPDX-License-Identifier: Apache-2.0
"""Fixed-point formats and rounding, compared with exact fractions."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ese_host.errors import FormatError
from ese_host.ir.fixed import Fixed, round_half_even

formats = st.builds(
    Fixed, bits=st.integers(2, 24), integer=st.integers(-4, 12), signed=st.booleans(), symmetric=st.booleans()
)


@given(st.lists(st.integers(-(1 << 45), 1 << 45), min_size=1), st.integers(0, 40))
def test_round_half_even_is_pythons_own(codes: list[int], shift: int) -> None:
    expected = [round(Fraction(code, 1 << shift)) for code in codes]
    assert round_half_even(codes, shift).tolist() == expected


@given(formats, st.lists(st.integers(-(1 << 40), 1 << 40), min_size=1), st.integers(0, 20))
def test_quantize_rounds_then_saturates(form: Fixed, codes: list[int], frac: int) -> None:
    wanted = [round(Fraction(code) * Fraction(2) ** (form.frac - frac)) for code in codes]
    assert form.quantize(codes, frac).tolist() == [min(max(w, form.low), form.high) for w in wanted]


@given(formats, st.lists(st.floats(-1e6, 1e6), min_size=1))
def test_from_float_is_nearest_and_to_float_is_exact(form: Fixed, values: list[float]) -> None:
    codes = form.from_float(values)
    wanted = [round(Fraction(v) * Fraction(2) ** form.frac) for v in values]
    assert codes.tolist() == [min(max(w, form.low), form.high) for w in wanted]
    assert [Fraction(v) for v in form.to_float(codes)] == [Fraction(int(c)) / Fraction(2) ** form.frac for c in codes]
    assert form.from_float(form.to_float(codes)).tolist() == codes.tolist()


@given(formats)
def test_json_round_trip(form: Fixed) -> None:
    assert Fixed.from_json(form.to_json()) == form


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "^fixed-point format is None; expected an object$"),
        ({}, r"^fixed-point format has fields \[\]; expected \['bits', 'integer', 'signed', 'symmetric'\]$"),
        ({"bits": 8}, r"^fixed-point format has fields \['bits'\]; expected \['bits', "),
        (
            {"bits": 8.0, "integer": 0, "signed": True, "symmetric": False},
            r"^fixed-point format: bits is 8\.0; expected an integer$",
        ),
    ],
)
def test_json_of_another_form_is_refused(value: object, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        Fixed.from_json(value)


def test_nan_is_refused_with_its_place() -> None:
    with pytest.raises(FormatError, match=r"value at \(1, 0\) is NaN"):
        Fixed(8, 1).from_float(np.array([[0.0], [np.nan]]))


@pytest.mark.parametrize(("bits", "integer"), [(0, 0), (49, 2), (8, 60)])
def test_impossible_formats_are_refused(bits: int, integer: int) -> None:
    with pytest.raises(FormatError):
        Fixed(bits, integer)
