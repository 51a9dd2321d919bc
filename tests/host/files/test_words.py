# SPDX-License-Identifier: Apache-2.0
"""Tests of the places of numbers in records of words."""

from __future__ import annotations

import pytest

from ese_host.files.words import Field


@pytest.mark.parametrize(
    ("field", "value"),
    [(Field(0, 4, 6), -1), (Field(0, 4, 6), 64), (Field(0, 4, 6, signed=True), 32), (Field(0, 4, 6, signed=True), -33)],
)
def test_a_number_that_does_not_fit_changes_nothing(field: Field, value: int) -> None:
    words = [0b1010]
    with pytest.raises(ValueError, match=f"^{value} does not fit a field of 6 bits at bit 4 of word 0$"):
        field.put(words, value)
    assert words == [0b1010]


@pytest.mark.parametrize(("signed", "values"), [(False, (0, 63)), (True, (-32, 31))])
def test_the_ends_of_the_range_fit(signed: bool, values: tuple[int, int]) -> None:
    field = Field(0, 4, 6, signed=signed)
    for value in values:
        words = [0b1010]
        field.put(words, value)
        assert field.get(words) == value and words[0] & 0b1111 == 0b1010 and words[0] < 1 << 10
