# SPDX-License-Identifier: Apache-2.0
"""A layer on EIE's machine, with PEs, FIFOs, and batches of vectors that exceed the activation registers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from benchmarks.machines.columns import column_entries
from benchmarks.machines.layers import EIE_DEPTH, EIE_PES, DrawnLayer
from benchmarks.machines.skip import simulate
from ese_host.image import Interleave


@dataclass(frozen=True)
class Machine:
    """A skip-mode machine.

    Attributes:
        pes: processing elements.
        depth: columns that a FIFO holds.
        index_bits: bits of the relative index.
        registers: activations that a PE's source and destination register files hold (EIE: 64, so 4096 at 64 PEs); 0
            for as many as the layer has. A longer vector takes several batches. A batch ends when every FIFO is empty;
            it reads its inputs from the activation SRAM first and writes its outputs there at the end (EIE section IV,
            recalled; that a PE's port moves one 16-bit activation per cycle is our assumption).
    """

    pes: int = EIE_PES
    depth: int = EIE_DEPTH
    index_bits: int = 4
    registers: int = 0


@dataclass(frozen=True)
class LayerRun:
    """Cycles of one layer on one machine.

    Attributes:
        cycles: all cycles.
        transfer: the cycles of these in which activations are moved between batches.
        stalls: the cycles of these in which a full FIFO holds up a broadcast.
        ideal: EIE's theoretical cycles (`ColumnEntries.ideal_cycles`).
        weights: entries of non-zero weights executed by all PEs together.
        padding: padding entries executed by all PEs together.
        floor: cycles of the average PE if no FIFO ever ran empty: its entries, but at least one for each column.
        pes: processing elements.
    """

    cycles: int
    transfer: int
    stalls: int
    ideal: float
    weights: int
    padding: int
    floor: float
    pes: int

    @property
    def utilisation(self) -> float:
        """Utilisation by EIE's definition: theoretical over actual time."""
        return self.ideal / self.cycles

    @property
    def work_utilisation(self) -> float:
        """Share of the PEs' cycles in which they executed a stored entry, padding counted."""
        return (self.weights + self.padding) / (self.pes * self.cycles)

    @property
    def weight_utilisation(self) -> float:
        """Share of the PEs' cycles in which they executed a non-zero weight."""
        return self.weights / (self.pes * self.cycles)

    @property
    def padding_share(self) -> float:
        """Share of padding among the stored entries."""
        return self.padding / max(1, self.weights + self.padding)

    @property
    def floor_utilisation(self) -> float:
        """Share of the PEs' cycles in which they executed an entry or passed an empty column (EIE figure 8)."""
        return self.floor / self.cycles


def run_layer(layer: DrawnLayer, machine: Machine) -> LayerRun:
    """Simulate one layer on a machine, batch by batch."""
    cycles = transfer = stalls = weights = padding = 0
    ideal = floor = 0.0
    batches = list(_batches(layer, machine))
    for inputs, mask in batches:
        stored = column_entries(mask, Interleave(len(mask), machine.pes), machine.index_bits)
        run = simulate(stored.entries, machine.depth)
        moved = -(-inputs // machine.pes) + -(-len(mask) // machine.pes) if len(batches) > 1 else 0
        cycles += run.cycles + moved
        transfer += moved
        stalls += run.stalls
        weights += int(stored.weights.sum())
        padding += int(stored.padding.sum())
        ideal += stored.ideal_cycles
        floor += float(run.busy.mean())
    return LayerRun(cycles, transfer, stalls, ideal, weights, padding, floor, machine.pes)


def _batches(layer: DrawnLayer, machine: Machine) -> Iterator[tuple[int, npt.NDArray[np.bool_]]]:
    """(inputs, mask) of each batch."""
    limit = machine.registers * machine.pes or max(layer.inputs, len(layer.mask))
    for first_row in range(0, len(layer.mask), limit):
        rows = layer.mask[first_row : first_row + limit]
        for first in range(0, layer.inputs, limit):
            inputs = min(limit, layer.inputs - first)
            low, high = np.searchsorted(layer.active, (first, first + inputs))
            yield inputs, rows[:, low:high]
