# SPDX-License-Identifier: Apache-2.0
"""EIE's machine (section IV), cycle by cycle: one broadcast per cycle, one FIFO and one entry per cycle for each PE.

These are its rules; all of them refer to the state at the start of a cycle:

- the scheduler broadcasts the next non-zero activation to all FIFOs, unless one of them is full;
- a PE whose FIFO is not empty executes one entry of its first column; an empty column costs a cycle as well;
- a column leaves its slot at the end of the cycle of its last entry, so that the slot is free one cycle later.

A PE can start on a column in the cycle after its broadcast. Let sent[j] be the cycle of broadcast j, and done[j] the
first cycle in which no PE holds column j any more. Then

    sent[j] = max(sent[j - 1] + 1, done[j - depth])

and each PE goes on at max(end of its last column, sent[j] + 1). This is exact: a PE executes its columns in order, and
a FIFO is full if and only if the column `depth` broadcasts ago has not left it. The tests compare it with a machine
that is clocked cycle by cycle. The pipeline's depth, a few cycles per layer, is not counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ese_host.errors import FormatError, UnsupportedError


@dataclass(frozen=True)
class SkipRun:
    """Cycles of a run.

    Attributes:
        cycles: from the first broadcast to the last entry.
        stalls: cycles in which a broadcast was held up by a full FIFO.
        busy: (pes,) cycles in which each PE executed; in the rest of `cycles` it starved.
    """

    cycles: int
    stalls: int
    busy: npt.NDArray[np.int64]

    @property
    def starved(self) -> float:
        """Share of the PEs' cycles without work, EIE's bubble cycles; figure 8 shows one minus this."""
        return 1.0 - float(self.busy.sum()) / (len(self.busy) * self.cycles) if self.cycles else 0.0


def simulate(work: npt.NDArray[np.integer[Any]], depth: int = 8) -> SkipRun:
    """Run the work of a layer's columns through the PEs' FIFOs.

    Args:
        work: (columns, pes) entries of every broadcast column in every PE, padding counted; 0 takes one cycle like 1.
        depth: columns that a FIFO holds, including the one that is being executed.

    Raises:
        FormatError: if `work` is not a matrix of non-negative numbers with at least one PE.
        UnsupportedError: if the depth is below 1.
    """
    if work.ndim != 2 or not work.shape[1] or (work < 0).any():
        raise FormatError(f"work has shape {work.shape}; expected (columns, pes) non-negative entries, one PE at least")
    if depth < 1:
        raise UnsupportedError(f"FIFO depth is {depth}; at least 1 is needed")
    cycles = np.maximum(work, 1).astype(np.int64)
    finish = np.zeros(work.shape[1], dtype=np.int64)
    done: list[int] = []
    sent = -1
    for column, spent in enumerate(cycles):
        sent += 1
        if column >= depth:
            sent = max(sent, done[column - depth])
        np.maximum(finish, sent + 1, out=finish)
        finish += spent
        done.append(int(finish.max()))
    return SkipRun(done[-1] if done else 0, max(0, sent + 1 - len(cycles)), cycles.sum(axis=0))
