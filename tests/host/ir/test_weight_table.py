# SPDX-License-Identifier: Apache-2.0
"""The table of weight kinds is consistent in itself and with the codes that entries store."""

from __future__ import annotations

from itertools import pairwise
from typing import get_args

import numpy as np
import pytest

from ese_host.image.entry_widths import EntryWidths
from ese_host.ir.weight_kinds import LEVEL_BITS, WEIGHT_KINDS, WeightKind


def test_the_type_and_the_table_name_the_same_kinds() -> None:
    assert tuple(WEIGHT_KINDS) == get_args(WeightKind)
    assert all(kind.name == name for name, kind in WEIGHT_KINDS.items())


def test_integer_kinds_come_narrowest_first() -> None:
    without_codebook = [kind for kind in WEIGHT_KINDS.values() if kind.own_level]
    for narrow, wide in pairwise(without_codebook):
        assert wide.holds(narrow.low, narrow.high) and not narrow.holds(wide.low, wide.high)
        assert narrow.acc_bits < wide.acc_bits


@pytest.mark.parametrize("name", WEIGHT_KINDS)
def test_stored_codes_tell_every_weight_of_the_kind(name: WeightKind) -> None:
    kind, widths = WEIGHT_KINDS[name], EntryWidths(name, 5)
    codes = np.arange(kind.low, kind.high + 1)
    stored = widths.stored(codes[codes != 0] if not kind.holds_zero else codes)
    assert len(set(stored.tolist())) == len(stored) and stored.min() >= 0 and stored.max() < 1 << kind.code_bits
    if kind.holds_zero:
        assert widths.stored(np.zeros(1, dtype=np.int64)).tolist() == [0]
    assert kind.level_bits == (LEVEL_BITS if kind.codebook else kind.code_bits)
    assert kind.multiplies == (name != "ternary")
