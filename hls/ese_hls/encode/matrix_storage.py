"""How a matrix is stored: sparse, as entries with gaps, or full, every weight as a code without one; and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any, Literal

import numpy as np

from ese_host.estimate import ramb18
from ese_host.image import MAX_ENTRIES, Interleave, Mode, Packing, entries
from ese_host.ir import PARTS, Codes, Matrix

Storage = Literal["auto", "sparse", "full"]

MARGIN = Fraction(1, 16)
"""Share of a matrix's cycles that may be given for half of its memory or less."""


@dataclass(frozen=True)
class StorageCost:
    """Of one matrix: iterations of the fullest PE, and bits of entry memory of all PEs.

    In skip mode the iterations are those of a vector in which every column counts.
    """

    cycles: int
    bits: int


@dataclass(frozen=True)
class StorageChoice:
    """How one matrix is stored, what each way would cost, and why."""

    layer: str
    part: str
    stored: Literal["sparse", "full"]
    sparse: StorageCost
    full: StorageCost
    why: str

    @property
    def cost(self) -> StorageCost:
        """Of the way chosen."""
        return self.full if self.stored == "full" else self.sparse

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    def __str__(self) -> str:
        other = "sparse" if self.stored == "full" else "full"
        rejected = self.sparse if self.stored == "full" else self.full
        return (
            f"{self.layer}/{self.part} stored {self.stored}: {self.why} ({self.cost.cycles:,} cycles, "
            f"{self.cost.bits:,} bits; {other} {rejected.cycles:,} cycles, {rejected.bits:,} bits)"
        )


@dataclass(frozen=True, eq=False)
class EncodedMatrix:
    """Entries of one matrix.

    Attributes:
        slots: of each PE, its entries as they are packed. rows: rows of each PE of a full matrix, else 0.
        starts: of each PE, (columns + 1,) entries with which its columns begin and the last ends; skip mode alone.
        cycles: iterations of the fullest PE.
    """

    slots: list[Codes]
    rows: int
    starts: list[Codes]
    cycles: int

    @property
    def counts(self) -> Codes:
        """(pes,) entries of each PE."""
        return np.array([len(slots) for slots in self.slots])

    def words(self, packing: Packing) -> Codes:
        """(pes, words) words of entry memory."""
        full = self.rows > 0
        per_word, width = packing.per_word(full), packing.slot_width(full)
        words = -(-int(self.counts.max(initial=0)) // per_word)
        places = np.zeros((len(self.slots), words * per_word), dtype=np.int64)
        for pe, slots in enumerate(self.slots):
            places[pe, : len(slots)] = slots
        packed: Codes = (places.reshape(len(self.slots), words, per_word) << np.arange(per_word) * width).sum(axis=2)
        return packed


def sparse(matrix: Matrix, interleave: Interleave, packing: Packing, mode: Mode) -> EncodedMatrix:
    """A matrix without its zeros: gap and code of each weight, and padding."""
    slots: list[Codes] = []
    columns: list[Codes] = []
    cycles = 0
    for own in entries(matrix.codes, interleave, matrix.kind, packing.gap_bits, by_column=mode == "skip"):
        if own.starts is None:
            cycles = max(cycles, len(own.gaps))
        else:
            columns.append(own.starts)
            cycles = max(cycles, int(np.maximum(1, np.diff(own.starts)).sum()))
        slots.append(own.gaps | packing.stored(own.values) << packing.gap_bits)
    return EncodedMatrix(slots, 0, columns, cycles)


def full(matrix: Matrix, interleave: Interleave, packing: Packing, mode: Mode) -> EncodedMatrix:
    """A matrix column by column, each PE with as many rows as the fullest has: zeros where it has fewer."""
    rows, columns = interleave.rows_per_pe, matrix.codes.shape[1]
    owner, local = interleave.owners()
    codes = np.zeros((interleave.pes, columns, rows), dtype=np.int64)
    codes[owner, :, local] = matrix.codes & ((1 << packing.slot_width(True)) - 1)
    slots = list(codes.reshape(interleave.pes, -1))
    starts = [np.arange(columns + 1) * rows] * interleave.pes if mode == "skip" else []
    return EncodedMatrix(slots, rows, starts, rows * columns)


def encode_matrix(
    matrix: Matrix, interleave: Interleave, packing: Packing, mode: Mode, storage: Storage, where: tuple[str, int]
) -> tuple[EncodedMatrix, StorageChoice]:
    """A matrix's entries, stored the cheaper way or as `storage` says, and the choice with its reason.

    `where`: name of its layer, and its part (`ese_host.ir.network.PARTS`).
    """
    thin = sparse(matrix, interleave, packing, mode)
    size = interleave.rows_per_pe * matrix.codes.shape[1]
    costs = {
        name: StorageCost(cycles, -(-entries // packing.per_word(name == "full")) * packing.word_bits * interleave.pes)
        for name, cycles, entries in (
            ("sparse", thin.cycles, int(thin.counts.max(initial=0))),
            ("full", size, size),
        )
    }
    is_full, why = is_full_cheaper(costs["sparse"], costs["full"], storage, packing.full_phases)
    choice = StorageChoice(
        where[0], PARTS[where[1]], "full" if is_full else "sparse", costs["sparse"], costs["full"], why
    )
    return full(matrix, interleave, packing, mode) if is_full else thin, choice


def is_full_cheaper(
    sparse: StorageCost, full: StorageCost, storage: Storage, available: bool = True
) -> tuple[bool, str]:
    """Whether a matrix is stored full, and why: cycles first, then memory.

    A zero costs a full matrix a cycle and a sparse one none, so fewer cycles decide for sparse, but for `MARGIN`: with
    5 gap bits full storage takes half of the memory or less (as much for 12-bit codes, which so stay sparse), and entry
    memory is the largest of the memories that bound the PEs (docs/estimate.md): what is freed holds more PEs than the
    cycles given away are worth. `available`: whether the design has full phases at all.
    """
    if not available and storage == "auto":
        wanted, why = is_full_cheaper(sparse, full, storage)
        return False, "the design has no full phases; they pay where they save cycles or block RAM" if wanted else why
    if storage != "auto":
        return storage == "full", "as the option Storage says"
    if full.cycles > MAX_ENTRIES:
        return False, f"{MAX_ENTRIES:,} entries are counted"
    if full.cycles < sparse.cycles:
        return True, "fewer cycles"
    if full.cycles > sparse.cycles * (1 + MARGIN):
        return False, "fewer cycles"
    if full.bits < sparse.bits:
        return True, f"less memory for at most {MARGIN} more cycles" if full.cycles > sparse.cycles else "less memory"
    return False, "no more memory"


def full_phases_worthwhile(images: Sequence[Sequence[StorageChoice]], packing: Packing, pes: int) -> bool:
    """Whether a design for these images should have full phases: their logic in every PE must save cycles or block RAM.

    The images are loaded one at a time, so that the largest counts.
    """

    def words(ways: Sequence[StorageCost]) -> int:
        return sum(way.bits for way in ways) // (packing.word_bits * pes)

    chosen = [[choice.cost for choice in choices] for choices in images]
    thin = [[choice.sparse for choice in choices] for choices in images]
    saves = any(
        sum(cost.cycles for cost in ways) < sum(cost.cycles for cost in others)
        for ways, others in zip(chosen, thin, strict=True)
    )
    needs = [ramb18(max(1, *map(words, ways)), packing.word_bits) for ways in (chosen, thin)]
    return saves or needs[0] < needs[1]
