# SPDX-License-Identifier: Apache-2.0
"""The array against NumPy: sums of random matrices, two of them added, both sets, clearing, and both ways to drain."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
from amaranth.hdl import Const

from ese_hls.encode.packing import pack_sparse
from ese_host.image import Interleave
from ese_host.ir import CELL_ROWS, GATES, Codes, Matrix
from ese_rtl.array import DRAIN_LATENCY, FILL_LATENCY, Array
from ese_rtl.records import LoadTarget
from ese_rtl.sizes import Sizes
from support.rtl import CASES
from support.simulated_component import SimulatedComponent

GROUPS = 4
ROWS = GROUPS * GATES
"""Rows of a PE in each set."""
COLUMNS = 64
ENTRIES = Const.cast(LoadTarget.ENTRY).value
STALLS = 0.3
"""Share of the clocks in which the drain stands still."""


@dataclass
class FilledArray:
    """An array in simulation, with random vectors in its RAMs, and what its accumulators must hold.

    Attributes:
        pes: number of PEs.
        vectors: (2, columns) what the vector RAMs hold.
        sums: (2, pes, rows) what the accumulators hold.
    """

    pes: int
    rng: np.random.Generator
    vectors: Codes = field(default_factory=lambda: np.zeros((2, COLUMNS), dtype=np.int64))

    def __post_init__(self) -> None:
        design = replace(
            CASES["ternary-4"].make()[1],
            pes=self.pes,
            acc_bits=24,
            entry_depth=1024,
            group_depth=GROUPS,
            vector_depth=COLUMNS,
        )
        self.widths = design.widths
        self.simulated = SimulatedComponent(Array(Sizes(design)), optimize=False)
        self.sums = np.zeros((2, self.pes, ROWS), dtype=np.int64)
        self.at = 0
        self.vectors = self.rng.integers(-(1 << 15), 1 << 16, (2, COLUMNS))
        ports = [
            [
                [{"enable": 1, "address": 2 * pair + port, "value": int(ram[2 * pair + port])} for port in range(2)]
                for ram in self.vectors
            ]
            for pair in range(COLUMNS // 2)
        ]
        self.simulated.run([{"writes": {"rams": rams}} for rams in ports] + [{}] * 2)

    def matrix(self, group: int, rows: int, density: float, ram: int, accumulators: int) -> list[dict[str, Any]]:
        """Load a random matrix. Its sums are added to those expected, and its beats returned.

        Args:
            group: rows that belong together, 4 for an LSTM's.
            rows: rows of each PE.
            density: share of weights that are not zero.
            ram: vector RAM that it reads.
            accumulators: set that it fills.
        """
        rng, columns = self.rng, int(self.rng.integers(1, COLUMNS // 2))
        base = int(rng.integers(0, COLUMNS - columns))
        shape = rows * self.pes, columns
        levels = rng.choice([-1, 0, 1], shape, p=[density / 2, 1 - density, density / 2])
        interleave = Interleave(shape[0], self.pes, CELL_ROWS if group == GATES else (0,))
        matrix = Matrix(levels, "ternary", np.ones((2, shape[0]), dtype=np.int64), 1)
        encoded = pack_sparse(matrix, interleave, self.widths, "stream")
        words = encoded.words(self.widths)
        loads = [
            {"memory": ENTRIES, "lane": pe, "address": self.at + place, "data": int(word)}
            for (pe, place), word in np.ndenumerate(words)
        ]
        self.simulated.run([{"load": load} for load in loads] + [{}] * 2)
        for pe in range(self.pes):
            found = levels[interleave.rows_of(pe)] @ self.vectors[ram, base : base + columns]
            self.sums[accumulators, pe, : len(found)] += found
        start, per_word = self.at, self.widths.per_word(False)
        self.at += words.shape[1]
        return [
            {
                **{"run": 1, "first": int(entry == 0), "address": start + entry // per_word, "slot": entry % per_word},
                **{"start": base << interleave.stride_log2, "stride": interleave.stride_log2, "source_ram": ram},
                "set": accumulators,
            }
            for entry in range(int(encoded.counts.max()))
        ]

    def sweep(self, accumulators: int, rows: int) -> list[dict[str, Any]]:
        """Beats that clear the first rows of a set."""
        self.sums[accumulators, :, :rows] = 0
        stride = ROWS.bit_length() - 1
        return [{"sweep": 1, "first": 1, "start": row, "stride": stride, "set": accumulators} for row in range(rows)]

    def drained(self, accumulators: int, dense: bool, beats: list[dict[str, Any]]) -> list[list[int]]:
        """The sums of all items, while the PEs work on something else.

        Args:
            accumulators: set that is read.
            dense: whether items are rows instead of cells.
            beats: what the PEs do meanwhile, in the other set.
        """
        period = 1 if dense else -(-GATES // self.pes)
        together = 2 if dense and self.pes % 2 == 0 else 1
        ticks = []
        for group in range(ROWS if dense else GROUPS):
            turns = [(pe, turn) for pe in range(0, self.pes, together) for turn in range(period)]
            for place, (pe, turn) in enumerate(turns):
                row = group if dense else GATES * group + min(place, GATES - 1)
                ticks.append({"pe": pe, "row": row, "is_item": turn == 0})
        items = [tick.pop("is_item") for tick in ticks]
        ticks += [{"pe": 0, "row": ticks[-1]["row"]}] * (DRAIN_LATENCY + GATES)
        clocks: list[dict[str, Any]] = []
        moves = [-1]
        for tick in ticks:
            clocks += [{"step": 0, **tick}] * int(self.rng.geometric(1 - STALLS) - 1) + [{"step": 1, **tick}]
            moves.append(len(clocks) - 1)
        clocks += [{}] * max(0, len(beats) - len(clocks))
        both = [
            {
                "drain_set": accumulators,
                "dense": int(dense),
                **clock,
                **({"beat": beats[at]} if at < len(beats) else {}),
            }
            for at, clock in enumerate(clocks)
        ]
        shown = self.simulated.run(both)
        return [
            [sums[0] for sums in shown[moves[1 + tick + DRAIN_LATENCY]]["sums"][0]]
            for tick, is_item in enumerate(items)
            if is_item
        ]

    def expected(self, accumulators: int, dense: bool) -> list[list[int]]:
        """What `drained` must give; of rows only the first entries count."""
        sums = self.sums[accumulators]
        if not dense:
            return [sums[pe, 4 * g : 4 * g + 4].tolist() for g in range(GROUPS) for pe in range(self.pes)]
        together = 2 if self.pes % 2 == 0 else 1
        return [sums[pe : pe + together, row].tolist() for row in range(ROWS) for pe in range(0, self.pes, together)]


@pytest.mark.parametrize("pes", [3, 4])
def test_sums_of_random_matrices(pes: int) -> None:
    bench = FilledArray(pes, np.random.default_rng(5))
    settle: list[dict[str, Any]] = [{}] * FILL_LATENCY
    first = bench.matrix(4, ROWS, 0.3, ram=0, accumulators=0) + [{}] * 3
    first += bench.matrix(4, 8, 1.0, ram=1, accumulators=0) + settle
    bench.simulated.run([{"beat": beat} for beat in first])
    for number in range(8):
        accumulators, dense = number % 2, number % 3 == 0
        wanted = bench.expected(accumulators, dense)
        other = bench.sweep(1 - accumulators, [ROWS, 8][number % 4 == 1])
        rows, density = [(ROWS, 0.3), (1, 1.0), (2, 1.0), (12, 0.05)][number % 4]
        other += bench.matrix(
            4 if rows % 4 == 0 else 1, rows, density, ram=number // 2 % 2, accumulators=1 - accumulators
        )
        found = bench.drained(accumulators, dense, other + settle)
        assert [sums[: len(row)] for sums, row in zip(found, wanted, strict=True)] == wanted, number
