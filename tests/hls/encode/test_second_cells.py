"""GRU cells and format sets: the second decoder gives the network back, and its interpreter equals the golden model."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ese_hls.encode import choose_design, encoder
from ese_hls.encode.compressed import compress
from ese_host.check.compare import expected_stages
from ese_host.image import Design
from ese_host.ir import Codes, Network, golden
from ese_host.ir.weight_kinds import WeightKind
from ese_host.protocol import AnswerShape, packets
from support.decoded_image import check_image, facts
from support.designs import PATTERNS
from support.mixed_networks import ACTIVATIONS, mixed_network
from support.networks import Cell, Spec, inputs
from support.second_decoder import Interpreter, expand

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


@settings(max_examples=60)
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
