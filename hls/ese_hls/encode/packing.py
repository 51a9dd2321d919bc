# SPDX-License-Identifier: Apache-2.0
"""Packs the gaps and codes of a matrix into the words of entry memory (docs/reference/image-format.md, "Entries")."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ese_host.image import EntryWidths, Interleave, Mode, entries, window
from ese_host.ir import Codes, Matrix


@dataclass(frozen=True, eq=False)
class EncodedMatrix:
    """The entries of one matrix.

    Attributes:
        slots: for each PE the bits of its entries, one integer per entry.
        rows: rows of each PE if the matrix is stored full, otherwise 0.
        starts: for each PE (columns + 1,) the number of the entry with which each column begins, and the number of
            entries; empty in stream mode.
        cycles: iterations of the fullest PE.
        advances: (cycles,) whether the activation window advances; empty without a window.
    """

    slots: list[Codes]
    rows: int
    starts: list[Codes]
    cycles: int
    advances: window.Bits

    @property
    def counts(self) -> Codes:
        """(pes,) number of entries of each PE."""
        return np.array([len(slots) for slots in self.slots])

    def words(self, widths: EntryWidths) -> Codes:
        """(pes, words) words of entry memory, filled up behind each PE's own last entry."""
        full = self.rows > 0
        per_word, width = widths.per_word(full), widths.slot_width(full)
        words = -(-int(self.counts.max(initial=0)) // per_word)
        # In skip mode the pointers say what is executed, and zeros follow it.
        tail = 0 if self.starts else widths.tail(full)
        padded = np.full((len(self.slots), words * per_word), tail, dtype=np.int64)
        for pe, slots in enumerate(self.slots):
            padded[pe, : len(slots)] = slots
        packed: Codes = (padded.reshape(len(self.slots), words, per_word) << np.arange(per_word) * width).sum(axis=2)
        return packed


def pack_sparse(
    matrix: Matrix, interleave: Interleave, widths: EntryWidths, mode: Mode, columns_held: int = 0
) -> EncodedMatrix:
    """Pack a matrix without its zeros: gap and code of each weight, and padding if a gap is too long.

    With an activation window, a PE also has an entry for each beat in which it waits for a column.

    Args:
        matrix: the weights.
        interleave: the rows of each PE.
        widths: widths of gap and code.
        mode: "stream" or "skip".
        columns_held: columns of the activation window; 0 for none.
    """
    slots: list[Codes] = []
    starts: list[Codes] = []
    cycles = 0
    per_pe = entries(matrix.codes, interleave, matrix.kind, widths.gap_bits, by_column=mode == "skip")
    for pe_entries in per_pe:
        if pe_entries.starts is None:
            cycles = max(cycles, len(pe_entries.gaps))
        else:
            starts.append(pe_entries.starts)
            cycles = max(cycles, int(np.maximum(1, np.diff(pe_entries.starts)).sum()))
        slots.append(pe_entries.gaps | widths.stored(pe_entries.values) << widths.gap_bits)
    advances = np.zeros(0, dtype=np.bool_)
    if columns_held:
        made = window.schedule([pe_entries.columns for pe_entries in per_pe], matrix.codes.shape[1], columns_held)
        slots = [window.with_waits(*of_pe, widths) for of_pe in zip(slots, made.beats, strict=True)]
        advances, cycles = made.advances, len(made.advances)
    return EncodedMatrix(slots, 0, starts, cycles, advances)


def pack_full(
    matrix: Matrix, interleave: Interleave, widths: EntryWidths, mode: Mode, columns_held: int = 0
) -> EncodedMatrix:
    """Pack every weight of a matrix, column by column.

    Every PE stores as many rows as the PE with the most rows has; rows that do not exist are zeros.

    Args:
        matrix: the weights.
        interleave: the rows of each PE.
        widths: width of a code.
        mode: "stream" or "skip".
        columns_held: columns of the activation window; 0 for none.
    """
    rows, columns = interleave.rows_per_pe, matrix.codes.shape[1]
    owner, local_row = interleave.owners()
    codes = np.zeros((interleave.pes, columns, rows), dtype=np.int64)
    codes[owner, :, local_row] = matrix.codes & ((1 << widths.slot_width(True)) - 1)
    slots = list(codes.reshape(interleave.pes, -1))
    starts = [np.arange(columns + 1) * rows] * interleave.pes if mode == "skip" else []
    advances = np.zeros(0, dtype=np.bool_)
    if columns_held:
        # All PEs execute column by column, in step, so that one PE's schedule is that of all.
        advances = window.schedule([np.repeat(np.arange(columns), rows)], columns, columns_held).advances
    return EncodedMatrix(slots, rows, starts, rows * columns, advances)
