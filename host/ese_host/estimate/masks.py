"""Entries and padding of each PE for a matrix by its size: exact for gap-aware masks, modelled for the others.

A gap-aware mask keeps min(k, its weights) of each PE, k = round(density * weights / PEs), and needs no padding; so its
entries are known without one weight. The exception is a stride whose virtual rows alone exceed the gap field: padding
then depends on the weights and is modelled.

Modelled masks keep the largest of independent, identically distributed weights, whatever their distribution: the kept
ones then are a uniformly random subset, of each PE (pe-balanced) or of the matrix (magnitude), drawn from a seed.
Trained weights are no such thing: their rows differ, so that magnitude masks are less balanced than this says.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ese_host.errors import UnsupportedError
from ese_host.image import Interleave, MatrixSize, Positions, max_gap, padding_passes
from ese_host.ir import ESTIMATED, MASK_FAMILIES, Balance, MaskFamily, WeightKind


@dataclass(frozen=True)
class Pruning:
    """How the weights are thinned and stored.

    Attributes:
        density: kept share, of all matrices or of each in the order of `LayerSize.matrices`.
        masks: family. kind: weight codes. gap_bits: width of the relative index. seed: of modelled masks.
    """

    density: float | tuple[float, ...]
    masks: MaskFamily = "gap-aware"
    kind: WeightKind = "ternary"
    gap_bits: int = 5
    seed: int = 0

    def __post_init__(self) -> None:
        for density in self.density if isinstance(self.density, tuple) else (self.density,):
            if not 0 < density <= 1:
                raise UnsupportedError(f"density is {density}; more than 0 and at most 1 is allowed")
        if self.masks not in ESTIMATED:
            raise UnsupportedError(f"masks are {self.masks!r}; allowed: {', '.join(ESTIMATED)}")

    @property
    def balance(self) -> Balance:
        """What its masks promise."""
        return MASK_FAMILIES[self.masks]

    def of(self, number: int) -> float:
        """Density of the matrix of that number."""
        if not isinstance(self.density, tuple):
            return self.density
        if number >= len(self.density):
            raise UnsupportedError(
                f"{len(self.density)} densities are given; matrix {number + 1} has none: give one, or one each"
            )
        return self.density[number]


@dataclass(frozen=True, eq=False)
class MatrixEntries:
    """Entries of one matrix.

    Attributes:
        weights: (pes,) weights kept. padding: (pes,) entries that carry none.
        exact: whether both follow from the sizes; else they are modelled.
        reach: largest distance that the gap field passes, over the mean distance of kept weights.
    """

    weights: npt.NDArray[np.int64]
    padding: npt.NDArray[np.int64]
    exact: bool
    reach: float

    @property
    def entries(self) -> npt.NDArray[np.int64]:
        """(pes,) stored entries: cycles of each PE."""
        return self.weights + self.padding


def least_work(size: MatrixSize, number: int, pruning: Pruning, pes: int) -> MatrixEntries:
    """Entries without any padding: a bound for every family, exact for gap-aware masks but for virtual rows."""
    interleave = size.interleave(pes)
    keep = round(pruning.of(number) * size.weights / pes)
    kept = np.minimum(keep, _rows(interleave) * size.columns)
    limit = max_gap(pruning.kind, pruning.gap_bits)
    reach = float((limit + 1) * kept.max() / (size.columns << interleave.stride_log2))
    exact = pruning.balance.no_padding and not _needs_padding(interleave, kept, limit)
    return MatrixEntries(kept, np.zeros(pes, dtype=np.int64), exact, reach)


@functools.lru_cache(maxsize=256)
def work_of(size: MatrixSize, number: int, pruning: Pruning, pes: int) -> MatrixEntries:
    """Entries of a matrix, `number` being its place in the network."""
    least = least_work(size, number, pruning, pes)
    if least.exact:
        return least
    positions = _modelled(size, number, pruning.of(number), pruning.balance.whole, pruning.seed, pes)
    weights = np.array([len(p) for p in positions], dtype=np.int64)
    padding = np.array([_padding(p, pruning) for p in positions], dtype=np.int64)
    return MatrixEntries(weights, padding, False, least.reach)


def _padding(positions: Positions, pruning: Pruning) -> int:
    """Padding entries of one PE: what `relative_index` inserts."""
    limit = max_gap(pruning.kind, pruning.gap_bits)
    skipped = np.diff(positions, prepend=-1) - 1
    long = skipped[skipped > limit] - limit
    return int((-(-long // padding_passes(pruning.kind, pruning.gap_bits))).sum())


@functools.lru_cache(maxsize=16)
def _modelled(size: MatrixSize, number: int, density: float, whole: bool, seed: int, pes: int) -> tuple[Positions, ...]:
    """Ascending positions of a random mask, PE by PE: so many of the `whole` matrix, or of each PE."""
    interleave = size.interleave(pes)
    if whole:
        return tuple(_of_matrix(interleave, _chosen(size, number, density, seed), size.columns))
    rng = np.random.default_rng([seed, number])
    keep = round(density * size.weights / pes)
    own = _rows(interleave) * size.columns
    return tuple(_of_pe(interleave, pe, min(keep, int(own[pe])), int(own[pe]), rng) for pe in range(pes))


@functools.lru_cache(maxsize=16)
def _chosen(size: MatrixSize, number: int, density: float, seed: int) -> Positions:
    """So many of a matrix's weights, row by row, at random."""
    rng = np.random.default_rng([seed, number])
    count = round(density * size.weights)
    chosen: Positions = rng.choice(size.weights, count, replace=False, shuffle=False)
    return chosen


def _rows(interleave: Interleave) -> npt.NDArray[np.int64]:
    """(pes,) rows of each PE."""
    whole, rest = divmod(interleave.items, interleave.pes)
    rows: npt.NDArray[np.int64] = (whole + (np.arange(interleave.pes) < rest)).astype(np.int64) * interleave.group
    return rows


def _needs_padding(interleave: Interleave, kept: npt.NDArray[np.int64], limit: int) -> bool:
    """Whether the virtual rows between columns exceed the gap field in a PE that keeps more than a column."""
    rows = _rows(interleave)
    virtual = (1 << interleave.stride_log2) - rows
    return bool(((virtual > limit) & (kept > rows) & (rows > 0)).any())


def _of_pe(interleave: Interleave, pe: int, keep: int, own: int, rng: np.random.Generator) -> Positions:
    """Ascending positions of `keep` of one PE's weights, chosen at random."""
    rows = int(_rows(interleave)[pe])
    if not keep:
        return np.zeros(0, dtype=np.int64)
    chosen: Positions = np.sort(rng.choice(own, keep, replace=False, shuffle=False))
    column, row = np.divmod(chosen, rows)
    positions: Positions = (column << interleave.stride_log2) + row
    return positions


def _of_matrix(interleave: Interleave, chosen: Positions, columns: int) -> list[Positions]:
    """Ascending positions, PE by PE, of weights chosen among all of a matrix."""
    owner, local = interleave.owners()
    row, column = np.divmod(chosen, columns)
    position = (column << interleave.stride_log2) + local[row]
    span = columns << interleave.stride_log2
    key = np.sort(owner[row] * span + position)
    counts = np.bincount(owner[row].astype(np.intp), minlength=interleave.pes)
    return np.split(key % span, np.cumsum(counts)[:-1])
