# SPDX-License-Identifier: Apache-2.0
"""Random networks one after the other on one engine in RTL, each compared with the golden model, word for word."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from ese_host.image import Design
from ese_host.ir import Network
from ese_host.protocol import packets
from ese_host.protocol.packets import TRAILER_WORDS, Operation
from support import compiled_engine
from support.designs import PATTERNS, roomy
from support.networks import Rng, inputs, network, widened
from support.rtl_engine.watched import MOST_WORDS, WatchedEngine, watched

STALLS = ((0, 0), (0, 0), (400, 0), (0, 400), (300, 300), (900, 900))
"""Clocks of 1,024 in which no word is offered, and in which none is taken."""


def compare_networks(
    name: str,
    networks: int,
    seed: int = 0,
    densities: tuple[float, ...] = (),
    cells_per_cycle: int = 1,
    pes: int | None = None,
    **options: Any,
) -> None:
    """Run random networks on the engine of a design, with random stalls, kept state and RESET in between.

    Args:
        name: name of a design of `support.designs`.
        networks: number of networks.
        seed: of the random numbers.
        densities: shares of the inputs that are not zero, of which one is drawn; by default none is zero.
        cells_per_cycle: element-wise units of the design.
        pes: number of PEs, if it is not the name's.
        options: further arguments of `support.networks.inputs`.
    """
    spec, design = roomy(name, cells_per_cycle, pes)
    rng = np.random.default_rng([seed, *name.encode()])

    def drawn() -> Network:
        pattern, density = str(rng.choice(PATTERNS)), float(rng.choice([0.02, 0.1, 0.5]))
        return network(rng, widened(spec, pattern=pattern, density=density))

    with watched(design) as engine:
        compare_each(engine, design, (drawn() for _ in range(networks)), rng, densities, **options)
        assert engine.runs == 5 * networks


def compare_each(
    engine: WatchedEngine,
    design: Design,
    networks: Iterable[Network],
    rng: Rng,
    densities: tuple[float, ...] = (),
    **options: Any,
) -> None:
    """Run networks on an engine, with random stalls, kept state and RESET in between: five packets for each.

    Args:
        engine: the engine.
        design: its design.
        networks: the networks.
        rng: source of random numbers.
        densities: shares of the inputs that are not zero; see `compare_networks`.
        options: further arguments of `support.networks.inputs`.
    """
    for number, net in enumerate(networks):
        drawn = {"density": float(rng.choice(densities))} if densities else {}
        steps = int(rng.integers(1, 6))
        codes = inputs(rng, net, 2, steps, rails=bool(rng.integers(2)), **drawn, **options)
        engine.stall(number + 1, *STALLS[rng.integers(len(STALLS))])
        loaded = compiled_engine.load(engine, net, design, rng.choice(["auto", "full"]))
        assert compiled_engine.compare(engine, net, loaded, codes) > 0
        for keep in (True, False, True):
            traced = bool(rng.integers(2))
            request = packets.run_packet(loaded.image_id, list(codes), net.source, trace=traced, keep=keep)
            packets.read_trailer(engine.packet(request, MOST_WORDS)).require(Operation.RUN)
            if rng.integers(4) == 0:
                engine.packet(packets.reset_packet(), TRAILER_WORDS)
