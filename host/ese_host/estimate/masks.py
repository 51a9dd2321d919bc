# SPDX-License-Identifier: Apache-2.0
"""Entries and padding of each PE for a matrix of a given size: exact for gap-aware masks, modelled for the others.

A gap-aware mask keeps round(density * weights / PEs) weights of each PE, or all of them if the PE has fewer, and needs
no padding. Its entries therefore follow from the sizes. There is one exception: if the virtual rows of a column (those
that fill the stride up to a power of two) exceed the gap field, padding depends on the weights and is modelled.

Modelled masks keep the largest of independent, identically distributed weights. Whatever the distribution, the kept
weights are then a uniformly random subset of each PE (pe-balanced) or of the matrix (magnitude), drawn from a seed.
Trained weights differ from row to row, so that magnitude masks are less balanced than the model says.

With an activation window the waits depend on the positions. They are those of the encoder's schedule for the positions
drawn. For a gap-aware mask these are as many positions as it keeps, drawn at random and without padding; the bounded
gaps of a real one spread its weights a little more evenly.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ese_host.errors import UnsupportedError
from ese_host.image import (
    Interleave,
    MatrixSize,
    Positions,
    entry_columns,
    max_gap,
    padding_passes,
    relative_index,
    window,
)
from ese_host.ir import ESTIMATED, MASK_FAMILIES, Balance, MaskFamily, WeightKind


@dataclass(frozen=True)
class Pruning:
    """How the weights are pruned and stored.

    Attributes:
        density: share of weights kept: one for all matrices, or one each in the order of `LayerSize.matrices`.
        masks: mask family.
        kind: kind of weight codes.
        gap_bits: bits of the relative index.
        seed: seed of modelled masks.
        window: columns of the activation window; 0 for none.
    """

    density: float | tuple[float, ...]
    masks: MaskFamily = "gap-aware"
    kind: WeightKind = "ternary"
    gap_bits: int = 5
    seed: int = 0
    window: int = 0

    def __post_init__(self) -> None:
        for density in self.density if isinstance(self.density, tuple) else (self.density,):
            if not 0 < density <= 1:
                raise UnsupportedError(f"density is {density}; more than 0 and at most 1 is allowed")
        if self.masks not in ESTIMATED:
            raise UnsupportedError(f"masks are {self.masks!r}; allowed: {', '.join(ESTIMATED)}")

    @property
    def balance(self) -> Balance:
        """Balance that the mask family promises."""
        return MASK_FAMILIES[self.masks]

    def of(self, number: int) -> float:
        """Density of one matrix.

        Args:
            number: number of the matrix among those of all layers, from 0.

        Raises:
            UnsupportedError: if several densities are given, but none for this matrix.
        """
        if not isinstance(self.density, tuple):
            return self.density
        if number >= len(self.density):
            raise UnsupportedError(
                f"{len(self.density)} densities are given; matrix {number + 1} has none: give one density for all "
                "matrices, or one for each"
            )
        return self.density[number]


@dataclass(frozen=True, eq=False)
class MatrixEntries:
    """Entries of one matrix in each PE.

    Attributes:
        weights: (pes,) number of kept weights.
        padding: (pes,) number of entries that carry no weight: padding and waits.
        exact: whether both follow from the sizes; otherwise they are modelled.
        reach: largest distance that one gap can bridge, over the mean distance of kept weights.
    """

    weights: npt.NDArray[np.int64]
    padding: npt.NDArray[np.int64]
    exact: bool
    reach: float

    @property
    def entries(self) -> npt.NDArray[np.int64]:
        """(pes,) stored entries; each takes a PE one iteration."""
        return self.weights + self.padding


def least_entries(size: MatrixSize, number: int, pruning: Pruning, pes: int) -> MatrixEntries:
    """Entries without padding: a lower bound for balanced masks; `exact` tells whether it is reached.

    Args:
        size: rows and columns of the matrix.
        number: number of the matrix among those of all layers, from 0.
        pruning: density, mask family and weight codes.
        pes: number of processing elements.

    Raises:
        UnsupportedError: if several densities are given, but none for this matrix.
    """
    interleave = size.interleave(pes)
    keep = round(pruning.of(number) * size.weights / pes)
    kept = np.minimum(keep, _rows(interleave) * size.columns)
    limit = max_gap(pruning.kind, pruning.gap_bits)
    reach = float((limit + 1) * kept.max() / (size.columns << interleave.stride_log2))
    exact = pruning.balance.no_padding and not _needs_padding(interleave, kept, limit)
    return MatrixEntries(kept, np.zeros(pes, dtype=np.int64), exact, reach)


@functools.lru_cache(maxsize=256)
def entries_of(size: MatrixSize, number: int, pruning: Pruning, pes: int) -> MatrixEntries:
    """Entries of a matrix, padding included.

    Args:
        size: rows and columns of the matrix.
        number: number of the matrix among those of all layers, from 0; it varies the seed of a modelled mask.
        pruning: density, mask family and weight codes.
        pes: number of processing elements.

    Raises:
        UnsupportedError: if several densities are given, but none for this matrix.
    """
    least = least_entries(size, number, pruning, pes)
    if least.exact and not pruning.window:
        return least
    drawn = size, number, pruning.of(number), pruning.balance.whole, pruning.seed, pes
    positions = _random_positions(*drawn)
    weights = np.array([len(p) for p in positions], dtype=np.int64)
    padding = least.padding if least.exact else np.array([_padding(p, pruning) for p in positions], dtype=np.int64)
    if pruning.window:
        padding = padding + (_waits(*drawn, pruning.window) if least.exact else _padded_waits(*drawn, pruning))
    return MatrixEntries(weights, padding, False, least.reach)


@functools.lru_cache(maxsize=16)
def _waits(size: MatrixSize, number: int, density: float, whole: bool, seed: int, pes: int, columns: int) -> Positions:
    """(pes,) number of waits in a window of so many columns between positions that are drawn as `_random_positions`."""
    interleave = size.interleave(pes)
    positions = _random_positions(size, number, density, whole, seed, pes)
    entries = [entry_columns(of_pe, np.arange(len(of_pe)), len(of_pe), interleave) for of_pe in positions]
    return window.schedule(entries, size.columns, columns).waits


def _padded_waits(
    size: MatrixSize, number: int, density: float, whole: bool, seed: int, pes: int, pruning: Pruning
) -> Positions:
    """(pes,) number of waits as in `_waits`, where there is padding between the positions."""
    interleave = size.interleave(pes)
    entries = []
    for of_pe in _random_positions(size, number, density, whole, seed, pes):
        gaps, weights = relative_index(of_pe, pruning.kind, pruning.gap_bits)
        entries.append(entry_columns(of_pe, weights, len(gaps), interleave))
    return window.schedule(entries, size.columns, pruning.window).waits


def _padding(positions: Positions, pruning: Pruning) -> int:
    """Number of padding entries that `relative_index` inserts in one PE."""
    limit = max_gap(pruning.kind, pruning.gap_bits)
    skipped = np.diff(positions, prepend=-1) - 1
    long = skipped[skipped > limit] - limit
    return int((-(-long // padding_passes(pruning.kind, pruning.gap_bits))).sum())


@functools.lru_cache(maxsize=16)
def _random_positions(
    size: MatrixSize, number: int, density: float, whole: bool, seed: int, pes: int
) -> tuple[Positions, ...]:
    """Ascending positions that a random mask keeps in each PE, drawn from the `whole` matrix or from each PE."""
    interleave = size.interleave(pes)
    if whole:
        return tuple(_split_by_pe(interleave, _random_weights(size, number, density, seed), size.columns))
    rng = np.random.default_rng([seed, number])
    keep = round(density * size.weights / pes)
    weights = [int(count) for count in _rows(interleave) * size.columns]
    return tuple(_draw_from_pe(interleave, pe, min(keep, weights[pe]), weights[pe], rng) for pe in range(pes))


@functools.lru_cache(maxsize=16)
def _random_weights(size: MatrixSize, number: int, density: float, seed: int) -> Positions:
    """Row-major indices of a random share `density` of a matrix's weights."""
    rng = np.random.default_rng([seed, number])
    count = round(density * size.weights)
    chosen: Positions = rng.choice(size.weights, count, replace=False, shuffle=False)
    return chosen


def _rows(interleave: Interleave) -> npt.NDArray[np.int64]:
    """(pes,) number of the matrix's rows in each PE."""
    least, rest = divmod(interleave.items, interleave.pes)
    items = least + (np.arange(interleave.pes) < rest).astype(np.int64)
    rows: npt.NDArray[np.int64] = items * len(interleave.places)
    return rows


def _needs_padding(interleave: Interleave, kept: npt.NDArray[np.int64], limit: int) -> bool:
    """Whether positions without a row exceed the gap `limit` in a PE that keeps more weights than one column has."""
    rows = _rows(interleave)
    return bool(((interleave.longest_gaps() > limit) & (kept > rows) & (rows > 0)).any())


def _draw_from_pe(interleave: Interleave, pe: int, keep: int, weights: int, rng: np.random.Generator) -> Positions:
    """Ascending positions of `keep` of one PE's `weights`, drawn at random."""
    if not keep:
        return np.zeros(0, dtype=np.int64)
    local = interleave.local_rows(pe)
    chosen: Positions = np.sort(rng.choice(weights, keep, replace=False, shuffle=False))
    column, row = np.divmod(chosen, len(local))
    positions: Positions = (column << interleave.stride_log2) + local[row]
    return positions


def _split_by_pe(interleave: Interleave, chosen: Positions, columns: int) -> list[Positions]:
    """Ascending positions in each PE of weights that are given by their row-major indices in the matrix."""
    owner, local = interleave.owners()
    row, column = np.divmod(chosen, columns)
    position = (column << interleave.stride_log2) + local[row]
    span = columns << interleave.stride_log2
    key = np.sort(owner[row] * span + position)
    counts = np.bincount(owner[row].astype(np.intp), minlength=interleave.pes)
    return np.split(key % span, np.cumsum(counts)[:-1])
