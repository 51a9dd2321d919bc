# SPDX-License-Identifier: Apache-2.0
"""Interleaving and relative index: the matrix can be rebuilt, and there is no more padding than needed."""

from itertools import pairwise

import numpy as np
import numpy.typing as npt
from hypothesis import given
from hypothesis import strategies as st

from ese_host.files.words import pack, unpack
from ese_host.image.interleave import (
    Interleave,
    entries,
    entries_per_pe,
    max_gap,
    padding_passes,
    relative_index,
)
from ese_host.ir.network import CELL_ROWS
from ese_host.ir.weight_kinds import WeightKind

places = st.sampled_from([(0,), CELL_ROWS, (0, 1, 2), (0, 1, 3), (0, 1), (3,)])
kinds = st.sampled_from(["ternary", "int4", "int8", "int12", "int16", "codebook4"])


@given(st.integers(1, 40), st.integers(1, 17), places)
def test_every_row_has_one_place(items: int, pes: int, rows_of_item: tuple[int, ...]) -> None:
    interleave = Interleave(items * len(rows_of_item), pes, rows_of_item)
    owner, local = interleave.owners()
    assert len(set(zip(owner.tolist(), local.tolist(), strict=True))) == interleave.rows
    assert local.max() < interleave.rows_per_pe <= 1 << interleave.stride_log2
    for pe in range(pes):
        rows = interleave.rows_of(pe)
        assert (owner[rows] == pe).all()
        assert (np.diff(local[rows]) > 0).all()
    if interleave.group == 4:  # the PE of a cell has its rows, within its group of four
        blocks = np.arange(interleave.rows).reshape(len(rows_of_item), items)
        assert (owner[blocks] == owner[blocks[0]]).all()
        assert (local[blocks] % 4 == np.array(rows_of_item)[:, None]).all()
        assert (local[blocks] // 4 == local[blocks[0]] // 4).all()


@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.integers(1, 9), st.integers(1, 6), st.floats(0, 1))
def test_positions_rebuild_the_matrix(seed: int, items: int, columns: int, pes: int, density: float) -> None:
    rng = np.random.default_rng(seed)
    matrix = rng.random((items * 4, columns)) < density
    interleave = Interleave(items * 4, pes, CELL_ROWS)
    rebuilt = np.zeros_like(matrix)
    for pe, (positions, _) in enumerate(interleave.placed(matrix)):
        assert (np.diff(positions) > 0).all()
        rows = interleave.rows_of(pe)[positions & ((1 << interleave.stride_log2) - 1)]
        rebuilt[rows, positions >> interleave.stride_log2] = True
    np.testing.assert_array_equal(rebuilt, matrix)


@st.composite
def matrices(draw: st.DrawFn) -> tuple[npt.NDArray[np.int64], Interleave]:
    """A matrix of codes from -9 to 9, with one of four densities, and the interleave of its rows over PEs."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    rows_of_item = draw(places)
    interleave = Interleave(len(rows_of_item) * draw(st.integers(1, 14)), draw(st.integers(1, 9)), rows_of_item)
    shape = (interleave.rows, draw(st.integers(1, 20)))
    return rng.integers(-9, 10, shape) * (rng.random(shape) < draw(st.sampled_from([0.0, 0.03, 0.3, 1.0]))), interleave


def matrix_rows(interleave: Interleave, pe: int) -> npt.NDArray[np.int64]:
    """(stride,) row of the matrix that stands in each row of a PE, or -1."""
    rows = np.full(1 << interleave.stride_log2, -1)
    rows[interleave.local_rows(pe)] = interleave.rows_of(pe)
    return rows


@given(matrices())
def test_positions_and_values_rebuild_the_matrix(case: tuple[npt.NDArray[np.int64], Interleave]) -> None:
    matrix, interleave = case
    rebuilt = np.zeros_like(matrix)
    for pe, (positions, values) in enumerate(interleave.placed(matrix)):
        assert len(positions) == len(values) and (np.diff(positions) > 0).all()
        rows = matrix_rows(interleave, pe)
        rebuilt[rows[positions & ((1 << interleave.stride_log2) - 1)], positions >> interleave.stride_log2] = values
    np.testing.assert_array_equal(rebuilt, matrix)


@given(matrices())
def test_the_rows_of_a_pe_and_the_gaps_between_them(case: tuple[npt.NDArray[np.int64], Interleave]) -> None:
    _, interleave = case
    for pe, gap in enumerate(interleave.longest_gaps().tolist()):
        local = interleave.local_rows(pe)
        assert (local == interleave.owners()[1][interleave.rows_of(pe)]).all()
        columns = [*local, *(local + (1 << interleave.stride_log2))]
        assert gap == max(np.diff(columns), default=1) - 1


@given(matrices(), kinds, st.integers(2, 8), st.booleans())
def test_entries_walk_back_to_the_matrix(
    case: tuple[npt.NDArray[np.int64], Interleave], kind: WeightKind, gap_bits: int, by_column: bool
) -> None:
    matrix, interleave = case
    rebuilt = np.zeros_like(matrix)
    per_pe = entries(matrix, interleave, kind, gap_bits, by_column)
    for pe, stored in enumerate(per_pe):
        rows, stride = matrix_rows(interleave, pe), 1 << interleave.stride_log2
        starts = [0, len(stored.gaps)] if stored.starts is None else stored.starts.tolist()
        assert (stored.starts is not None) == by_column and starts[-1] == len(stored.gaps)
        for column, (first, last) in enumerate(pairwise(starts)):
            position = column * stride if by_column else 0
            for gap, value in zip(stored.gaps[first:last].tolist(), stored.values[first:last].tolist(), strict=True):
                if value:
                    rebuilt[rows[(position + gap) % stride], (position + gap) // stride] = value
                position += gap + 1 if value else padding_passes(kind, gap_bits)
    np.testing.assert_array_equal(rebuilt, matrix)
    if not by_column:
        assert entries_per_pe(matrix, interleave, kind, gap_bits).tolist() == [len(stored.gaps) for stored in per_pe]


@given(st.sets(st.integers(0, 3000), max_size=40), kinds, st.integers(2, 8))
def test_relative_index_walks_back_to_the_positions(chosen: set[int], kind: WeightKind, gap_bits: int) -> None:
    positions = np.array(sorted(chosen), dtype=np.int64)
    gaps, weights = relative_index(positions, kind, gap_bits)
    carrier = np.zeros(len(gaps), dtype=bool)
    carrier[weights] = True
    assert gaps.size == 0 or (gaps.min() >= 0 and gaps.max() < 1 << gap_bits)
    assert (gaps[carrier] <= max_gap(kind, gap_bits)).all()
    position, walked = 0, []
    for gap, is_weight in zip(gaps.tolist(), carrier.tolist(), strict=True):
        if is_weight:
            walked.append(position + gap)
            position += gap + 1
        else:
            position += padding_passes(kind, gap_bits)
    assert walked == positions.tolist()
    # Padding is minimal: no entry could have been omitted.
    needed = sum(
        -(-max(0, skipped - max_gap(kind, gap_bits)) // padding_passes(kind, gap_bits))
        for skipped in np.diff(positions, prepend=-1) - 1
    )
    assert len(gaps) == len(positions) + needed


def test_entries_per_pe_count_padding() -> None:
    matrix = np.zeros((2, 100), dtype=np.int64)
    matrix[0, [0, 99]] = 1
    matrix[1, 5] = -1
    assert entries_per_pe(matrix, Interleave(2, 2), "int4", 4).tolist() == [2 + 6, 1]
    assert entries_per_pe(matrix, Interleave(2, 2), "ternary", 4).tolist() == [2 + 6, 1]


@given(
    st.integers(1, 32).flatmap(
        lambda width: st.tuples(st.just(width), st.lists(st.integers(-(1 << (width - 1)), (1 << (width - 1)) - 1)))
    )
)
def test_bits_round_trip(case: tuple[int, list[int]]) -> None:
    width, values = case
    words = pack(values, width)
    assert unpack(words, len(values), width, signed=True).tolist() == values
    assert unpack(words, len(values), width).tolist() == [v % (1 << width) for v in values]
