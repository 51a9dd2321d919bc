# SPDX-License-Identifier: Apache-2.0
"""Tests of the activation window's schedule, against a slow simulation and a search of all schedules."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ese_host.errors import FormatError
from ese_host.image import window
from ese_host.image.design import WINDOWS
from ese_host.image.interleave import Positions, entries
from ese_host.ir.weight_kinds import WeightKind
from support.designs import roomy

pytest.importorskip("scipy", reason="random matrices stand beside data sets, which come with the 'train' extra")
from support.random_data import Problem, problems

Columns = list[list[int]]
"""For each PE the column of each entry's weight; -1 for padding."""


@st.composite
def matrices(draw: st.DrawFn, columns: int, pes: int, entries_per_pe: int) -> tuple[Columns, int]:
    """Entries of each PE, and the columns of the matrix; many PEs have other columns than their neighbours."""
    width = draw(st.integers(1, columns))
    result = []
    for _ in range(draw(st.integers(1, pes))):
        found = sorted(draw(st.lists(st.integers(0, width - 1), max_size=entries_per_pe)))
        for _ in range(draw(st.integers(0, 2)) if found else 0):
            found.insert(draw(st.integers(0, len(found) - 1)), -1)  # an entry with a weight comes last
        result.append(found)
    return result, width


def arrays(columns: Columns) -> list[Positions]:
    return [np.array(pe, dtype=np.int64) for pe in columns]


@settings(max_examples=150)
@given(matrices(columns=80, pes=6, entries_per_pe=60), st.sampled_from(WINDOWS[1:]))
def test_every_column_is_there_when_its_weight_is_executed(matrix: tuple[Columns, int], held: int) -> None:
    entry_columns, width = matrix
    made = window.schedule(arrays(entry_columns), width, held)
    executed = [dict(zip(beats.tolist(), pe, strict=True)) for beats, pe in zip(made.beats, entry_columns, strict=True)]
    inside: list[int] = []
    following = 0
    for beat, advances in enumerate(made.advances):
        if advances:
            inside = [*inside, following, following + 1][-held:]
            following += 2
        for of_pe in executed:
            assert of_pe.get(beat, -1) == -1 or of_pe[beat] in inside
    for beats in made.beats:
        assert (np.diff(beats) > 0).all()
    assert following < width + 2  # no column is brought in behind the last pair
    assert len(made.advances) == max([0, *(int(beats[-1]) + 1 for beats in made.beats if len(beats))])
    assert made.waits.tolist() == [
        max(of_pe, default=-1) + 1 - len(pe) for of_pe, pe in zip(executed, entry_columns, strict=True)
    ]


def fewest_beats(entry_columns: Columns, held: int) -> int:
    """Fewest beats of any schedule, by a search of all of them: in each beat everything possible may be left out."""
    states = {(0, (0,) * len(entry_columns))}
    goal = tuple(map(len, entry_columns))
    beats = 0
    while not any(done == goal for _, done in states):
        following = set()
        for before, done in states:
            for arrived in (before, before + 2):
                able = [
                    number < len(pe) and (pe[number] < 0 or arrived - held <= pe[number] < arrived)
                    for number, pe in zip(done, entry_columns, strict=True)
                ]
                for goes in product(*((False, True) if can else (False,) for can in able)):
                    following.add((arrived, tuple(a + b for a, b in zip(done, goes, strict=True))))
        states = following
        beats += 1
    return beats


@settings(max_examples=60, deadline=None)
@given(matrices(columns=22, pes=2, entries_per_pe=5))
def test_no_schedule_has_fewer_beats(matrix: tuple[Columns, int]) -> None:
    entry_columns, width = matrix
    made = window.schedule(arrays(entry_columns), width, 8)
    assert len(made.advances) == fewest_beats(entry_columns, 8)


@given(problems(items=20, columns=40), st.sampled_from(["ternary", "int4"]), st.integers(2, 4))
def test_a_window_as_wide_as_the_matrix_waits_only_for_the_vector(
    problem: Problem, kind: WeightKind, gap_bits: int
) -> None:
    weights, density, interleave = problem
    kept = (np.random.default_rng(1).random(weights.shape) < density).astype(np.int64)
    per_pe = entries(kept, interleave, kind, gap_bits)
    made = window.schedule([stored.columns for stored in per_pe], weights.shape[1], 64)
    longest = 0
    for stored in per_pe:
        executed = -1
        for column in stored.columns:
            executed = max(executed + 1, int(column) // 2)
        longest = max(longest, executed + 1)
    assert len(made.advances) == longest


def test_waits_of_one_pe() -> None:
    """A PE whose first weight is in column 6 waits for three beats, and again before column 30 of a window of 8."""
    made = window.schedule(arrays([[6, 7, 30]]), 40, 8)
    assert made.beats[0].tolist() == [3, 4, 15]
    assert made.waits.tolist() == [13]
    assert made.advances.tolist() == [True] * 16


def test_a_pe_ahead_waits_for_the_one_behind() -> None:
    """A PE with twelve weights in column 0 keeps the column in the window of 8, and the other PE waits for column 8."""
    made = window.schedule(arrays([[0] * 12, [0, 8]]), 10, 8)
    assert made.advances.tolist() == [True] * 4 + [False] * 8 + [True]
    assert [beats.tolist() for beats in made.beats] == [list(range(12)), [0, 12]]


@pytest.mark.parametrize("mode", ["skip", "stream"])
def test_a_design_refuses_other_windows(mode: str) -> None:
    _, design = roomy("fc" if mode == "skip" else "dense")
    for columns in (4, 12, 512) if mode == "stream" else (8,):
        with pytest.raises(FormatError, match=rf"^design: window is {columns}; allowed: 0"):
            replace(design, window=columns)
