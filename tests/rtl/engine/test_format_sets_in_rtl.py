# SPDX-License-Identifier: Apache-2.0
"""Layers of different formats on one engine in RTL, every clock simulated: exact, and as long as modelled."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from ese_hls.encode import choose_design
from ese_host.device.emulated import EmulatedEngine
from ese_host.errors import UnsupportedError
from ese_host.image import FIELDS, HEADER, Design, record_words
from ese_host.ir import Activation, Fixed, Network
from ese_host.ir.format_sets import MAX_SETS, sets_for
from ese_host.protocol import ErrorCode, packets
from ese_host.protocol.packets import TRAILER_WORDS
from support import compiled_engine
from support.images.mixed_networks import ACTIVATIONS, OUTPUTS, STATES, mixed_network
from support.networks import COARSE, HARD, HARD8, SMOOTH, SMOOTH8, SMOOTH16, Cell, Rng, Spec, inputs, widened
from support.rtl import signed_off
from support.rtl_engine import MOST_WORDS, compare_each, library, watched

STEEP8 = (
    Activation("hard_sigmoid", Fixed(8, 0, signed=False), 21845, 10000),
    Activation("hard_tanh", Fixed(8, 1), 50000, 0),
)
"""HARD8 with other lines."""
TANH_GATES = (Activation("tanh", Fixed(12, 1)), Activation("sigmoid", Fixed(9, 1, signed=False)))
"""Functions in each other's places, which an LSTM may have."""


def formats(activations: tuple[Activation, Activation], state: Fixed, output: Fixed) -> Spec:
    """A specification of a layer's formats."""
    return Spec(activations=activations, state=state, output=output)


SMALL = Spec(inputs=4)
NARROW8 = formats(SMOOTH8, Fixed(8, 3), Fixed(8, 2))


@dataclass(frozen=True)
class SetsCase:
    """Random networks, each of whose layers has one of several formats, and their design.

    Attributes:
        choices: the formats.
        cells: kinds of a network's cells; each network has one of these.
        spec: the rest of the specification.
        options: of the design.
        sets: format sets of the design, at least.
    """

    choices: tuple[Spec, ...]
    cells: tuple[tuple[Cell, ...], ...]
    spec: Spec = SMALL
    options: Mapping[str, Any] = field(default_factory=dict)
    sets: int = 2

    def made(self, rng: Rng, count: int) -> tuple[Design, list[Network]]:
        """A design and the networks that it is for, among which there are none that need too many sets together."""
        drawn: list[Network] = []
        while len(drawn) < count:
            cells = self.cells[rng.integers(len(self.cells))]
            own: dict[str, Any] = {
                "cells": cells,
                "units": tuple(int(units) for units in rng.integers(3, 7, len(cells))),
            }
            own |= {"outputs": int(rng.choice([0, 3])), "sequences": bool(rng.integers(2)), "density": 0.4}
            network = mixed_network(rng, widened(self.spec, **own), choices=self.choices)
            with contextlib.suppress(UnsupportedError):
                sets_for([*drawn, network])
                drawn.append(network)
        design = choose_design(*drawn, **{"pes": 2, "gap_bits": 4, "cells_per_cycle": 1, **self.options})
        assert len(design.sets) >= self.sets
        return design, drawn


CASES = {
    "lstm": SetsCase(
        (formats(SMOOTH16, Fixed(16, 4), Fixed(16, 1)), formats(HARD8, Fixed(8, 3), Fixed(8, 2))), (("lstm",) * 2,),
    ),
    "lines": SetsCase(
        (formats(HARD8, Fixed(8, 3), Fixed(8, 3)), formats(STEEP8, Fixed(8, 3), Fixed(8, 3)),
         formats(HARD, Fixed(12, 2, symmetric=True), Fixed(16, 1))),
        (("gru", "gru_before", "gru"), ("gru_before", "gru", "gru_before")), options={"pes": 1}, sets=3,
    ),
    "delta": SetsCase(
        (NARROW8, formats(HARD, Fixed(16, 4), Fixed(16, 4))), (("gru", "lstm"), ("lstm", "gru")),
        widened(SMALL, delta=(40, None)), {"mode": "skip"},
    ),
    "mixed": SetsCase(
        (formats(SMOOTH, Fixed(16, 4), Fixed(16, 1)), NARROW8, formats(HARD8, Fixed(12, 2), Fixed(15, 1, False))),
        (("gru_before", "lstm", "gru"), ("lstm", "gru_before"), ("gru", "lstm", "lstm")),
        widened(SMALL, kind="int4", hidden=(5,)), {"pes": 4, "window": 8, "cells_per_cycle": 2}, sets=3,
    ),
}  # fmt: skip
"""Both kinds of activations in each place, other lines of the same formats, and the other modes."""


def compare_case(case: SetsCase, seed: int, count: int, **options: Any) -> None:
    """Run the random networks of a case on its engine, and compare each packet with golden, csrc and cycle model."""
    rng = np.random.default_rng(seed)
    design, networks = case.made(rng, count)
    with watched(design) as engine:
        compare_each(engine, design, networks, rng, **options)
        assert engine.runs == 5 * count


@pytest.mark.parametrize(
    "name", ["lstm", "lines", *(pytest.param(name, marks=pytest.mark.slow) for name in ("delta", "mixed"))]
)
def test_layers_of_different_formats_are_exact_and_take_the_cycles_of_the_model(name: str) -> None:
    compare_case(CASES[name], 0, 8)


def test_a_format_set_that_a_design_lacks_ends() -> None:
    """An image whose records name any set is run to its end and then forgotten."""
    rng = np.random.default_rng(0)
    design, networks = CASES["lines"].made(rng, 8)
    assert len(design.sets) < MAX_SETS
    net, place = networks[0], FIELDS["format_set"]
    codes = inputs(rng, net, 1, 3)
    sound = compiled_engine.encoded(net, design)
    right = packets.run_packet(sound.image_id, list(codes), net.source)
    with EmulatedEngine(library(design)) as engine:
        engine.packet(packets.load_packet(sound.words), MOST_WORDS)
        wanted = engine.packet(right, MOST_WORDS)[:-TRAILER_WORDS]
        for number in range(1 << place.width):
            words = sound.words.copy()
            table = words[len(HEADER) :][: int(words[HEADER.index("phases")]) * sum(record_words(design))]
            for record in table.reshape(-1, sum(record_words(design))):
                record[place.word] |= np.uint32(number << place.low)
            signed_off(words)
            run = packets.run_packet(int(words[-1]), list(codes), net.source, trace=bool(number % 2))
            sent = [packets.load_packet(words), run, packets.load_packet(sound.words), right]
            answers = [engine.packet(packet, MOST_WORDS) for packet in sent]
            assert {packets.read_trailer(answer).error for answer in answers} == {ErrorCode.OK}
            np.testing.assert_array_equal(answers[-1][:-TRAILER_WORDS], wanted)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(12))
def test_random_format_sets(seed: int) -> None:
    """Designs of any mode, with two to four sets drawn at random; every fourth has gates that are tanh."""
    rng = np.random.default_rng([1, seed])
    functions = (*ACTIVATIONS, COARSE, STEEP8, *((TANH_GATES,) * 6 if seed % 4 == 0 else ()))
    states, outputs = (*STATES, Fixed(6, 4), Fixed(16, 1)), (*OUTPUTS, Fixed(16, 4))
    choices = tuple(
        formats(*(each[rng.integers(len(each))] for each in (functions, states, outputs))) for _ in range(2 + seed % 3)
    )
    kinds: tuple[Cell, ...] = ("lstm",) if seed % 4 == 0 else ("lstm", "gru", "gru_before")
    cells = tuple(tuple(kinds[k] for k in rng.integers(len(kinds), size=3)) for _ in range(3))
    skip, units = seed % 3 == 2, int(rng.choice([1, 2]))
    options = {"mode": "skip"} if skip else {"window": 8} if units == 2 else {}
    spec = widened(SMALL, two_scales=bool(rng.integers(2)), delta=(40, None) if skip and seed % 2 else (None, None))
    pes = int(rng.choice([2, 4, 8])) if units == 2 else int(rng.choice([1, 3, 4]))
    case = SetsCase(choices, cells, spec, {**options, "pes": pes, "cells_per_cycle": units})
    compare_case(case, seed, 16)
