# SPDX-License-Identifier: Apache-2.0
"""The packet part of the RTL engine against the compiled engine, with packets good and bad, and stalls on all sides."""

from __future__ import annotations

import functools
import zlib

import numpy as np
import pytest
from packet_bench import PacketBench, packet_bench

from ese_host.device.emulated import EmulatedEngine
from ese_host.image import FIELDS, HEADER, PHASE_WORDS, Design, Image, record_words
from ese_host.ir import Network
from ese_host.protocol import (
    TRAILER,
    TRAILER_MAGIC,
    TRAILER_WORDS,
    ErrorCode,
    Operation,
    Words,
    load_packet,
    read_trailer,
    reset_packet,
    run_packet,
    step_words,
)
from support.compiled_engine import encoded, library
from support.designs import roomy
from support.networks import inputs, network
from support.rtl import malformed, signed_off

CYCLES = [TRAILER.index("cycles_low"), TRAILER.index("cycles_high")]
DESIGNS = ("stacked", "keras-lstm")
"""With codebooks and full phases, and without both."""


@functools.cache
def parts(name: str) -> tuple[PacketBench, Network, Design, Image]:
    spec, design = roomy(name)
    net = network(np.random.default_rng(3), spec)
    return packet_bench(name), net, design, encoded(net, design)


def runs(rng: np.random.Generator, name: str, lengths: list[int], keep: bool = False, trace: bool = False) -> Words:
    _, net, _, loaded = parts(name)
    codes = [inputs(rng, net, 1, steps)[0] for steps in lengths]
    return run_packet(loaded.image_id, codes, net.source, trace=trace, keep=keep)


def echo(packet: Words, width: int, zeros: list[bool]) -> list[int]:
    """What the stand-in for the core answers to a good RUN packet."""
    outputs: list[int] = []
    place, trace = 4, int(packet[1]) & 1
    for zero in zeros:
        steps = int(packet[place])
        words = packet[place + 1 : place + 1 + steps * step_words(width)]
        outputs += [steps | zero << 17 | trace << 18, *words.tolist()]
        place += 1 + len(words)
    return outputs


def check(name: str, sent: list[Words], stalls: np.random.Generator | None = None) -> list[ErrorCode]:
    """Compare each answer's trailer with the compiled engine's, except cycles and CRC; return the error codes."""
    bench, _, design, _ = parts(name)
    found = bench.answers(sent, stalls).answers
    errors = []
    with EmulatedEngine(library(design)) as engine:
        for number, (packet, answer) in enumerate(zip(sent, found, strict=True)):
            expected = engine.packet(packet, 1 << 16)[-TRAILER_WORDS:]
            trailer = answer[-TRAILER_WORDS:].copy()
            assert trailer[-1] == zlib.crc32(answer[:-1].astype("<u4").tobytes()), number
            trailer[CYCLES] = expected[CYCLES]
            np.testing.assert_array_equal(trailer[:-1], expected[:-1], err_msg=f"packet {number}: {packet[:8]}")
            errors.append(read_trailer(answer).error)
    return errors


@pytest.mark.parametrize("name", DESIGNS)
@pytest.mark.parametrize("stalled", [False, True])
def test_malformed_packets_are_drained_and_answered(name: str, stalled: bool) -> None:
    rng = np.random.default_rng(5)
    load, run = load_packet(parts(name)[3].words), runs(rng, name, [2, 3])
    cases = list(malformed(load, run))
    sent = [load, run, *(packet for packet, _ in cases), reset_packet(), load, run, np.append(load, load[:1])]
    errors = check(name, sent, rng if stalled else None)
    assert errors[2 : 2 + len(cases)] == [error for _, error in cases]
    assert errors[-4:] == [ErrorCode.OK] * 3 + [ErrorCode.LONG_PACKET]


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("name", DESIGNS)
def test_damaged_packets(name: str, seed: int) -> None:
    """Packets that are cut, extended or have a changed word anywhere, between good ones."""
    rng = np.random.default_rng(seed)
    load = load_packet(parts(name)[3].words)
    sent = [load]
    for _ in range(150):
        packet = load if rng.random() < 0.4 else runs(rng, name, rng.integers(1, 4, rng.integers(1, 3)).tolist())
        packet = damaged(rng, packet.copy())
        sent += [packet, *([load] if rng.random() < 0.4 else [])]
    errors = check(name, sent, rng if seed else None)
    assert len(set(errors)) >= 8, set(errors)


def damaged(rng: np.random.Generator, packet: Words) -> Words:
    """A packet with one or two faults; some change nothing that matters."""
    for _ in range(rng.integers(1, 3)):
        kind = rng.integers(6)
        header = int(rng.integers(min(len(packet), 20)))
        if kind == 0:
            packet = packet[: rng.integers(1, len(packet) + 1)]
        elif kind == 1:
            packet = np.append(packet, rng.integers(0, 1 << 32, rng.integers(1, 40), dtype=np.uint32))
        elif kind == 2:
            packet[header] ^= 1 << int(rng.integers(32))
        elif kind == 3:
            packet[header] = rng.choice([0, 1, 2, 3, 17, 65535, 65536, (1 << 32) - 1])
        elif kind == 4:
            packet[rng.integers(len(packet))] ^= 1 << int(rng.integers(32))
        elif len(packet) > 3:
            # the number of words in the packet's header and in the image's agree, and both are wrong
            packet[1] = packet[min(4, len(packet) - 1)] = rng.integers(0, len(packet) + 4)
    return packet


@pytest.mark.parametrize("words", [*range(20), 1100, (1 << 32) - 1])
def test_announced_length(words: int) -> None:
    """Any number of words in the headers: alone, as long as that, and as long as the image."""
    load = load_packet(parts("stacked")[3].words)
    load[1] = load[2 + HEADER.index("words")] = words
    sent = [load[:1], load[:2], load[: 2 + min(words, len(load))], load]
    check("stacked", sent)


@pytest.mark.parametrize("name", DESIGNS)
def test_sizes_at_their_limits(name: str) -> None:
    """Each size of the header at its limit, one above it and far above it. The image's CRC is right."""
    _, _, design, loaded = parts(name)
    limits = {
        "phases": design.phases, "entry_words": design.entry_depth, "params": design.param_depth,
        "cells": design.cell_depth, "codebooks": 16, "inputs": design.vector_depth,
    }  # fmt: skip
    sent, words = [], loaded.words
    for field, limit in limits.items():
        for value in (0, limit, limit + 1, limit + (1 << 16), limit | 1 << 31):
            image = words.copy()
            image[HEADER.index(field)] = value
            sent.append(load_packet(signed_off(image)))
    for bits in (16, 31):
        image = words.copy()
        image[HEADER.index("flags")] |= np.uint32(1 << bits)
        sent.append(load_packet(signed_off(image)))
    errors = check(name, sent)
    assert {ErrorCode.TOO_LARGE, ErrorCode.BAD_CRC} <= set(errors)


@pytest.mark.parametrize("name", DESIGNS)
def test_a_word_behind_the_crc(name: str) -> None:
    """The image announces a word more than its sections take, and its CRC is right: that does not make it sound."""
    image = parts(name)[3].words.copy()
    image[HEADER.index("words")] += 1
    assert check(name, [load_packet(np.append(signed_off(image), np.uint32(0)))]) == [ErrorCode.BAD_CRC]


@pytest.mark.parametrize("name", DESIGNS)
def test_phases_beyond_the_stored_entries(name: str) -> None:
    """Phases that end with the last stored entry, or one entry or one word behind it; full ones, too."""
    _, _, design, loaded = parts(name)
    first, stored = len(HEADER), loaded.header["entry_words"]
    sent = []
    for number in range(len(loaded.phases)):
        record = slice(
            first + number * sum(record_words(design)), first + number * sum(record_words(design)) + PHASE_WORDS
        )
        for full in (False, True):
            slots = design.widths.per_word(full and design.full_phases)
            for base in (0, 1, stored - 1, stored, stored + 1, 65535):
                most = max(stored - base, 0) * slots
                for count in {0, 1, most, most + 1, max(most - 1, 0), 65535}:
                    image = loaded.words.copy()
                    phase = image[record].tolist()
                    FIELDS["entry_base"].put(phase, base)
                    FIELDS["entry_count"].put(phase, min(count, 65535))
                    FIELDS["rows"].put(phase, 3 * full)
                    image[record] = phase
                    sent.append(load_packet(signed_off(image)))
    rng = np.random.default_rng(8)
    errors = check(name, [sent[at] for at in rng.permutation(len(sent))[:120]])
    assert set(errors) == {ErrorCode.OK, ErrorCode.TOO_LARGE}


@pytest.mark.parametrize("stalled", [False, True])
def test_outputs_and_state(stalled: bool) -> None:
    """Outputs pass unchanged and in order, and a sequence starts from zero exactly when it must."""
    rng = np.random.default_rng(11)
    bench, _, _, loaded = parts("keras-lstm")
    load, reset = load_packet(loaded.words), reset_packet()
    bad = np.array([7], dtype=np.uint32)
    plan: list[tuple[Words, list[bool] | None]] = [
        (load, None),
        (runs(rng, "keras-lstm", [3, 1], keep=True), [True, False]),
        (runs(rng, "keras-lstm", [40]), [True]),
        (runs(rng, "keras-lstm", [1, 2], keep=True, trace=True), [False, False]),
        (reset, None),
        (runs(rng, "keras-lstm", [2], keep=True), [True]),
        (bad, None),
        (runs(rng, "keras-lstm", [2, 200], keep=True), [True, False]),
        (load, None),
        (runs(rng, "keras-lstm", [1], keep=True), [True]),
    ]
    seen = bench.answers([packet for packet, _ in plan], rng if stalled else None)
    for (packet, zeros), answer in zip(plan, seen.answers, strict=True):
        expected = echo(packet, loaded.header["inputs"], zeros) if zeros else []
        assert answer[:-TRAILER_WORDS].tolist() == expected
        assert answer[-TRAILER_WORDS] == TRAILER_MAGIC
        trailer = read_trailer(answer)
        assert trailer.cycles > 0 if zeros else trailer.cycles == 0
        assert trailer.sequences == len(zeros or [])
        assert trailer.operation in (Operation.LOAD, Operation.RUN, Operation.RESET, Operation.UNREADABLE)
