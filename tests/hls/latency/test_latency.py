# SPDX-License-Identifier: Apache-2.0
"""The answers do not depend on how many stages HLS puts between an accumulator RAM's read and its write.

HLS may choose any number below the distance that the pragma states. Each is run: a type in place of the RAM's words
(`delayed.h`) shows a write only to reads that come after it in such a pipeline.
"""

from __future__ import annotations

import ctypes
import zlib
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ese_hls.emulate import compile_emulator
from ese_host.device.emulated import EmulatedEngine
from ese_host.image import ADD_DISTANCE, Image
from ese_host.image.phases import FLAGS
from ese_host.image.reader import HEADER_FIELDS
from ese_host.ir import Lstm, Network
from ese_host.protocol import Operation, packets
from support import compiled_engine
from support.designs import PATTERNS, roomy
from support.networks import inputs, network, widened

HERE = Path(__file__).parent
DESIGNS = ["google-lstm", "more-pes-than-rows", "one-pe", "uneven", "fc", "delta-google"]
GRU_DESIGNS = ["gru-before", "gru-lstm"]
NETWORKS = 30
MUTATIONS = {
    "forwarding removed": ("accumulators.h", "if (made[age].tag == tag)", "if (false && made[age].tag == tag)"),
    "a stage drains one iteration earlier": ("stages.h", "hold = add_distance - 2;", "hold = add_distance - 3;"),
    "a phase fills one iteration earlier": ("stages.h", "(gates + add_distance - 2)", "(gates + add_distance - 3)"),
}
"""Changes of csrc that break the order: the file, the text and what takes its place."""


def delayed(name: str, folder: Path, file: str = "", text: str = "", mutant: str = "") -> ctypes.CDLL:
    """The engine of a design, compiled with words that show a write late.

    Args:
        name: of the design.
        folder: for its sources.
        file: header that is changed.
        text: what is replaced in it.
        mutant: what takes its place.
    """
    _, design = roomy(name)
    compiled_engine.write_sources(folder, design)
    config = folder / "csrc" / "config.h"
    config.write_text(f'#define ESE_LATENCY_TEST "{HERE / "delayed.h"}"\n{config.read_text()}')
    if file:
        changed = folder / "csrc" / "engine" / file
        assert changed.read_text().count(text) == 1
        changed.write_text(changed.read_text().replace(text, mutant))
    return ctypes.CDLL(str(compile_emulator(folder, folder / "engine.so")))


def with_fixed_sets(made: Image) -> Image:
    """An image of one LSTM layer whose cells always use set 0, and whose other rows use set 1.

    The input part of the next step then waits for the set that the cells of this step are still read from.
    """
    words = made.words.copy()
    table = made.sections["phase table"]
    record = (table.stop - table.start) // len(made.phases)
    for start, phase in zip(range(table.start, table.stop, record), made.phases, strict=True):
        dense = "dense" in phase.flags
        words[start] = words[start] & ~np.uint32(1 << FLAGS.index("set")) | np.uint32(dense << FLAGS.index("set"))
    alternate = HEADER_FIELDS["alternate"]
    words[alternate.word] &= ~np.uint32(1 << alternate.low)
    words[-1] = zlib.crc32(words[:-1].astype("<u4").tobytes())
    return replace(made, words=words)


def with_a_late_first_row(net: Network) -> Network:
    """A network of one LSTM layer whose kernel has one weight in its first column, that of the last cell's gate o.

    Of the rows that the element-wise stage reads this is the last, and the input part of the next step begins with it.
    """
    layer = net.layers[0]
    assert isinstance(layer, Lstm)
    codes = layer.kernel.codes.copy()
    codes[:, 0] = 0
    codes[-1, 0] = 1
    return replace(net, layers=(replace(layer, kernel=replace(layer.kernel, codes=codes)), *net.layers[1:]))


def wrong_networks(name: str, library: ctypes.CDLL, stages: int, seeds: Iterable[int] = range(NETWORKS)) -> list[int]:
    """The random networks whose answers differ from the golden model's.

    Args:
        name: of the design.
        library: its engine.
        stages: stages between the read and the write.
        seeds: of the networks.
    """
    spec, design = roomy(name)
    library.latency_set(stages)
    wrong = []
    for seed in seeds:
        rng = np.random.default_rng(seed)
        pattern, density = PATTERNS[seed % len(PATTERNS)], (0.02, 0.1, 0.5)[seed % 3]
        net = network(rng, widened(spec, pattern=pattern, density=density))
        fixed = name in DESIGNS and design.mode == "stream" and seed % 4 < 2
        if fixed and seed % 4:
            net = with_a_late_first_row(net)
        codes = inputs(rng, net, 2, 3)
        with EmulatedEngine(library) as engine:
            made = compiled_engine.encoded(net, design, "auto" if seed % 2 else "full")
            if fixed:
                made = with_fixed_sets(made)
            loaded = engine.packet(packets.load_packet(made.words), packets.TRAILER_WORDS)
            packets.read_trailer(loaded).require(Operation.LOAD)
            try:
                compiled_engine.compare(engine, net, made, codes)
            except AssertionError:
                wrong.append(seed)
    return wrong


@pytest.mark.parametrize("name", [*DESIGNS, *GRU_DESIGNS])
def test_answers_do_not_depend_on_the_stages_of_an_addition(name: str, tmp_path: Path) -> None:
    library = delayed(name, tmp_path)
    for stages in range(ADD_DISTANCE):
        assert wrong_networks(name, library, stages) == []


@pytest.mark.parametrize("name", ["more-pes-than-rows", "one-pe", "fc"])
def test_a_write_one_stage_later_is_found(name: str, tmp_path: Path) -> None:
    assert wrong_networks(name, delayed(name, tmp_path), ADD_DISTANCE)


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_a_mutation_is_found(mutation: str, tmp_path: Path) -> None:
    found = {}
    for name in DESIGNS:
        (tmp_path / name).mkdir()
        found[name] = wrong_networks(name, delayed(name, tmp_path / name, *MUTATIONS[mutation]), ADD_DISTANCE - 1)
    assert any(found.values())
