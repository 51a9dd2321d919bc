# SPDX-License-Identifier: Apache-2.0
"""One design for several networks: it holds the image of each; and the meaning of the formats of a design."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ese_hls.encode import encoder
from ese_hls.encode.fit_design import choose_design
from ese_host import image
from ese_host.errors import MismatchError, UnsupportedError
from ese_host.ir.fixed import Fixed
from ese_host.ir.network import Lstm, Network
from support.networks import HARD8, Spec, network
from support.programs import bidirectional

RNG = np.random.default_rng(7)


def test_a_design_holds_every_network_of_a_program() -> None:
    networks = [chain.network for chain in bidirectional(RNG).chains]
    design = choose_design(*networks, pes=3)
    for net in networks:
        encoder.encode(net, design)
    alone = [choose_design(net, pes=3) for net in networks]
    for name in ("entry_depth", "group_depth", "vector_depth", "param_depth", "cell_depth", "phases", "acc_bits"):
        assert getattr(design, name) == max(getattr(one, name) for one in alone)
    assert choose_design(networks[0], pes=3) == alone[0]


def test_an_unsigned_chain_runs_on_a_signed_design() -> None:
    signed, unsigned = network(RNG, Spec(units=())), network(RNG, Spec(units=(), source=Fixed(15, 1, signed=False)))
    design = choose_design(unsigned, signed, pes=2)
    assert design.source == signed.source
    encoder.encode(unsigned, design)
    wide = network(RNG, Spec(units=(), source=Fixed(16, 1, signed=False)))
    encoder.encode(wide, choose_design(wide, pes=2))
    with pytest.raises(MismatchError, match=r"^the network's input format is ufixed<16,1>; the design has fixed<"):
        encoder.encode(wide, design)
    message = r"^layer '.*' reads values of ufixed<16,1>, and layer '.*' of fixed<.*>; beside .* at most 15 bits: "
    with pytest.raises(UnsupportedError, match=message):
        choose_design(wide, signed, pes=2)


def test_an_output_is_stored_in_the_designs_format() -> None:
    net = network(RNG, Spec(units=(4, 3), activations=HARD8))
    design = choose_design(net, pes=2)
    with pytest.raises(
        MismatchError, match=r"^layer 'lstm0' has state .*; the design has state .*, output fixed<8,1>, "
    ):
        encoder.encode(net, replace(design, output=Fixed(8, 1)))


def test_a_format_set_has_one_slope_and_offset_in_an_image() -> None:
    net = network(RNG, Spec(units=(4, 3), activations=HARD8))
    first, second = net.layers[:2]
    assert isinstance(first, Lstm) and isinstance(second, Lstm)
    other = replace(second, gate=replace(second.gate, slope=5461))
    mixed = Network((net.layers[0], other, *net.layers[2:]), net.source)
    two = choose_design(mixed, pes=2)
    assert two.sets == 2 * (choose_design(net, pes=2).sets[0],)
    header = image.parse(np.frombuffer(encoder.encode(mixed, two), dtype="<u4"), two)
    assert [phase.format_set for phase in header.phases if phase.has("lstm")] == [0, 1]
    lines = header.words[header.sections["lines"]] & 0xFFFF
    assert lines.tolist() == [5461, second.cell.slope]
    with pytest.raises(
        MismatchError, match=r"^layer 'lstm1' has state .*; the design has state .*, each for one slope"
    ):
        encoder.encode(mixed, replace(two, more_sets=()))
    alone = Network((net.layers[0],), net.source), Network((replace(first, gate=other.gate),), net.source)
    design = choose_design(*alone, pes=2)
    assert encoder.encode(alone[0], design) != encoder.encode(alone[1], design)
