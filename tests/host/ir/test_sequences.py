# SPDX-License-Identifier: Apache-2.0
"""Checks of batches of sequences: valid arrays are accepted, all others refused."""

from __future__ import annotations

import numpy as np
import pytest

from ese_host.errors import FormatError
from ese_host.ir.fixed import Fixed
from ese_host.ir.sequences import are_frames, are_lengths, by_name, check_codes, full_lengths


def test_frames_have_axes_width_and_a_kind() -> None:
    batch = np.zeros((2, 3, 5), np.int64)
    assert are_frames(batch, 3, 5) and are_frames(batch[0], 2, 5) and are_frames(batch.astype(np.uint8), 3, 5)
    assert not are_frames(batch, 3, 4) and not are_frames(batch, 2, 5) and not are_frames(np.zeros(5), 3, 5)
    assert not are_frames(batch.astype(float), 3, 5) and are_frames(batch.astype(float), 3, 5, kinds=None)


def test_lengths_are_whole_and_within() -> None:
    full = full_lengths(np.zeros((3, 4, 1)))
    assert full.dtype == np.int64 and full.tolist() == [4, 4, 4]
    assert are_lengths(full, full) and are_lengths(np.array([1, 4, 2], np.uint16), full)
    for wrong in ([0, 1, 2], [1, 2, 5], [1, 2], [[1, 2, 3]], [1.0, 2.0, 3.0], [True, True, True], [-1, 1, 1]):
        assert not are_lengths(np.array(wrong), full)
    assert not are_lengths(full[:0], full[:0])


def test_inputs_are_given_by_name_in_order_or_as_the_only_one() -> None:
    assert by_name({"b": 1}, ["a"], only_input=True) == {"b": 1}
    assert by_name([1, 2], ["a", "b"], only_input=False) == {"a": 1, "b": 2}
    assert by_name([1, 2], ["a"], only_input=True) == {"a": [1, 2]}
    assert by_name([1, 2], ["a"], only_input=False) == {}


def test_codes_outside_a_format_are_refused() -> None:
    form = Fixed(4, 4)
    check_codes(np.array([-8, 7]), form, "codes", "the format", "quantize")
    for codes, span in (([-9, 0], "-9..0"), ([0, 8], "0..8")):
        with pytest.raises(FormatError) as error:
            check_codes(np.array(codes), form, "codes", "the format", "quantize")
        assert str(error.value) == f"codes span {span}; the format holds -8..7: quantize"
