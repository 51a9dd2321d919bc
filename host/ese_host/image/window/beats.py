# SPDX-License-Identifier: Apache-2.0
"""Schedules of the activation window: when it advances, and in which beats the PEs wait."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ese_host.image.design import WINDOW_STEP
from ese_host.image.entry_widths import EntryWidths
from ese_host.image.interleave import Positions
from ese_host.ir import Codes

Bits = npt.NDArray[np.bool_]

NEVER = 1 << 32
"""A column that no window reaches: what a PE needs that has executed its last entry."""


@dataclass(frozen=True, eq=False)
class WindowSchedule:
    """When the window advances in a matrix, and when each PE executes its entries.

    Attributes:
        advances: (beats,) whether the window advances in a beat, before the entries of the beat are executed.
        beats: for each PE (entries,) the beat in which it executes each entry. It waits in the beats between them.
    """

    advances: Bits
    beats: list[Positions]

    @property
    def waits(self) -> Positions:
        """(pes,) beats that each PE waits before its last entry."""
        return np.array([int(beats[-1]) + 1 - len(beats) if len(beats) else 0 for beats in self.beats])


def schedule(entry_columns: Sequence[Positions], columns: int, window: int) -> WindowSchedule:
    """Schedule a matrix in as few beats as the window allows.

    The window advances as soon as no PE needs the columns that would fall out, and a PE executes an entry as soon as
    its column is there. Neither is earlier in any other schedule. The PE that is furthest behind always finds its
    column, so that the schedule ends.

    Args:
        entry_columns: for each PE (entries,) the column of each entry's weight, ascending; -1 for padding.
        columns: columns of the matrix.
        window: columns that a window holds.

    >>> made = schedule([np.array([0, 1]), np.array([2])], 4, 8)
    >>> made.advances.tolist(), [beats.tolist() for beats in made.beats]
    ([True, True], [[0, 1], [1]])
    """
    lengths = [len(pe_columns) for pe_columns in entry_columns]
    table = np.full((len(lengths), max(lengths, default=0) + 1), NEVER, dtype=np.int64)
    for pe, pe_columns in enumerate(entry_columns):
        table[pe, : len(pe_columns)] = pe_columns
    needed = np.minimum.accumulate(np.where(table < 0, NEVER, table)[:, ::-1], axis=1)[:, ::-1].reshape(-1)
    next_entry = np.arange(len(lengths)) * table.shape[1]
    table = table.reshape(-1)
    arrived, advances, executed = 0, [], []
    while (first := needed[next_entry].min(initial=NEVER)) < NEVER:
        advances.append(arrived < columns and first >= arrived + WINDOW_STEP - window)
        arrived += WINDOW_STEP * advances[-1]
        executed.append(table[next_entry] < arrived)
        next_entry += executed[-1]
    executes = np.array(executed, dtype=np.bool_).reshape(len(executed), len(lengths))
    beats = np.nonzero(executes.T)[1]
    return WindowSchedule(np.array(advances, dtype=np.bool_), np.split(beats, np.cumsum(lengths)[:-1]))


def wait(widths: EntryWidths) -> int:
    """Content of the slot in which a PE waits: it passes no position and carries no weight."""
    # A ternary weight is never zero, so that only the gap of all ones, which padding has too, is free for waits.
    return 0 if widths.weight.holds_zero else (2 << widths.gap_bits) - 1


def with_waits(slots: Codes, beats: Positions, widths: EntryWidths) -> Codes:
    """The slots of one PE with its waits.

    Args:
        slots: the bits of its entries.
        beats: the beat in which it executes each of them.
        widths: widths of the entries.
    """
    filled = np.full(int(beats[-1]) + 1 if len(beats) else 0, wait(widths), dtype=np.int64)
    filled[beats] = slots
    return filled
