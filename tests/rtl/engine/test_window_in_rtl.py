# SPDX-License-Identifier: Apache-2.0
"""The activation window in RTL, every clock simulated: exact on random networks, and as long as modelled."""

from __future__ import annotations

import numpy as np
import pytest

from ese_host.device.emulated import EmulatedEngine
from ese_host.protocol import ErrorCode, packets
from ese_host.protocol.packets import TRAILER_WORDS
from support import compiled_engine
from support.designs import WINDOW_SPECS, roomy
from support.networks import inputs, network
from support.rtl import signed_off
from support.rtl_engine import MOST_WORDS, compare_networks, library

UNITS = {"window-codebook": 2}
"""Names of designs in the default run, with their element-wise units: 4 PEs and 8 columns."""
NETWORKS = 20
SLOW = [(name, units) for name, (_, pes, _) in WINDOW_SPECS.items() for units in (1, 2) if pes % units == 0]


@pytest.mark.parametrize("name", UNITS)
def test_random_networks_are_exact_and_take_the_cycles_of_the_model(name: str) -> None:
    compare_networks(name, NETWORKS, cells_per_cycle=UNITS[name])


@pytest.mark.slow
@pytest.mark.parametrize(("name", "units"), SLOW)
def test_a_thousand_random_networks(name: str, units: int) -> None:
    compare_networks(name, -(-1000 // len(SLOW)), seed=1, cells_per_cycle=units)


def test_an_image_that_is_cut_or_changed_is_refused_alike() -> None:
    """RTL and csrc give the same error, whatever section is cut or has a wrong bit, and load a sound image after it."""
    spec, design = roomy("window-codebook", cells_per_cycle=UNITS["window-codebook"])
    net = network(np.random.default_rng(5), spec)
    image = compiled_engine.encoded(net, design)
    words, codes = image.words, inputs(np.random.default_rng(6), net, 1, 2)
    run = packets.run_packet(image.image_id, list(codes), net.source)
    edges = {edge for part in image.sections.values() for edge in (part.start, part.stop)}
    ends = sorted(edge + offset for edge in edges for offset in (-1, 0, 1))
    sent = [packets.load_packet(words)[: end + 2] for end in ends if 0 < end < len(words)]
    advances = image.sections["window"]
    flipped = words.copy()
    flipped[advances.start] ^= 2
    sent += [packets.load_packet(flipped), packets.load_packet(signed_off(flipped.copy()))]
    told = []
    for compiled in (library(design), compiled_engine.library(design)):
        with EmulatedEngine(compiled) as engine:
            of_engine = []
            for packet in sent:
                answers = [engine.packet(each, MOST_WORDS) for each in (packet, packets.load_packet(words), run)]
                of_engine.append([packets.read_trailer(answer).error for answer in answers])
                of_engine[-1].append(answers[2][:-TRAILER_WORDS].tolist())
            told.append(of_engine)
    assert told[0] == told[1]
    assert {errors[0] for errors in told[0]} == {ErrorCode.SHORT_PACKET, ErrorCode.BAD_CRC, ErrorCode.OK}
    assert all(errors[1] == errors[2] == ErrorCode.OK for errors in told[0])
