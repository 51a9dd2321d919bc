# SPDX-License-Identifier: Apache-2.0
"""Tests of the C++ headers under g++, with the address and undefined-behaviour sanitizers.

Unit tests run with both kinds of integers. Sound, damaged and hostile packets are sent to a whole engine.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from ese_hls.encode import encoder
from ese_host.device.emulated.engine import EmulatedEngine
from ese_host.files.words import Words
from ese_host.image.design import Design
from ese_host.image.reader import parse
from ese_host.protocol import packets
from support import compiled_engine
from support.compiling.programs import MACHINE_WORDS, SANITIZE, compile_program, run_program
from support.designs import PATTERNS, roomy
from support.networks import inputs, network, widened

HERE = Path(__file__).parent
# The beats of the streams are ap_int also in this build, and ap_int shifts negative numbers left.
ENGINE = [*MACHINE_WORDS, *SANITIZE, "-fno-sanitize=shift-base"]


@pytest.mark.parametrize(
    "words", [pytest.param(MACHINE_WORDS, id="machine-words"), pytest.param([], id="ap_int", marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("source", sorted(HERE.glob("test_*.cpp")), ids=lambda path: path.stem)
def test_unit(source: Path, words: list[str], tmp_path: Path) -> None:
    # ap_int itself shifts negative numbers left, so only machine words are tested under the sanitizers.
    run_program(compile_program([source], tmp_path, [*words, *(SANITIZE if words else [])]))


def test_a_check_that_fails_fails_the_test(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.cpp"
    wrong.write_text('#include "check.h"\nint main() { CHECK_EQUAL(1 + 1, 3); }\n')
    with pytest.raises(AssertionError, match=r"1 \+ 1 is 2; expected 3"):
        run_program(compile_program([wrong], tmp_path, []))


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Design], Path]:
    """The program that runs packets on an engine under sanitizers, compiled once for each design."""

    @cache
    def made(design: Design) -> Path:
        folder = tmp_path_factory.mktemp("engine")
        compiled_engine.write_sources(folder, design)
        sources = [HERE / "replay.cpp", folder / "csrc/emulator/emulator.cpp"]
        return compile_program(sources, folder, [*ENGINE, f"-I{folder / 'csrc'}"])

    return made


def replay(program: Path, folder: Path, sent: list[Words]) -> list[Words]:
    """The answers of an engine under sanitizers to packets."""
    (folder / "in").write_bytes(b"".join(np.array([len(p), *p], dtype="<u4").tobytes() for p in sent))
    run_program(program, folder / "in", folder / "out")
    words = np.frombuffer((folder / "out").read_bytes(), dtype="<u4")
    answers = []
    while len(words):
        answers.append(words[1 : 1 + words[0]])
        words = words[1 + words[0] :]
    return answers


@pytest.mark.parametrize(
    "name",
    [
        "google-lstm",
        "delta-google",
        *(
            pytest.param(n, marks=pytest.mark.slow)
            for n in ("uneven", "stacked", "fc", "gru-stacked", "delta-gru-lstm")
        ),
    ],
)
def test_packets_under_sanitizers(name: str, tmp_path: Path, engine: Callable[[Design], Path]) -> None:
    """Sound packets get the same answers as without sanitizers; damaged ones get an answer and do no harm."""
    spec, design = roomy(name)
    rng = np.random.default_rng(11)
    sent = []
    for pattern in PATTERNS:
        net = network(rng, widened(spec, pattern=pattern))
        image = np.frombuffer(encoder.encode(net, design), dtype="<u4")
        run = packets.run_packet(int(image[-1]), list(inputs(rng, net, 2, 3, rails=True)), net.source, trace=True)
        sent += [packets.load_packet(image), run]
    sound = len(sent)
    for _ in range(60):
        sent += [damaged(rng, packets.load_packet(image)), damaged(rng, run)]
    sent += [hostile(rng, image, slice(16, len(image) - 1), 30) for _ in range(20)]
    sent += [run, packets.load_packet(image), run]
    answers = replay(engine(design), tmp_path, sent)
    assert len(answers) == len(sent)
    assert all(packets.read_trailer(answer) for answer in answers)
    np.testing.assert_array_equal(answers[-1], answers[sound - 1])
    with EmulatedEngine(compiled_engine.library(design)) as plain:
        for packet, answer in zip(sent[:sound], answers[:sound], strict=True):
            np.testing.assert_array_equal(answer, plain.packet(packet, 1 << 16))


def damaged(rng: np.random.Generator, packet: Words) -> Words:
    """The packet, either cut short, lengthened, or with some words overwritten."""
    words = packet.copy()
    what = rng.integers(3)
    if what == 0:
        return words[: rng.integers(1, len(words))]
    if what == 1:
        return np.concatenate([words, rng.integers(0, 2**32, rng.integers(1, 9)).astype(np.uint32)])
    for _ in range(rng.integers(1, 5)):
        words[rng.integers(min(len(words), 200))] = rng.integers(0, 2**32)
    return words


def hostile(rng: np.random.Generator, image: Words, part: slice, changes: int) -> Words:
    """A LOAD packet of the image with random words in one part, but with a sound header and the right checksum."""
    words = image.copy()
    for _ in range(changes):
        words[rng.integers(part.start, part.stop)] = rng.integers(0, 2**32)
    words[-1] = zlib.crc32(words[:-1].astype("<u4").tobytes())
    return packets.load_packet(words)


@pytest.mark.parametrize(
    "name",
    ["google-lstm", "delta-google", *(pytest.param(n, marks=pytest.mark.slow) for n in ("gru-lstm", "gru-before"))],
)
def test_hostile_images_run_to_an_end(name: str, tmp_path: Path, engine: Callable[[Design], Path]) -> None:
    """Whatever an image with a sound header holds, a run ends and accesses no memory outside the engine."""
    spec, design = roomy(name)
    rng = np.random.default_rng(13)
    net = network(rng, spec)
    image = np.frombuffer(encoder.encode(net, design), dtype="<u4")
    anywhere, phase_table = slice(16, len(image) - 1), parse(image, design).sections["phase table"]
    sent = []
    for part, changes in 30 * [(anywhere, 30), (phase_table, 2)]:
        load = hostile(rng, image, part, changes)
        sent += [load, packets.run_packet(int(load[-1]), list(inputs(rng, net, 1, 2)), net.source, trace=True)]
    answers = replay(engine(design), tmp_path, sent)
    assert len(answers) == len(sent)
    assert {packets.read_trailer(answer).error for answer in answers[1::2]} >= {
        0,
        6,
    }  # some images are run (0), others refused (6: no image)
