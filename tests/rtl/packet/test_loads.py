"""LOAD writes into the memories exactly what the host's reader finds in the image."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from amaranth.sim import Simulator
from ese_rtl.packet import Packets
from ese_rtl.records import Memory

from ese_hls.encode import choose_design
from ese_host.files import unpack
from ese_host.image import RAM_BITS, Design, Image
from ese_host.image.phases import PHASE_WORDS, record_words
from ese_host.protocol import TRAILER_WORDS, ErrorCode, load_packet, read_trailer
from support.compiled_engine import encoded
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
BITS = dict.fromkeys((Memory.PHASE, Memory.TABLE), 32) | dict.fromkeys(
    (Memory.CODEBOOK, Memory.PARAMETER, Memory.PEEPHOLE), 16
)


def expected(image: Image, design: Design) -> dict[tuple[Any, int, int], int]:
    """{(memory, address, lane): content}, from the sections of an image."""
    words, header = {name: image.words[part] for name, part in image.sections.items()}, image.header
    found: dict[tuple[Any, int, int], int] = {}
    table = words["phase table"].reshape(-1, sum(record_words(design)))
    for phase, row in enumerate(table[:, :PHASE_WORDS]):
        found |= {(Memory.PHASE, phase, lane): int(word) for lane, word in enumerate(row)}
    levels = unpack(words["codebooks"], 16 * header["codebooks"], 16)
    found |= {(Memory.CODEBOOK, place, place % 16): int(level) for place, level in enumerate(levels)}
    banks = design.acc_banks
    rows = unpack(words["scales and biases"], header["params"] * 4 * (banks + 1), 16).reshape(-1, 4, banks + 1)
    for (item, row, bank), value in np.ndenumerate(rows):
        found[Memory.PARAMETER, item, 8 * row + (7 if bank == banks else bank)] = int(value)
    for (cell, gate), value in np.ndenumerate(unpack(words["peepholes"], header["cells"] * 3, 16).reshape(-1, 3)):
        found[Memory.PEEPHOLE, cell, gate] = int(value)
    entries = unpack(words["entries"], header["entry_words"] * design.pes, design.widths.word_bits)
    for (address, pe), value in np.ndenumerate(entries.reshape(-1, design.pes)):
        found[Memory.ENTRY, address, pe] = int(value)
    return found | {(Memory.TABLE, place, 0): int(word) for place, word in enumerate(words["tables"])}


def loaded(design: Design, packet: list[int], rng: np.random.Generator) -> tuple[dict[Any, int], list[int], Any]:
    """Load an image into the packet part, with stalls: the writes, the answer, and the header that it keeps."""
    part = Packets(design)
    writes: dict[Any, int] = {}
    answer: list[int] = []
    kept: list[Any] = []

    async def bench(ctx: Any) -> None:
        ctx.set(part.started, 1)
        ctx.set(part.forgotten, 1)
        ctx.set(part.answer.ready, 1)
        stalled = iter((rng.random(1 << 16) < 0.1).tolist())
        place = 0
        while len(answer) < TRAILER_WORDS:
            valid = place < len(packet) and not next(stalled)
            ctx.set(part.words.valid, valid)
            if valid:
                ctx.set(part.words.payload, {"data": packet[place], "last": place == len(packet) - 1})
            _, _, taken, load, given, word = await ctx.tick().sample(
                part.words.ready, part.load, part.answer.valid, part.answer.payload
            )
            place += int(valid and taken)
            if given:
                answer.append(int(word["data"]))
            if load["memory"] != Memory.NONE:
                bits = BITS.get(load["memory"], design.widths.word_bits)
                key = (load["memory"], int(load["address"]), int(load["lane"]))
                assert key not in writes, key
                writes[key] = int(load["data"]) & (1 << bits) - 1
        kept.append(ctx.get(part.header))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        simulator = Simulator(part)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run_until(0.1)
    return writes, answer, kept[0]


@pytest.mark.parametrize("name", CASES)
def test_memories_hold_the_image(name: str) -> None:
    spec, pes = CASES[name]
    net = network(np.random.default_rng(4), spec)
    design = choose_design(net, pes=pes, gap_bits=4)
    assert design.acc_banks == BANKS.get(name, 2)
    check(design, encoded(net, design))


def check(design: Design, image: Image) -> None:
    writes, answer, kept = loaded(design, load_packet(image.words).tolist(), np.random.default_rng(1))
    trailer = read_trailer(np.array(answer, dtype=np.uint32))
    assert (trailer.error, trailer.image_id) == (ErrorCode.OK, image.image_id)
    assert writes == expected(image, design)
    assert kept["phases"] == len(image.phases)
    assert kept["inputs"] == image.header["inputs"]
    assert kept["alternate"] == image.alternate
    lines = [kept[line][part] for line in ("gate_line", "cell_line") for part in ("slope", "offset")]
    words = [image.header["gate_line"], image.header["cell_line"]]
    assert lines == [half for word in words for half in (word & 0xFFFF, word >> 16)]
    assert design.widths.word_bits in (RAM_BITS, 2 * RAM_BITS)
