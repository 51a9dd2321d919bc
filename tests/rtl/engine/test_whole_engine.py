# SPDX-License-Identifier: Apache-2.0
"""The whole engine in RTL, every clock simulated: exact on random networks, alike csrc's, and as long as modelled."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import numpy as np
import pytest

from ese_hls.encode.encoder import check_formats
from ese_host.device.emulated import EmulatedEngine
from ese_host.errors import MismatchError
from ese_host.image import FIELDS, HEADER, Design, Image, record_words
from ese_host.image.reader import read_header, section_slices
from ese_host.ir import GATES
from ese_host.protocol import ErrorCode, Words, packets
from ese_host.protocol.packets import TRAILER_WORDS, Operation
from support import compiled_engine
from support.designs import MANY_PES, SPECS, roomy
from support.networks import inputs, network
from support.rtl import CASES, RtlCase, exchange, signed_off
from support.rtl_engine import MOST_WORDS, WatchedEngine, compare_networks, library, watched

DESIGNS = ("google-lstm", "dense", "one-pe", "stacked")
"""Ternary, int4 and codebook4; one and two banks; 1, 2, 4 and 5 PEs; with and without LSTM. More are slow."""
NETWORKS = 25
HOLDING = (*DESIGNS, "more-pes-than-rows", "int16")
"""Designs that hold the cases of the proof."""
SKIP_DESIGNS = ("fc", "fc-one-pe")
"""Of skip mode: ternary on 4 PEs, int4 on one. More of it is in test_skip_in_rtl.py."""


@pytest.mark.parametrize("name", DESIGNS)
def test_random_networks_are_exact_and_take_the_cycles_of_the_model(name: str) -> None:
    compare_networks(name, NETWORKS)


@pytest.mark.slow
@pytest.mark.parametrize("name", SPECS)
def test_two_thousand_random_networks(name: str) -> None:
    compare_networks(name, -(-2000 // len(SPECS)), seed=1)


@pytest.mark.slow
@pytest.mark.parametrize("name", MANY_PES)
def test_random_networks_on_more_than_128_pes(name: str) -> None:
    """A lane of LOAD has eight bits, and with as many PEs as there can be csrc counts their turns in nine."""
    compare_networks(name, 2)


def engine_for(case: RtlCase) -> tuple[Design, Callable[[], WatchedEngine]]:
    """The design of `HOLDING` with the most alike number of PEs that the network fits; and what opens its engine.

    The engine runs beside csrc's.
    """
    net, own = case.make()
    fitting = []
    for name in HOLDING if own.mode == "stream" else SKIP_DESIGNS:
        design = roomy(name, cells_per_cycle=1)[1]
        with suppress(MismatchError):
            check_formats(net, design)
            fitting.append(design)
    design = min(fitting, key=lambda design: abs(design.pes - own.pes))
    return design, lambda: watched(design)


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow if "full" in n else []) for n in CASES])
def test_cases_of_the_proof_in_rtl(name: str) -> None:
    """Answers are the golden ones, and those to malformed packets are csrc's, with stalls and without."""
    case = CASES[name]
    design, open_engine = engine_for(case)
    _, sent, golden, errors = exchange(case, design)
    for stalls in ((0, 0), (500, 500)):
        with open_engine() as engine:
            engine.stall(7, *stalls)
            for packet, wanted, error in zip(sent, golden, errors, strict=True):
                answer = engine.packet(packet, MOST_WORDS)
                assert packets.read_trailer(answer).error == error
                if wanted is not None:
                    np.testing.assert_array_equal(answer[:-TRAILER_WORDS], wanted[:-TRAILER_WORDS])


@pytest.mark.parametrize("name", ["google-lstm", "stacked", "dense"])
def test_a_packet_that_ends_anywhere_leaves_nothing_behind(name: str) -> None:
    """A RUN that is cut at any word is answered with SHORT_PACKET, and the one after it is right, also with keep."""
    spec, design = roomy(name, cells_per_cycle=1)
    rng = np.random.default_rng(17)
    net = network(rng, spec)
    codes = inputs(rng, net, 2, 3)
    with EmulatedEngine(library(design)) as broken, watched(design) as engine:
        loaded = compiled_engine.load(engine, net, design)
        compiled_engine.load(broken, net, design)
        whole = packets.run_packet(loaded.image_id, list(codes), net.source, trace=True, keep=True)
        engine.packet(packets.reset_packet(), TRAILER_WORDS)
        wanted = engine.packet(whole, MOST_WORDS)
        for end in range(1, len(whole)):
            short = packets.read_trailer(broken.packet(whole[:end], MOST_WORDS))
            assert short.error == ErrorCode.SHORT_PACKET and short.image_id == loaded.image_id
            np.testing.assert_array_equal(broken.packet(whole, MOST_WORDS), wanted)


def without_phases(words: Words, design: Design) -> Words:
    """The image without its phase table, sound otherwise: no phase waits for a frame then."""
    table = section_slices(read_header(words), design)["phase table"]
    image = np.delete(words, np.arange(table.start, table.stop))
    image[HEADER.index("phases")], image[HEADER.index("words")] = 0, len(image)
    return signed_off(image)


def test_an_image_that_waits_for_no_frame_leaves_nothing_behind() -> None:
    """RTL and csrc tell the same of each RUN, whole or cut, and the packets after it are answered as ever."""
    spec, design = roomy("one-pe", cells_per_cycle=1)
    net = network(np.random.default_rng(5), spec)
    codes = inputs(np.random.default_rng(6), net, 1, 2)
    sound = compiled_engine.encoded(net, design)
    image = without_phases(sound.words.copy(), design)
    run = packets.run_packet(int(image[-1]), list(codes), net.source)
    right = packets.run_packet(sound.image_id, list(codes), net.source)
    answers = []
    for compiled in (library(design), compiled_engine.library(design)):
        with EmulatedEngine(compiled) as engine:
            told = []
            for end in range(len(run) - 2, len(run) + 1):
                for packet in (packets.load_packet(image), run[:end], packets.load_packet(sound.words), right):
                    told.append(packets.read_trailer(engine.packet(packet, MOST_WORDS)).error)
            answers.append(told)
    assert answers[0] == answers[1]
    assert set(answers[0][2::4] + answers[0][3::4]) == {ErrorCode.OK}


def placed(image: Image, design: Design, items: int) -> Words:
    """An image whose parameters lie a number of items further up, behind so many that no phase uses."""
    part = image.sections["scales and biases"]
    unused = np.zeros(items * GATES * (design.acc_banks + 1) // 2, dtype=np.uint32)
    words = np.concatenate([image.words[: part.start], unused, image.words[part.start :]])
    words[HEADER.index("params")] += items
    words[HEADER.index("words")] = len(words)
    return based(words, design, items)


def based(words: Words, design: Design, items: int) -> Words:
    """An image whose phases take their parameters from a number of items further up, with its CRC made right."""
    words, base = words.copy(), FIELDS["param_base"]
    table = words[len(HEADER) :][: int(words[HEADER.index("phases")]) * sum(record_words(design))]
    for record in table.reshape(-1, sum(record_words(design))):
        record[base.word] += items << base.low
    return signed_off(words)


def test_parameters_behind_the_largest_power_of_two() -> None:
    """They lie in two memories. Items that no sound image has are alike in RTL and csrc."""
    spec, design = roomy("dense", cells_per_cycle=1)
    low, rest = design.param_depths
    assert (low, rest) == (1024, 128)
    net = network(np.random.default_rng(5), spec)
    codes = inputs(np.random.default_rng(6), net, 1, 2)
    sound = compiled_engine.encoded(net, design)

    def outputs(engine: EmulatedEngine, words: Words) -> list[int]:
        packets.read_trailer(engine.packet(packets.load_packet(words), TRAILER_WORDS)).require(Operation.LOAD)
        answer = engine.packet(packets.run_packet(int(words[-1]), list(codes), net.source), MOST_WORDS)
        packets.read_trailer(answer).require(Operation.RUN)
        result: list[int] = answer[:-TRAILER_WORDS].tolist()
        return result

    with watched(design) as engine:
        right = outputs(engine, sound.words)
        for items in (low - 2, low - 1, low, low + rest - sound.header["params"]):
            assert outputs(engine, placed(sound, design, items)) == right
    answers = []
    for compiled in (library(design), compiled_engine.library(design)):
        with EmulatedEngine(compiled) as plain:
            outputs(plain, placed(sound, design, low - 2))  # what the items are that no phase has
            bases = (low, low + rest, 2 * low - 2, 60000)
            answers.append([outputs(plain, based(sound.words, design, base)) for base in bases])
    assert answers[0] == answers[1]
