# SPDX-License-Identifier: Apache-2.0
"""Mask families against their definitions, by properties and by brute force."""

from itertools import combinations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ese_host.errors import FormatError, UnsupportedError
from ese_host.image.interleave import Interleave, entries_per_pe, max_gap
from ese_host.ir import CELL_ROWS
from ese_host.ir.mask_families import MASK_FAMILIES
from ese_host.ir.weight_kinds import WeightKind
from ese_models.pruning import gap_aware, gap_bits_for, magnitude, mask_for, pe_balanced, statistics
from ese_models.pruning.heaviest_chain import best_chain
from support.random_data import Problem, problems


def brute_force(weight: npt.NDArray[np.int64], position: npt.NDArray[np.int64], count: int, step: int) -> int:
    best = -1
    for chosen in combinations(range(len(weight)), count):
        steps = np.diff(position[list(chosen)], prepend=-1)
        if steps.max(initial=0) <= step:
            best = max(best, int(weight[list(chosen)].sum()))
    return best


@given(
    st.lists(st.tuples(st.integers(0, 6), st.integers(1, 4)), min_size=1, max_size=12),
    st.integers(1, 12),
    st.integers(1, 12),
)
@settings(max_examples=400, deadline=None)
def test_chain_is_the_brute_force_optimum(elements: list[tuple[int, int]], count: int, step: int) -> None:
    weight = np.array([w for w, _ in elements], dtype=np.int64)
    position = np.cumsum([gap for _, gap in elements]) - 1
    count = min(count, len(weight))
    step = max(step, int(np.diff(position[:count], prepend=-1).max()))
    chain = best_chain(weight, position, count, step)
    assert len(chain) == count and (np.diff(chain) > 0).all()
    assert np.diff(position[chain], prepend=-1).max() <= step
    assert weight[chain].sum() == brute_force(weight, position, count, step)


@given(problems(), st.sampled_from(["ternary", "int4"]), st.integers(2, 6))
@settings(max_examples=200, deadline=None)
def test_gap_aware_needs_no_padding_where_the_stride_allows_it(
    problem: Problem, kind: WeightKind, gap_bits: int
) -> None:
    weights, density, interleave = problem
    mask = gap_aware(weights, density, interleave, kind, gap_bits)
    virtual = 0
    for pe in range(min(interleave.pes, interleave.items)):
        local = interleave.local_rows(pe)
        virtual = max(virtual, int(np.diff([*local, local[0] + (1 << interleave.stride_log2)]).max()) - 1)
    fewest = {1: 4, 2: 3, 3: 3, 4: 2}[len(interleave.places)] if interleave.group > 1 else 2
    assert gap_bits_for([interleave], kind, 2) == next(b for b in range(fewest, 20) if max_gap(kind, b) >= virtual)
    if virtual <= max_gap(kind, gap_bits):
        assert entries_per_pe(mask, interleave, kind, gap_bits).sum() == mask.sum()


@given(problems())
@settings(max_examples=100, deadline=None)
def test_no_pruned_weight_is_larger_than_a_kept_one(problem: Problem) -> None:
    weights, density, interleave = problem
    size = np.abs(weights)
    mask = magnitude(weights, density, interleave)
    assert mask.sum() == round(density * weights.size)
    assert size[mask].min(initial=1) >= size[~mask].max(initial=0)
    mask = pe_balanced(weights, density, interleave)
    for pe in range(interleave.pes):
        rows = interleave.rows_of(pe)
        assert size[rows][mask[rows]].min(initial=1) >= size[rows][~mask[rows]].max(initial=0)


@given(problems())
@settings(max_examples=50, deadline=None)
def test_wide_gap_field_gives_the_balanced_optimum(problem: Problem) -> None:
    weights, density, interleave = problem
    free, bound = pe_balanced(weights, density, interleave), gap_aware(weights, density, interleave, "int4", 12)
    assert np.abs(weights)[free].sum() == pytest.approx(np.abs(weights)[bound].sum())


@pytest.mark.parametrize(
    ("rows", "columns", "pes", "places"),
    [(9, 64, 16, (0,)), (256, 12, 3, CELL_ROWS), (256, 64, 8, CELL_ROWS), (192, 64, 8, (0, 1, 3)), (64, 64, 8, (3,))],
)
def test_awkward_shapes_are_balanced_with_padding_counted(
    rows: int, columns: int, pes: int, places: tuple[int, ...]
) -> None:
    weights = np.random.default_rng(7).normal(size=(rows, columns))
    interleave = Interleave(rows, pes, places)
    mask = gap_aware(weights, 0.1, interleave, "ternary", 6)
    entries = entries_per_pe(mask, interleave, "ternary", 6)
    owning = entries[: interleave.items]
    assert owning.max() / owning.mean() < 1.02
    assert not entries[interleave.items :].any()


def test_virtual_rows_wider_than_the_gap_field_cost_the_fewest_paddings() -> None:
    weights = np.random.default_rng(3).normal(size=(17, 30))  # stride 32, 15 virtual rows
    interleave = Interleave(17, 1)
    mask = gap_aware(weights, 0.3, interleave, "int4", 3)
    assert mask.sum() == 153
    found = statistics(weights, mask, interleave, "int4", 3)
    assert 0 < found.padding <= 30 + 153
    assert found.entries_per_pe == [153 + found.padding]


def test_masks_do_not_depend_on_anything_but_the_weights() -> None:
    weights = np.random.default_rng(1).integers(-3, 4, (64, 24)).astype(float)
    interleave = Interleave(64, 3, CELL_ROWS)
    for family in MASK_FAMILIES:
        first = mask_for(family, weights, 0.2, interleave, "ternary", 4)
        assert (first == mask_for(family, weights.copy(), 0.2, interleave, "ternary", 4)).all()


def test_unsound_requests_are_refused() -> None:
    interleave = Interleave(8, 2)
    weights = np.ones((8, 4))
    with pytest.raises(UnsupportedError, match=r"density is 1\.5; 0 to 1 is allowed"):
        pe_balanced(weights, 1.5, interleave)
    with pytest.raises(FormatError, match=r"expected \(8, columns\)"):
        magnitude(weights.T, 0.5, interleave)
    with pytest.raises(UnsupportedError, match="mask family is 'random'"):
        mask_for("random", weights, 0.5, interleave, "int4", 4)  # type: ignore[arg-type]
    weights[3, 2] = np.nan
    with pytest.raises(FormatError, match=r"weight at \(3, 2\) is not finite"):
        gap_aware(weights, 0.5, interleave)
