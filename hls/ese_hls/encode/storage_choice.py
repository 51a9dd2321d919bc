# SPDX-License-Identifier: Apache-2.0
"""Decides, with a reason, whether a matrix is stored sparse (entries with gaps) or full (a code for every weight)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any, Literal

from ese_hls.encode.packing import EncodedMatrix, pack_full, pack_sparse
from ese_host.estimate import ramb18
from ese_host.image import MAX_ENTRIES, EntryWidths, Interleave, Mode
from ese_host.ir import PARTS, Matrix

Storage = Literal["auto", "sparse", "full"]

MARGIN = Fraction(1, 16)
"""Largest share of its cycles that a matrix may take longer if that saves entry memory."""


@dataclass(frozen=True)
class StorageCost:
    """Cost of storing one matrix one way.

    Attributes:
        cycles: iterations of the fullest PE. In skip mode they are those of a vector in which every column counts.
        bits: bits of entry memory over all PEs.
    """

    cycles: int
    bits: int


@dataclass(frozen=True)
class StorageChoice:
    """How one matrix is stored, and why.

    Attributes:
        layer: name of the layer.
        part: name of the matrix within the layer (`ese_host.ir.network.PARTS`).
        stored: the way that was chosen.
        sparse: cost of storing the matrix sparse.
        full: cost of storing the matrix full.
        why: the reason for the choice.
    """

    layer: str
    part: str
    stored: Literal["sparse", "full"]
    sparse: StorageCost
    full: StorageCost
    why: str

    @property
    def cost(self) -> StorageCost:
        """Cost of the way that was chosen."""
        return self.full if self.stored == "full" else self.sparse

    def to_json(self) -> dict[str, Any]:
        """The choice as a dictionary of plain values."""
        return asdict(self)

    def __str__(self) -> str:
        other = "sparse" if self.stored == "full" else "full"
        rejected = self.sparse if self.stored == "full" else self.full
        return (
            f"{self.layer}/{self.part} stored {self.stored}: {self.why} ({self.cost.cycles:,} cycles, "
            f"{self.cost.bits:,} bits; {other} {rejected.cycles:,} cycles, {rejected.bits:,} bits)"
        )


def encode_matrix(
    matrix: Matrix,
    interleave: Interleave,
    widths: EntryWidths,
    mode: Mode,
    storage: Storage,
    layer_and_part: tuple[str, int],
    columns_held: int = 0,
) -> tuple[EncodedMatrix, StorageChoice]:
    """Store a matrix in the cheaper way, or as `storage` says.

    Args:
        matrix: the weights.
        interleave: the rows of each PE.
        widths: widths of gap and code, and whether there are full phases.
        mode: "stream" or "skip".
        storage: "auto", "sparse" or "full".
        layer_and_part: name of the layer, and index of the matrix in `ese_host.ir.network.PARTS`.
        columns_held: columns of the activation window; 0 for none.

    Returns:
        The entries of the matrix, and the choice with its reason.
    """
    encoded = pack_sparse(matrix, interleave, widths, mode, columns_held)
    size = interleave.rows_per_pe * matrix.codes.shape[1]
    costs = {
        name: StorageCost(cycles, -(-entries // widths.per_word(name == "full")) * widths.word_bits * interleave.pes)
        for name, cycles, entries in (
            ("sparse", encoded.cycles, int(encoded.counts.max(initial=0))),
            ("full", size, size),
        )
    }
    is_full, why = is_full_cheaper(costs["sparse"], costs["full"], storage, widths.full_phases)
    layer, part = layer_and_part
    choice = StorageChoice(layer, PARTS[part], "full" if is_full else "sparse", costs["sparse"], costs["full"], why)
    return pack_full(matrix, interleave, widths, mode, columns_held) if is_full else encoded, choice


def is_full_cheaper(
    sparse: StorageCost, full: StorageCost, storage: Storage, available: bool = True
) -> tuple[bool, str]:
    """Decide whether a matrix is stored full: by the cycles first, then by the memory.

    A zero costs a cycle in a full matrix and none in a sparse one, where padding costs cycles instead. A matrix is
    stored in the way that takes fewer cycles, but full if that takes at most `MARGIN` more cycles and less memory. The
    reason for the margin: entry memory is what limits the number of PEs most (estimate.md), and the memory saved
    allows more PEs than the lost cycles are worth. With 5 gap bits and as many entries, full storage takes half of the
    memory or less, except for 12-bit codes, for which it takes as much.

    Args:
        sparse: cost of storing the matrix sparse.
        full: cost of storing the matrix full.
        storage: "auto" to decide by the costs, "sparse" or "full" to have it that way.
        available: whether the design has full phases.

    Returns:
        Whether the matrix is stored full, and the reason.
    """
    if not available and storage == "auto":
        cheaper, why = is_full_cheaper(sparse, full, storage)
        return False, "the design has no full phases; it gets them if they save cycles or block RAM" if cheaper else why
    if storage != "auto":
        return storage == "full", "as the option Storage says"
    if full.cycles > MAX_ENTRIES:
        return False, f"full, it would have {full.cycles:,} entries per PE; at most {MAX_ENTRIES:,} are allowed"
    if full.cycles < sparse.cycles:
        return True, "fewer cycles"
    if full.cycles > sparse.cycles * (1 + MARGIN):
        return False, "fewer cycles"
    if full.bits < sparse.bits:
        return True, f"less memory for at most {MARGIN} more cycles" if full.cycles > sparse.cycles else "less memory"
    return False, "as cheap as stored full"


def full_phases_worthwhile(images: Sequence[Sequence[StorageChoice]], widths: EntryWidths, pes: int) -> bool:
    """Whether a design for some images should have full phases.

    Full phases need logic in every PE, so they must save cycles of an image, or block RAM. One image is loaded at a
    time, so the block RAM is that of the largest image.

    Args:
        images: for each image the choices of its matrices.
        widths: widths of entries and codes.
        pes: number of PEs.
    """

    def words(costs: Sequence[StorageCost]) -> int:
        return sum(cost.bits for cost in costs) // (widths.word_bits * pes)

    chosen = [[choice.cost for choice in choices] for choices in images]
    all_sparse = [[choice.sparse for choice in choices] for choices in images]
    saves_cycles = any(
        sum(cost.cycles for cost in chosen_costs) < sum(cost.cycles for cost in sparse_costs)
        for chosen_costs, sparse_costs in zip(chosen, all_sparse, strict=True)
    )
    chosen_rams, sparse_rams = (ramb18(max(1, *map(words, costs)), widths.word_bits) for costs in (chosen, all_sparse))
    return saves_cycles or chosen_rams < sparse_rams
