# SPDX-License-Identifier: Apache-2.0
"""Balanced mask families: counts per PE and per unit, and optimality by brute force at tiny sizes."""

from collections.abc import Callable, Iterable
from functools import partial
from itertools import combinations, pairwise
from typing import get_args

import click
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ese_host.errors import FormatError, UnsupportedError
from ese_host.image.interleave import Interleave, entries_per_pe
from ese_host.ir import CELL_ROWS
from ese_host.ir.mask_families import MASK_FAMILIES, MaskFamily
from ese_host.ir.weight_kinds import WeightKind
from ese_models.cli import commands
from ese_models.pruning import (
    bank_balanced,
    column_balanced,
    family_name,
    gap_aware,
    keep_per_pe,
    magnitude,
    mask_for,
    pe_balanced,
)
from ese_models.pruning.masks import Floats, Mask
from support.random_data import Problem, problems

Unit = list[tuple[int, int]]

BALANCED = [family for family in MASK_FAMILIES if family != "magnitude"]
KINDS = st.sampled_from(["ternary", "int4"])


def per_pe(mask: Mask, interleave: Interleave) -> list[int]:
    return [int(mask[interleave.rows_of(pe)].sum()) for pe in range(interleave.pes)]


def share(weights: Floats, density: float, interleave: Interleave) -> list[int]:
    keep = keep_per_pe(weights.size, density, interleave.pes)
    return [min(keep, weights[interleave.rows_of(pe)].size) for pe in range(interleave.pes)]


@pytest.mark.parametrize("family", BALANCED)
@given(problems(), KINDS, st.integers(2, 6))
@settings(max_examples=150, deadline=None)
def test_every_pe_keeps_exactly_its_share(
    family: MaskFamily, problem: Problem, kind: WeightKind, gap_bits: int
) -> None:
    weights, density, interleave = problem
    mask = mask_for(family, weights, density, interleave, kind, gap_bits)
    assert per_pe(mask, interleave) == share(weights, density, interleave)


@pytest.mark.parametrize("family", BALANCED)
@pytest.mark.parametrize("density", [0.0, 0.001, 0.1, 1 / 3, 0.999, 1.0])
@pytest.mark.parametrize(
    ("rows", "columns", "pes", "places"),
    [
        (9, 64, 16, (0,)),
        (256, 12, 3, CELL_ROWS),
        (256, 64, 3, CELL_ROWS),
        (1, 1, 1, (0,)),
        (1, 1, 7, (0,)),
        (4, 1, 2, CELL_ROWS),
        (1, 300, 5, (0,)),
        (192, 12, 3, (0, 1, 2)),
        (3, 1, 2, (0, 1, 3)),
        (1, 9, 2, (3,)),
    ],
)
def test_awkward_shapes_keep_exactly_their_share(
    family: MaskFamily, density: float, rows: int, columns: int, pes: int, places: tuple[int, ...]
) -> None:
    weights = np.random.default_rng(5).normal(size=(rows, columns))
    interleave = Interleave(rows, pes, places)
    mask = mask_for(family, weights, density, interleave, "ternary", 4)
    assert per_pe(mask, interleave) == share(weights, density, interleave)


@pytest.mark.parametrize("family", MASK_FAMILIES)
@given(problems(), st.floats(0, 1), st.floats(0, 1), st.integers(2, 5))
@settings(max_examples=100, deadline=None)
def test_more_density_never_loses_weight(
    family: MaskFamily, problem: Problem, first: float, second: float, gap_bits: int
) -> None:
    weights, _, interleave = problem
    fewer, more = (mask_for(family, weights, d, interleave, "int4", gap_bits) for d in sorted((first, second)))
    assert fewer.sum() <= more.sum()
    if family == "gap-aware":  # the best masks need not be nested
        size = np.abs(weights)
        assert size[fewer].sum() <= size[more].sum() + 1e-6
    else:
        assert (more | ~fewer).all()


def units_of(name: str, rows: Iterable[int], columns: int, bank: int) -> list[Unit]:
    """(row, column) pairs of each unit as the papers define it: a bank of a row, or a part of a column."""
    if name == "column":
        return [[(row, column) for row in rows] for column in range(columns)]
    widths = [len(part) for part in np.array_split(np.arange(columns), -(-columns // bank))]
    starts = np.cumsum([0, *widths])
    sets = [set(range(a, b)) for a, b in pairwise(starts)]
    return [[(row, column) for column in sorted(part)] for row in rows for part in sets]


@pytest.mark.parametrize("name", ["bank", "column"])
@given(problems(), st.integers(1, 9))
@settings(max_examples=150, deadline=None)
def test_units_are_as_equal_as_they_can_be(name: str, problem: Problem, bank: int) -> None:
    weights, density, interleave = problem
    columns = weights.shape[1]
    if name == "bank":
        assume(columns % -(-columns // bank) == 0)  # otherwise the paper leaves open which banks are wider
        mask = bank_balanced(weights, density, interleave, bank)
    else:
        mask = column_balanced(weights, density, interleave)
    for pe in range(interleave.pes):
        units = units_of(name, interleave.rows_of(pe), columns, bank)
        counts = [sum(bool(mask[cell]) for cell in unit) for unit in units]
        open_ones = [count for count, unit in zip(counts, units, strict=True) if count < len(unit)]
        assert max(counts, default=0) <= min(open_ones, default=len(mask) * columns) + 1


def best_total(size: npt.NDArray[np.int64], allowed: Callable[[Mask], bool], keep: int) -> int | None:
    """Largest total magnitude over all allowed masks of `keep` weights, or None if no mask is allowed."""
    cells = list(np.ndindex(size.shape))
    totals = []
    for chosen in combinations(cells, keep):
        mask = np.zeros(size.shape, dtype=bool)
        mask[tuple(np.array(chosen, dtype=int).reshape(-1, 2).T)] = True
        if allowed(mask):
            totals.append(int(size[mask].sum()))
    return max(totals, default=None)


TINY = st.tuples(st.integers(1, 4), st.integers(1, 4), st.floats(0, 1), st.integers(0, 2**32 - 1))


@given(TINY, st.integers(1, 4))
@settings(max_examples=25, deadline=None)
def test_bank_and_column_masks_are_the_heaviest_even_ones(tiny: tuple[int, int, float, int], bank: int) -> None:
    rows, columns, density, seed = tiny
    size = np.random.default_rng(seed).integers(0, 5, (rows, columns))
    interleave = Interleave(rows, 1)
    assume(rows * columns <= 12 and columns % -(-columns // bank) == 0)
    for name, mask in (
        ("bank", bank_balanced(size.astype(float), density, interleave, bank)),
        ("column", column_balanced(size.astype(float), density, interleave)),
    ):
        units = units_of(name, range(rows), columns, bank)

        def even(mask: Mask, units: list[Unit] = units) -> bool:
            counts = [sum(bool(mask[cell]) for cell in unit) for unit in units]
            return max(counts) - min(counts) <= 1

        assert int(size[mask].sum()) == best_total(size, even, int(mask.sum()))


@given(TINY, KINDS, st.integers(2, 3))
@settings(max_examples=40, deadline=None)
def test_gap_aware_masks_are_the_heaviest_without_padding(
    tiny: tuple[int, int, float, int], kind: WeightKind, gap_bits: int
) -> None:
    rows, columns, density, seed = tiny
    size = np.random.default_rng(seed).integers(0, 5, (rows, columns))
    interleave = Interleave(rows, 1)
    assume(rows * columns <= 12)
    mask = gap_aware(size.astype(float), density, interleave, kind, gap_bits)

    def unpadded(mask: Mask) -> bool:
        return bool(entries_per_pe(mask, interleave, kind, gap_bits).sum() == mask.sum())

    best = best_total(size, unpadded, int(mask.sum()))
    if best is not None:
        assert unpadded(mask) and int(size[mask].sum()) == best


def test_banks_without_columns_are_refused() -> None:
    with pytest.raises(UnsupportedError, match=r"^banks have 0 columns; at least 1 is needed$"):
        bank_balanced(np.ones((2, 2)), 0.5, Interleave(2, 1), bank=0)


def test_the_command_offers_every_family() -> None:
    for command in (commands.compress, commands.sensitivity):
        (option,) = (option for option in command.params if option.name == "masks")
        assert isinstance(option.type, click.Choice)
        assert list(option.type.choices) == list(MASK_FAMILIES) == list(get_args(MaskFamily))


@pytest.mark.parametrize(
    "function", [pe_balanced, bank_balanced, partial(bank_balanced, bank=3), column_balanced, magnitude, gap_aware]
)
@given(problems())
@settings(max_examples=60, deadline=None)
def test_a_function_is_a_family(function: Callable[..., Mask], problem: Problem) -> None:
    weights, density, interleave = problem
    expected = function(weights, density, interleave)
    assert (mask_for(function, weights, density, interleave, "int4", 4) == expected).all()


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (np.ones((4, 8), dtype=bool), r"gives bool \(4, 8\); expected an array of bool \(8, 4\), the weights' shape"),
        (np.ones((8, 4)), r"gives float64 \(8, 4\); expected an array of bool"),
        ([[True] * 4] * 8, "gives list; expected an array of bool"),
        (np.arange(32).reshape(8, 4) < 9, "keeps 9 of 32 weights at a density of 0.25; 4 to 8 are allowed"),
        (np.arange(32).reshape(8, 4) < 3, "keeps 3 of 32 weights at a density of 0.25; 4 to 8 are allowed"),
    ],
)
def test_a_function_s_mask_is_checked(mask: Mask, message: str) -> None:
    def given_mask(weights: Floats, density: float, interleave: Interleave) -> Mask:
        return mask

    with pytest.raises(FormatError, match=f"mask family 'given_mask' {message}"):
        mask_for(given_mask, np.ones((8, 4)), 0.25, Interleave(8, 2), "int4", 4)


def test_a_function_gets_finite_weights_and_a_density() -> None:
    with pytest.raises(UnsupportedError, match=r"density is 1\.5"):
        mask_for(lambda *_: pytest.fail("called"), np.ones((8, 4)), 1.5, Interleave(8, 2), "int4", 4)
    with pytest.raises(FormatError, match="is not finite"):
        mask_for(lambda *_: pytest.fail("called"), np.full((8, 4), np.nan), 0.5, Interleave(8, 2), "int4", 4)


def test_families_are_recorded_by_name() -> None:
    named = [family_name(family) for family in ("gap-aware", pe_balanced, partial(bank_balanced, bank=3))]
    assert named == ["gap-aware", "pe_balanced", "partial"]
