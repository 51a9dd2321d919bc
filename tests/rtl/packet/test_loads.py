# SPDX-License-Identifier: Apache-2.0
"""LOAD writes into the memories exactly what the host's reader finds in the image."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from amaranth.sim import Simulator
from packet_bench import packet_bench

from ese_hls.encode import choose_design
from ese_host.files import unpack
from ese_host.image import HEADER, PHASE_WORDS, Design, Image, record_words
from ese_host.protocol import load_packet
from ese_rtl.packet.header_check import SIZE_BITS
from ese_rtl.packet.sections import SectionLoader
from ese_rtl.records import LoadTarget, load_layout
from support.compiled_engine import encoded
from support.designs import roomy
from support.networks import Spec, network

LSTM: dict[str, Any] = {"inputs": 5, "units": (6,), "projection": 4, "peepholes": True, "outputs": 3}
CASES: dict[str, tuple[Spec, int]] = {
    "ternary, 64 PEs": (Spec(**LSTM), 64),
    "ternary, two scales, 3 PEs": (Spec(**LSTM, two_scales=True), 3),
    "ternary, 4 PEs, Dense": (Spec(inputs=9, units=(), outputs=6), 4),
    "int4, 4 PEs": (Spec(**LSTM, kind="int4"), 4),
    "codebook4, 5 PEs": (Spec(**LSTM, kind="codebook4"), 5),
    "int16, 1 PE": (Spec(**LSTM, kind="int16"), 1),
    "int16, 4 PEs": (Spec(**LSTM, kind="int16", two_scales=True), 4),
}
BANKS = {"ternary, 4 PEs, Dense": 1, "ternary, two scales, 3 PEs": 4, "int16, 4 PEs": 4}
BITS = dict.fromkeys((LoadTarget.PHASE, LoadTarget.TABLE), 32) | dict.fromkeys(
    (LoadTarget.CODEBOOK, LoadTarget.PARAMETER, LoadTarget.PEEPHOLE), 16
)


def expected(image: Image, design: Design) -> dict[tuple[Any, int, int], int]:
    """{(memory, address, lane): content}, from the sections of an image."""
    words, header = {name: image.words[part] for name, part in image.sections.items()}, image.header
    found: dict[tuple[Any, int, int], int] = {}
    table = words["phase table"].reshape(-1, sum(record_words(design)))
    for phase, row in enumerate(table[:, :PHASE_WORDS]):
        found |= {(LoadTarget.PHASE, phase, lane): int(word) for lane, word in enumerate(row)}
    levels = unpack(words["codebooks"], 16 * header["codebooks"], 16)
    found |= {(LoadTarget.CODEBOOK, place, place % 16): int(level) for place, level in enumerate(levels)}
    banks = design.acc_banks
    rows = unpack(words["scales and biases"], header["params"] * 4 * (banks + 1), 16).reshape(-1, 4, banks + 1)
    for (item, row, bank), value in np.ndenumerate(rows):
        found[LoadTarget.PARAMETER, item, 8 * row + (7 if bank == banks else bank)] = int(value)
    for (cell, gate), value in np.ndenumerate(unpack(words["peepholes"], header["cells"] * 3, 16).reshape(-1, 3)):
        found[LoadTarget.PEEPHOLE, cell, gate] = int(value)
    entries = unpack(words["entries"], header["entry_words"] * design.pes, design.widths.word_bits)
    for (address, pe), value in np.ndenumerate(entries.reshape(-1, design.pes)):
        found[LoadTarget.ENTRY, address, pe] = int(value)
    return found | {(LoadTarget.TABLE, place, 0): int(word) for place, word in enumerate(words["tables"])}


def loaded(design: Design, image: Image, rng: np.random.Generator) -> dict[tuple[Any, int, int], int]:
    """The writes that the sections of an image make, if its words come with stalls."""
    part = SectionLoader(design)
    writes: dict[tuple[Any, int, int], int] = {}
    words = image.words.tolist()

    async def bench(ctx: Any) -> None:
        ctx.set(part.header_valid, 1)
        for place, word in enumerate(words[: len(HEADER)]):
            ctx.set(part.header_place, place)
            ctx.set(part.header_word, word & (1 << SIZE_BITS) - 1)
            await ctx.tick()
        ctx.set(part.header_valid, 0)
        ctx.set(part.begin, 1)
        await ctx.tick()
        ctx.set(part.begin, 0)
        ctx.set(part.active, 1)
        there = iter((rng.random(1 << 16) < 0.9).tolist())
        place, finished = len(HEADER), 0
        while not finished:
            have = next(there)
            ctx.set(part.have, have)
            ctx.set(part.word, words[place] if have else 0x5A5A5A5A)
            _, _, taken, finished, write = await ctx.tick().sample(part.take, part.finished, part.load.as_value())
            if taken:
                assert have
                ctx.set(part.before, words[place] >> 16)
                place += 1
            note(writes, write, design)
        assert place == len(words) - 1, "what is left is the checksum"

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        simulator = Simulator(part)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return writes


def note(writes: dict[tuple[Any, int, int], int], write: int, design: Design) -> None:
    """Note one write; none comes twice."""
    load = load_layout(design).from_bits(write) if write else None
    if load is not None and load.memory != LoadTarget.NONE:
        key = (load.memory, load.address, load.lane)
        assert key not in writes, key
        writes[key] = load.data & (1 << BITS.get(load.memory, design.widths.word_bits)) - 1


@pytest.mark.parametrize("name", CASES)
def test_memories_hold_the_image(name: str) -> None:
    spec, pes = CASES[name]
    net = network(np.random.default_rng(4), spec)
    design = choose_design(net, pes=pes, cells_per_cycle=1, gap_bits=4)
    assert design.acc_banks == BANKS.get(name, 2)
    image = encoded(net, design)
    assert loaded(design, image, np.random.default_rng(1)) == expected(image, design)


@pytest.mark.parametrize("name", ["stacked", "keras-lstm"])
def test_loading_twice(name: str) -> None:
    """The whole packet part writes each image completely, the second one after a damaged one."""
    spec, design = roomy(name)
    bench = packet_bench(name)
    for seed in range(3):
        image = encoded(network(np.random.default_rng(seed), spec), design)
        cut = bench.answers([load_packet(image.words)[:-900]])
        assert len(cut.answers) == 1
        seen = bench.answers([load_packet(image.words)], np.random.default_rng(seed))
        writes: dict[tuple[Any, int, int], int] = {}
        for write in seen.loads:
            note(writes, write, design)
        assert writes == expected(image, design)
