# SPDX-License-Identifier: Apache-2.0
"""Edit distances and alignments against the definition."""

from collections.abc import Sequence
from functools import cache
from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ese_host.decoding import aligned, collapsed, edit_distance

SEQUENCES = st.lists(st.integers(0, 3), max_size=7)


def by_definition(first: Sequence[int], second: Sequence[int]) -> int:
    """Levenshtein distance by its recursive definition."""

    @cache
    def distance(i: int, j: int) -> int:
        if not i or not j:
            return i + j
        return min(
            distance(i - 1, j) + 1, distance(i, j - 1) + 1, distance(i - 1, j - 1) + (first[i - 1] != second[j - 1])
        )

    return distance(len(first), len(second))


@given(SEQUENCES, SEQUENCES)
def test_edit_distance_is_levenshteins(first: list[int], second: list[int]) -> None:
    assert edit_distance(first, second) == by_definition(first, second) == edit_distance(second, first)


@given(st.lists(st.integers(0, 3), max_size=30))
def test_collapsing_leaves_no_equal_neighbours_and_loses_nothing_else(labels: list[int]) -> None:
    found = collapsed(labels)
    assert all(a != b for a, b in pairwise(found))
    assert collapsed(found) == found and set(found) == set(labels)
    assert collapsed(np.repeat(np.array(labels, dtype=int), 3)) == found


@given(SEQUENCES, SEQUENCES)
def test_an_alignment_has_as_many_errors_as_the_distance(first: list[int], second: list[int]) -> None:
    pairs = aligned(first, second)
    assert [one for one, _ in pairs if one is not None] == first
    assert [two for _, two in pairs if two is not None] == second
    assert sum(one != two for one, two in pairs) == edit_distance(first, second)
    assert (None, None) not in pairs
