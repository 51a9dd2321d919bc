# SPDX-License-Identifier: Apache-2.0
"""The drain with more PEs than one multiplexer takes, and the vector RAMs, each against a few lines of Python."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ese_host.image import Design
from ese_host.ir import GATES
from ese_rtl.array import DRAIN_LATENCY
from ese_rtl.array.drain import Drain
from ese_rtl.sizes import Sizes
from ese_rtl.vectors import Copies
from support.rtl import CASES
from support.simulated_component import SimulatedComponent

GROUPS = 2


def design_of(pes: int) -> Design:
    """A small design with a number of PEs."""
    return replace(CASES["ternary-4"].make()[1], pes=pes, group_depth=GROUPS, acc_bits=16, vector_depth=16)


@pytest.mark.parametrize("pes", [2, 21])
def test_drain_brings_the_sums_of_every_item(pes: int) -> None:
    """Each PE is played: in the clock after it is asked for a row it shows 100 * PE + row."""
    sizes = Sizes(design_of(pes))
    simulated = SimulatedComponent(Drain(sizes), optimize=False)
    for dense in (0, 1):
        together = 2 if dense and sizes.paired else 1
        period = 1 if dense else sizes.cell_period
        ticks = []
        for group in range(GATES * GROUPS if dense else GROUPS):
            for place in range(period * len(range(0, pes, together))):
                row = group if dense else GATES * group + min(place, GATES - 1)
                ticks.append((place // period * together, row, place % period == 0))
        ticks += [(0, ticks[-1][1], False)] * (DRAIN_LATENCY + 1)
        drained = [[0]] * pes
        shown: list[list[int]] = []
        for pe, row, _ in ticks:
            seen = simulated.step(dense=dense, pe=pe, row=row, drained=drained)
            drained = [[100 * number + asked] for number, asked in enumerate(seen["rows"])]
            shown.append([sums[0] for sums in seen["sums"]])
        items = 0
        for tick, (pe, row, is_item) in enumerate(ticks):
            if is_item:
                rows = [row] * together if dense else range(row - row % GATES, row - row % GATES + GATES)
                wanted = [100 * (pe + k * dense) + r for k, r in enumerate(rows)]
                assert shown[tick + DRAIN_LATENCY][: len(wanted)] == wanted, (dense, tick)
                items += 1
        assert items == (GATES * GROUPS * -(-pes // together) if dense else GROUPS * pes)


def test_two_elements_are_written_at_once_and_each_pe_reads_its_own() -> None:
    rng = np.random.default_rng(2)
    sizes = Sizes(design_of(3))
    simulated = SimulatedComponent(Copies(sizes), optimize=False)
    elements = rng.integers(-(1 << 17), 1 << 17, (2, 16))
    writes: list[dict[str, Any]] = [
        {"writes": {"rams": [[port(ram, 2 * pair), port(ram, 2 * pair + 1)] for ram in elements]}} for pair in range(8)
    ]
    simulated.run([*writes, {}])
    columns = rng.integers(0, 16, (20, 2 * sizes.pairs)).tolist()
    shown = simulated.run([*({"column6": row} for row in columns), {}])
    for row, after in zip(columns, shown[1:], strict=True):
        assert after["values7"] == elements[:, row].tolist()


def port(ram: Any, element: int) -> dict[str, int]:
    """A write of an element."""
    return {"enable": 1, "address": element, "value": int(ram[element])}
