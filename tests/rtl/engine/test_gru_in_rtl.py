# SPDX-License-Identifier: Apache-2.0
"""GRU cells in RTL, every clock simulated: exact on random networks, alike csrc's, and as long as modelled."""

from __future__ import annotations

import numpy as np
import pytest

from ese_host.device.emulated import EmulatedEngine
from ese_host.image import CELL_KINDS, FIELDS, HEADER, record_words
from ese_host.protocol import ErrorCode, packets
from ese_host.protocol.packets import TRAILER_WORDS
from support import compiled_engine
from support.designs import GRU_SKIP_SPECS, GRU_SPECS, GRU_WINDOW_SPECS, roomy
from support.networks import inputs, network
from support.rtl import signed_off
from support.rtl_engine import MOST_WORDS, compare_networks, library

UNITS = {"gru-lstm": 1, "window-gru": 2}
"""Names of designs in the default run, with their element-wise units.

They have both forms, beside an LSTM and alone, and a cell in every clock or in every second.
"""
DENSITIES = (0.0, 0.1, 0.6, 1.0)
SLOW = [
    *((name, 1, None) for name in (*GRU_SPECS, *GRU_WINDOW_SPECS)),
    *(("window-gru", units, pes) for units, pes in ((2, 4), (2, 8), (2, 2), (1, 16))),
]
"""Designs in stream mode, their element-wise units and PEs."""
SLOW_SKIPPING = [
    *((name, 1, None) for name in GRU_SKIP_SPECS),
    *(("delta-gru-lstm", 2, pes) for pes in (2, 6)),
    ("zero-skipping-gru", 2, 4),
]
"""The same in skip mode."""


@pytest.mark.parametrize("name", UNITS)
def test_random_networks_are_exact_and_take_the_cycles_of_the_model(name: str) -> None:
    compare_networks(name, 8, cells_per_cycle=UNITS[name])


def test_random_networks_are_exact_in_skip_mode() -> None:
    compare_networks("delta-gru-lstm", 8, densities=DENSITIES, moves=0.4)


@pytest.mark.parametrize("name", ["gru-one-pe", "gru-lstm"])
def test_cells_of_any_kind_end(name: str) -> None:
    """An image with kinds of cells that the design lacks, or of another layer, is run to its end and then forgotten."""
    spec, design = roomy(name, cells_per_cycle=1)
    net = network(np.random.default_rng(5), spec)
    codes = inputs(np.random.default_rng(6), net, 1, 3)
    sound = compiled_engine.encoded(net, design)
    right = packets.run_packet(sound.image_id, list(codes), net.source)
    field = FIELDS["cell_kind"]
    with EmulatedEngine(library(design)) as engine:
        engine.packet(packets.load_packet(sound.words), MOST_WORDS)
        wanted = engine.packet(right, MOST_WORDS)[:-TRAILER_WORDS]
        for kind in range(len(CELL_KINDS)):
            words = sound.words.copy()
            table = words[len(HEADER) :][: int(words[HEADER.index("phases")]) * sum(record_words(design))]
            for record in table.reshape(-1, sum(record_words(design))):
                record[field.word] &= ~np.uint32((1 << field.width) - 1 << field.low)
                record[field.word] |= np.uint32(kind << field.low)
            signed_off(words)
            run = packets.run_packet(int(words[-1]), list(codes), net.source, trace=bool(kind % 2))
            sent = [packets.load_packet(words), run, packets.load_packet(sound.words), right]
            answers = [engine.packet(packet, MOST_WORDS) for packet in sent]
            assert {packets.read_trailer(answer).error for answer in answers} == {ErrorCode.OK}
            np.testing.assert_array_equal(answers[-1][:-TRAILER_WORDS], wanted)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "units", "pes"), SLOW)
def test_a_thousand_random_networks(name: str, units: int, pes: int | None) -> None:
    compare_networks(name, -(-1000 // len(SLOW)), seed=1, cells_per_cycle=units, pes=pes)


@pytest.mark.slow
@pytest.mark.parametrize("units", [1, 2])
def test_a_window_begins_to_read_what_is_still_being_written(units: int) -> None:
    """The candidate's matrix begins before all of r * h is there, and that of the next step before all of h is."""
    compare_networks("window-gru-long", 8, cells_per_cycle=units)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "units", "pes"), SLOW_SKIPPING)
def test_five_hundred_random_networks_in_skip_mode(name: str, units: int, pes: int | None) -> None:
    networks = -(-500 // len(SLOW_SKIPPING))
    compare_networks(name, networks, 1, DENSITIES, cells_per_cycle=units, pes=pes, moves=0.4)
