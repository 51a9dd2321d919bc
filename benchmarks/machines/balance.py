# SPDX-License-Identifier: Apache-2.0
"""ESE's load balance (FPGA'17, load-balance-aware pruning): speedup over dense of balanced and of unbalanced masks.

The machine is ESE's channel: 32 PEs, and every activation is broadcast to FIFOs (none is skipped). A step has nine
sparse products, one after the other: the four gates' products with x, their four products with y, and the projection.
Dense means the same PEs on all weights, with one weight per cycle. Only the products are modelled; element-wise work,
pipeline fills and DDR are not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.machines.columns import column_entries
from benchmarks.machines.layers import EIE_DEPTH
from benchmarks.machines.skip import simulate
from ese_host.image import Interleave
from ese_models.pruning import magnitude, pe_balanced

Floats = npt.NDArray[np.floating[Any]]
ESE_PES = 32
ESE_SHAPES: dict[str, tuple[int, int]] = {
    **{f"W{gate}x": (1024, 153) for gate in "ifco"},
    **{f"W{gate}r": (1024, 512) for gate in "ifco"},
    "Wym": (512, 1024),
}
"""(outputs, inputs) of the Google LSTM's nine matrices: 3,248,128 weights."""


@dataclass(frozen=True)
class BalanceRun:
    """Cycles of one step of ESE's layer.

    Attributes:
        dense_cycles: cycles of a dense step, all weights spread evenly over the PEs.
        stream_cycles: cycles with unlimited FIFOs: the entries of the fullest PE, summed over the products.
        fifo_cycles: cycles with FIFOs of the machine's depth.
        density: non-zero weights over all weights.
        entry_density: stored entries, padding counted, over all weights.
    """

    dense_cycles: float
    stream_cycles: int
    fifo_cycles: int
    density: float
    entry_density: float

    @property
    def stream_speedup(self) -> float:
        """Speedup over dense with unlimited FIFOs, which depends only on the balance."""
        return self.dense_cycles / self.stream_cycles

    @property
    def fifo_speedup(self) -> float:
        """Speedup over dense with FIFOs of the machine's depth."""
        return self.dense_cycles / self.fifo_cycles


def draw_lstm(seed: int, heavy_tailed: bool = False, row_spread: float = 0.0) -> dict[str, Floats]:
    """Random weights of ESE's layer, (outputs, inputs) each.

    Args:
        seed: of the random generator.
        heavy_tailed: whether to draw from Student's t with 3 degrees of freedom instead of a normal distribution.
        row_spread: standard deviation of the logarithm of the rows' scales. Trained rows differ in scale.
    """
    rng = np.random.default_rng(seed)
    weights: dict[str, Floats] = {}
    for name, shape in ESE_SHAPES.items():
        values = rng.standard_t(3, shape) if heavy_tailed else rng.standard_normal(shape)
        weights[name] = values * np.exp(row_spread * rng.standard_normal((shape[0], 1)))
    return weights


def run_step(
    weights: Mapping[str, Floats],
    *,
    balance: bool,
    density: float = 0.1,
    pes: int = ESE_PES,
    depth: int = EIE_DEPTH,
    index_bits: int = 4,
) -> BalanceRun:
    """Simulate one step, with each matrix pruned separately to the same density.

    Args:
        weights: (outputs, inputs) weights of each matrix by name.
        balance: whether masks are PE-balanced; otherwise they are by magnitude.
        density: kept share of each matrix.
        pes: processing elements.
        depth: columns that a FIFO holds.
        index_bits: bits of the relative index.
    """
    stream = fifo = kept = entries = 0
    size = sum(matrix.size for matrix in weights.values())
    for matrix in weights.values():
        interleave = Interleave(len(matrix), pes)
        mask = (pe_balanced if balance else magnitude)(matrix, density, interleave)
        stored = column_entries(mask, interleave, index_bits)
        stream += int(stored.entries.sum(axis=0).max())
        fifo += simulate(stored.entries, depth).cycles
        kept += int(stored.weights.sum())
        entries += int(stored.entries.sum())
    return BalanceRun(size / pes, stream, fifo, kept / size, entries / size)
