# SPDX-License-Identifier: Apache-2.0
"""The pages are complete: an interpreter written from only them answers RUN as the compiled engine does."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ese_hls.encode import encoder
from ese_hls.encode.fit_design import choose_design
from ese_hls.encode.storage_choice import Storage
from ese_host.device.emulated import EmulatedEngine
from ese_host.ir import golden
from ese_host.protocol import Operation, packets
from support.compiled_engine import library
from support.designs import PATTERNS, roomy
from support.networks import inputs, large_sums, network, widened
from support.second_decoder import Facts, Interpreter, decode

NAMES = [
    *("keras-lstm", "one-pe", "uneven", "google-lstm", "stacked", "ttq", "dense", "int12"),
    *("fc-codebook", "fc-shallow", "zero-skipping-lstm", "delta-lstm", "delta-google", "delta-stacked"),
    *("gru-before", "lstm-gru", "zero-skipping-gru", "delta-gru-lstm"),
]


@pytest.mark.parametrize("name", NAMES)
def test_interpreter_answers_as_the_engine(name: str) -> None:
    spec, design = roomy(name)

    @settings(max_examples=5)
    @given(
        seed=st.integers(0, 2**32 - 1),
        pattern=st.sampled_from(PATTERNS),
        storage=st.sampled_from(["auto", "full"]),
        rails=st.booleans(),
    )
    def check(seed: int, pattern: str, storage: Storage, rails: bool) -> None:
        rng = np.random.default_rng(seed)
        net = network(rng, widened(spec, pattern=pattern))
        data = encoder.encode(net, design, storage if design.full_phases else "auto")
        facts = Facts.of(design.to_json())
        image = decode(data, facts)
        interpreter = Interpreter(image, facts)
        with EmulatedEngine(library(design)) as engine:
            loaded = engine.packet(packets.load_packet(np.frombuffer(data, dtype="<u4")), packets.TRAILER_WORDS)
            packets.read_trailer(loaded).require(Operation.LOAD)
            for trace, keep in ((False, False), (True, True), (False, True), (True, False)):
                codes = inputs(rng, net, 2, int(rng.integers(1, 4)), rails, density=0.7, moves=0.6)
                request = packets.run_packet(image.crc, list(codes), net.source, trace=trace, keep=keep)
                answer = engine.packet(request, 1 << 16)
                packets.read_trailer(answer).require(Operation.RUN)
                words = interpreter.answer([int(word) for word in request])
                assert words and words == answer[: -packets.TRAILER_WORDS].tolist()

    check()


def test_interpreter_knows_sums_beyond_2048() -> None:
    rng = np.random.default_rng(5)
    net = large_sums(rng)
    design = choose_design(net, pes=2)
    data = encoder.encode(net, design)
    facts = Facts.of(design.to_json())
    image = decode(data, facts)
    codes = rng.choice([net.source.low, net.source.high, 17], (8, 1, net.inputs))
    request = packets.run_packet(image.crc, list(codes), net.source)
    words = np.array(Interpreter(image, facts).answer([int(word) for word in request]), dtype="<u4")
    result = golden.run(net, codes)
    output_frac = image.header["formats"] & 0xFF
    exact = np.left_shift(result.outputs, output_frac - result.frac)
    assert output_frac == 30
    assert np.array_equal(words.view("<i8"), exact.ravel())
