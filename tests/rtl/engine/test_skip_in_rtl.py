# SPDX-License-Identifier: Apache-2.0
"""Skip mode in RTL, every clock simulated: exact on random networks, alike csrc's, and as long as a timeline says."""

from __future__ import annotations

from collections import deque
from itertools import count

import numpy as np
import pytest

from ese_hls.encode import choose_design
from ese_host.device.emulated import EmulatedEngine
from ese_host.estimate.cycles import MODELS
from ese_host.image import Image, pointers
from ese_host.ir import Codes, Network
from ese_host.protocol import packets
from ese_host.protocol.packets import Operation
from support import compiled_engine
from support.designs import SKIP_SPECS, roomy
from support.networks import inputs, network, widened
from support.rtl_engine import MOST_WORDS, compare_networks, library

DESIGNS = ("fc", "delta-google")
"""With delta phases and without, with full phases and without; FIFOs of 8 columns and of one."""
DENSITIES = (0.0, 0.1, 0.6, 1.0)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in DESIGNS else pytest.mark.slow) for name in SKIP_SPECS]
)
def test_random_networks_are_exact(name: str) -> None:
    compare_networks(name, 12, densities=DENSITIES, moves=0.4)


@pytest.mark.slow
@pytest.mark.parametrize("name", SKIP_SPECS)
def test_a_thousand_random_networks(name: str) -> None:
    compare_networks(name, -(-1000 // len(SKIP_SPECS)), seed=1, densities=DENSITIES, moves=0.4)


def matrix_clocks(work: Codes, counts: Codes, depth: int) -> int:
    """Clocks of a matrix by the rules of docs/explanation/rtl-engine.md, "Skip mode".

    Args:
        work: (columns, pes) entries.
        counts: (columns,) 1 if the column's element is sent, otherwise 0.
        depth: depth of the FIFOs.
    """
    vector = deque([*(np.flatnonzero(counts[at : at + 4]) + at).tolist()] for at in range(0, len(counts), 4))
    stages: deque[list[int] | None] = deque([None] * 3)  # rows that are read, held, and subtracted
    found: list[int] = []  # columns of the row at stage 4 that are still to be sent
    travel: deque[int | None] = deque([None] * 5)  # columns on their way to the FIFOs
    scanned: deque[bool] = deque([False] * 7)  # whether something was scanned in the last seven clocks
    fifos: list[deque[int]] = [deque() for _ in work.T]
    left = [0] * len(fifos)  # entries of each PE's column that are still to be executed
    hold = works = worked = False
    for clock in count():
        scanning = bool(vector or found or any(row is not None for row in stages))
        if not (scanning or works or any(scanned)):
            return clock + 2
        works, worked = worked, any(left) or any(fifos)
        crowded = any(len(fifo) >= depth for fifo in fifos)
        arrived = travel.popleft()
        travel.append(None if hold or not found else found[0])
        scanned.popleft()
        scanned.append(scanning)
        for p, fifo in enumerate(fifos):
            left[p] = int(work[fifo.popleft(), p]) if left[p] <= 1 and fifo else max(0, left[p] - 1)
            if arrived is not None:
                fifo.append(arrived)
        if not hold:
            found = found[1:]
        if not found:
            stages.appendleft(vector.popleft() if vector else None)
            found = stages.pop() or []
        hold = crowded
    raise AssertionError


def run(engine: EmulatedEngine, net: Network, made: Image, codes: Codes) -> int:
    """The cycles of a RUN packet."""
    trailer = packets.read_trailer(
        engine.packet(packets.run_packet(made.image_id, list(codes), net.source), MOST_WORDS)
    )
    trailer.require(Operation.RUN)
    return trailer.cycles


@pytest.mark.parametrize("name", ["fc", pytest.param("fc-shallow", marks=pytest.mark.slow)])
def test_the_counter_follows_the_documented_rules(name: str) -> None:
    """One layer; all clocks but the matrix's are those of stream mode's cycle model, and stalls are not counted."""
    spec, design = roomy(name, cells_per_cycle=1)
    rng = np.random.default_rng(8)
    with EmulatedEngine(library(design)) as engine:
        for number in range(40):
            net = network(rng, widened(spec, hidden=(), outputs=9, density=float(rng.choice([0.05, 0.2, 0.7]))))
            codes = inputs(rng, net, 1, 1, density=float(rng.choice([0.0, 0.1, 0.3, 1.0])))
            stream = choose_design(net, pes=design.pes, acc_banks=design.acc_banks, cells_per_cycle=1)
            around = MODELS["rtl"].of_image(compiled_engine.encoded(net, stream), stream).sequence(1)
            made = compiled_engine.load(engine, net, design)
            section = made.words[made.sections["pointers"]]
            (entries,) = pointers.read(section, made.pointers, made.header["entry_words"], made.phases, design, name)
            counts = (codes[0, 0] != 0).astype(int)
            matrix = matrix_clocks(np.diff(entries, axis=1).T, counts, design.fifo_depth)
            library(design).ese_stall(engine._engine, number + 1, *((0, 0) if number % 2 else (300, 300)))
            assert run(engine, net, made, codes) == around.total - around.matrix + matrix
