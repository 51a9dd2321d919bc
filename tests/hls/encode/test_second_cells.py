# SPDX-License-Identifier: Apache-2.0
"""GRU cells and format sets: the second decoder gives the network back, and its interpreter equals the golden model."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ese_hls.encode import choose_design, encoder
from ese_hls.encode.compressed import compress
from ese_host.check.compare import expected_stages
from ese_host.image import Design
from ese_host.ir import Codes, Network, golden
from ese_host.ir.weight_kinds import WeightKind
from ese_host.protocol import AnswerShape, packets
from support.designs import PATTERNS, roomy
from support.images.decoded import changed, check_image, facts
from support.images.mixed_networks import ACTIVATIONS, mixed_network
from support.networks import Cell, Spec, inputs, network, widened
from support.second_decoder import Facts, Interpreter, RefusedImageError, decode, expand, section_sizes

KINDS: tuple[WeightKind, ...] = ("ternary", "int4", "int8", "int12", "int16", "codebook4")
CELLS: tuple[Cell, ...] = ("lstm", "gru", "gru_before")
LAYERS: tuple[tuple[Cell, ...], ...] = (
    *((cell,) for cell in CELLS),
    *((first, second) for first in CELLS for second in CELLS),
    ("gru_before", "lstm", "gru", "gru_before"),
)
Delta = tuple[int | None, int | None]


def answer(interpreter: Interpreter, net: Network, codes: Codes, trace: bool, keep: bool) -> tuple[Codes, list[Any]]:
    """What an interpreter answers to a RUN of equally long sequences: outputs, and the stages of a trace."""
    request = packets.run_packet(interpreter.image.crc, list(codes), net.source, trace=trace, keep=keep)
    words = interpreter.answer([int(word) for word in request])
    whole = np.array([*words, *[0] * packets.TRAILER_WORDS], dtype="<u4")
    return AnswerShape.of(net).read(whole, [codes.shape[1]] * len(codes), trace)


def check_answers(interpreter: Interpreter, net: Network, codes: Codes) -> None:
    """Check an interpreter's answers with and without trace, and of sequences in two parts, the second with *keep*."""
    shape, result = AnswerShape.of(net), golden.run(net, codes)
    expected = result.outputs << shape.frac - result.frac
    np.testing.assert_array_equal(answer(interpreter, net, codes, trace=False, keep=False)[0], expected)
    outputs, stages = answer(interpreter, net, codes, trace=True, keep=False)
    np.testing.assert_array_equal(outputs, expected)
    traced = list(zip(stages, expected_stages(net, result, shape), strict=True))
    for stage, wanted in traced:
        np.testing.assert_array_equal(stage.exact, wanted.exact)
        np.testing.assert_array_equal(stage.stored, 0 if wanted.stored is None else wanted.stored)
        np.testing.assert_array_equal(stage.cell, 0 if wanted.cell is None else wanted.cell)
    part = codes.shape[1] // 2
    for sequence in range(len(codes)):
        one = slice(sequence, sequence + 1)
        answer(interpreter, net, codes[one, :part], trace=False, keep=False)
        _, stages = answer(interpreter, net, codes[one, part:], trace=True, keep=True)
        for stage, (_, wanted) in zip(stages, traced, strict=True):
            np.testing.assert_array_equal(stage.exact, wanted.exact[one, part if stage.stage.every_step else 0 :])


def check(net: Network, design: Design, storage: Literal["auto", "full"], codes: Codes) -> None:
    """Check that an image gives its network back in both of its forms, and what the interpreter answers with it."""
    data = encoder.encode(net, design, storage)
    image = check_image(data, net, design)
    stored = compress(np.frombuffer(data, dtype="<u4"), design)
    assert expand(stored.astype("<u4").tobytes(), facts(design)) == data
    check_answers(Interpreter(image, facts(design)), net, codes)


@settings(max_examples=40)
@given(
    seed=st.integers(0, 2**32 - 1),
    kind=st.sampled_from(KINDS),
    cells=st.sampled_from(LAYERS),
    pes=st.sampled_from([1, 2, 3, 4, 7, 16]),
    gap_bits=st.integers(2, 6),
    units=st.sampled_from([1, 2]),
    pattern=st.sampled_from(PATTERNS),
    mode=st.sampled_from(["stream", "window", "skip", "delta"]),
    full=st.booleans(),
    ends=st.sampled_from([((), 3, False), ((), 0, True), ((), 0, False), ((4,), 2, True)]),
    two_scales=st.booleans(),
    one_set=st.booleans(),
    rails=st.booleans(),
)
def test_random_cells_in_any_design(
    seed: int, kind: WeightKind, cells: tuple[Cell, ...], pes: int, gap_bits: int, units: int, pattern: str,
    mode: str, full: bool, ends: tuple[tuple[int, ...], int, bool], two_scales: bool, one_set: bool, rails: bool,
) -> None:  # fmt: skip
    rng = np.random.default_rng(seed)
    hidden, outputs, sequences = ends
    deltas: list[Delta] = [(0, None), (900, 40), (None, 60)]
    spec = Spec(
        kind=kind, inputs=int(rng.integers(1, 6)), units=tuple(int(rng.integers(2, 6)) for _ in cells),
        cells=cells, outputs=outputs, hidden=hidden, sequences=sequences, two_scales=two_scales and kind == "ternary",
        delta=deltas[rng.integers(3)] if mode == "delta" else (None, None), pattern=pattern,
        activations=ACTIVATIONS[rng.integers(len(ACTIVATIONS))],
    )  # fmt: skip
    net = mixed_network(rng, spec, one_set)
    design = choose_design(
        net, pes=pes, gap_bits=gap_bits, cells_per_cycle=1 if pes % 2 else units,
        mode="skip" if mode in ("skip", "delta") else "stream", window=8 if mode == "window" else 0,
        storage="full" if full else "auto",
    )  # fmt: skip
    check(net, design, "full" if full else "auto", inputs(rng, net, 2, 4, rails, density=0.7, moves=0.6))


@settings(max_examples=15)
@given(
    seed=st.integers(0, 2**32 - 1),
    kind=st.sampled_from(KINDS),
    cells=st.tuples(st.sampled_from(CELLS), st.sampled_from(CELLS), st.sampled_from(CELLS)),
    skip=st.booleans(),
)
def test_networks_that_share_a_design(seed: int, kind: WeightKind, cells: tuple[Cell, ...], skip: bool) -> None:
    """Each image names the sets of its own layers; the lines of the others' sets are zero, which the decoder checks."""
    rng = np.random.default_rng(seed)
    spec = Spec(kind=kind, inputs=3, outputs=2)
    nets = [mixed_network(rng, widened(spec, cells=part, units=(4,) * len(part))) for part in (cells[:2], cells[2:])]
    design = choose_design(*nets, pes=3, mode="skip" if skip else "stream")
    for net in nets:
        check(net, design, "auto", inputs(rng, net, 1, 4))


def made(name: str) -> tuple[bytes, Facts]:
    spec, design = roomy(name)
    return encoder.encode(network(np.random.default_rng(0), spec), design), facts(design)


def record_word(data: bytes, known: Facts, phase: int, word: int) -> int:
    """Number of the word of an image that is a certain word of a phase's record."""
    header = decode(data, known).header
    sizes = section_sizes(header, known)
    return sizes["header"] + sizes["phase table"] // header["phases"] * phase + word


@pytest.mark.parametrize(
    ("name", "phase", "word", "flipped", "message"),
    [
        ("gru", 0, 6, 1 << 26, "a kind of cell that the design lacks"),
        ("gru", 0, 6, 2 << 26, "parts that make no layer"),
        ("gru", 0, 6, 3 << 26, "parts that make no layer"),
        ("gru", 1, 6, 1 << 26, "a kind of cell or a format set without cells"),
        ("gru", 0, 6, 1 << 8, "two binary points of a recurrent kernel"),
        ("gru", 0, 0, 1 << 14, "peepholes without an LSTM"),
        ("gru", 0, 0, 1 << 12, "an output's format for the first target without an LSTM"),
        ("gru", 0, 8, 1, "limits of an output that has none"),
        ("gru", 2, 6, 1 << 8, "a shift of peepholes that there are not"),
        ("gru-before", 0, 6, 1 << 26, "limits of an output that has none"),
        ("gru-before", 2, 6, 1 << 26, "parts that make no layer"),
        ("gru-before", 2, 9, 3 << 8, "a matrix that is there twice"),
        ("gru-before", 1, 9, 2 << 8, "parts that make no layer"),
        ("gru-before", 0, 5, 1, "a reset stage of other cells than the candidate's"),
        ("gru-before", 0, 6, 1 << 8, "a reset stage of other cells than the candidate's"),
        ("gru-before", 0, 4, 1, "a reset stage that the candidate does not read"),
        ("gru-before", 0, 0, 1 << 15, "a reset stage that the candidate does not read"),
        ("gru-before", 0, 0, 1 << 9, "outputs of a reset stage"),
        ("gru-before", 0, 0, 1 << 6, "a state that is read in a first step"),
        ("gru-before", 2, 0, 1 << 6, "a state that is read in a first step"),
        ("zero-skipping-gru", 0, 0, 1 << 19, "delta in a GRU without reset_after"),
    ],
)
def test_contradictions_of_cells_are_refused(name: str, phase: int, word: int, flipped: int, message: str) -> None:
    data, known = made(name)
    with pytest.raises(RefusedImageError, match=f"^{message}$"):
        decode(changed(data, (record_word(data, known, phase, word), flipped)), known)


def test_a_candidate_stands_behind_the_other_matrices() -> None:
    data, known = made("gru-before")
    first, second = (record_word(data, known, phase, 0) for phase in (1, 2))
    words = np.frombuffer(data, dtype="<u4")
    flips = [
        (place + word, int(words[first + word] ^ words[second + word]))
        for word in range(second - first)
        for place in (first, second)
    ]
    with pytest.raises(RefusedImageError, match=r"^a candidate before the other matrices of its layer$"):
        decode(changed(data, *flips), known)


def test_a_layer_has_one_stage_of_its_cells() -> None:
    data, known = made("gru-before")
    begin = record_word(data, known, 0, 0)
    limits = [(begin + word, int(np.frombuffer(data, dtype="<u4")[begin + word])) for word in (7, 8)]
    shift = int(np.frombuffer(data, dtype="<u4")[begin + 6]) & 0x3F << 16
    with pytest.raises(RefusedImageError, match=r"^cells in two matrices$"):
        decode(changed(data, (begin + 6, shift | 1 << 26), *limits), known)


@pytest.mark.parametrize(
    ("name", "section", "half", "message"),
    [
        ("gru-before", "scales and biases", "bias", "parameters of no row"),
        ("gru", "peepholes", "first", "peepholes of cells that have none"),
        ("gru", "header", "gate line", "a slope or an offset of no activation"),
    ],
)
def test_numbers_of_nothing_are_refused(name: str, section: str, half: str, message: str) -> None:
    data, known = made(name)
    sizes = section_sizes(decode(data, known).header, known)
    begin = sum(sizes[part] for part in list(sizes)[: list(sizes).index(section)])
    field = {"bias": 3 * (known.banks + 1) + known.banks, "first": 0, "gate line": 2 * 12}[half]
    with pytest.raises(RefusedImageError, match=f"^{message}$"):
        decode(changed(data, (begin + field // 2, 1 << 16 * (field % 2))), known)
