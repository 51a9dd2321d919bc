# SPDX-License-Identifier: Apache-2.0
"""Random networks on the engine's C++ under sanitizers, with overflow and shifts checked: every output is exact."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from ese_hls.encode import Storage, encoder
from ese_host.ir import Network, golden
from ese_host.ir.fixed import Codes
from ese_host.protocol import AnswerShape, packets
from support.designs import (
    GRU_SKIP_SPECS,
    GRU_SPECS,
    GRU_WINDOW_SPECS,
    PATTERNS,
    SKIP_SPECS,
    SPECS,
    WINDOW_SPECS,
    roomy,
)
from support.fuzz.engine_images import compile_server
from support.networks import inputs, network, widened

DESIGNS = [*SPECS, *SKIP_SPECS, *WINDOW_SPECS]
GRU_DESIGNS = [*GRU_SPECS, *GRU_SKIP_SPECS, *GRU_WINDOW_SPECS]
QUICK = ("google-lstm", "delta-google", "uneven", "gru-lstm")
SEQUENCES, STEPS = 2, 3


def exchange(name: str, seed: int) -> tuple[Network, Codes, list[packets.Words]]:
    """A random network on a design, its input codes, and the packets that load and run it."""
    spec, design = roomy(name)
    rng = np.random.default_rng(seed)
    pattern, density = PATTERNS[seed % len(PATTERNS)], (0.02, 0.1, 0.5, 1.0)[seed % 4]
    net = network(rng, widened(spec, pattern=pattern, density=density))
    codes = inputs(rng, net, SEQUENCES, STEPS, rails=seed % 3 == 0, density=(1.0, 0.5)[seed % 2])
    storage: Storage = "full" if design.full_phases and seed % 5 == 0 else "auto"
    image = np.frombuffer(encoder.encode(net, design, storage), "<u4")
    return net, codes, [packets.load_packet(image), packets.run_packet(int(image[-1]), list(codes), net.source)]


def compare(name: str, networks: int, folder: Path) -> None:
    """Run networks on one engine and compare all outputs with the golden model's."""
    program = compile_server(name, folder)
    exchanges = [exchange(name, seed) for seed in range(networks)]
    with (folder / "in").open("wb") as stream:
        stream.write(bytes(4))  # a new engine
        for _, _, sent in exchanges:
            for packet in sent:
                stream.write(np.array([len(packet), *packet], "<u4").tobytes())
    run = subprocess.run([program, folder / "in", folder / "out"], capture_output=True, text=True, timeout=1200)
    assert run.returncode == 0, run.stderr
    words = np.frombuffer((folder / "out").read_bytes(), "<u4")
    for net, codes, _ in exchanges:
        loaded, words = words[1 : 1 + words[0]], words[1 + words[0] :]
        packets.read_trailer(loaded).require(packets.Operation.LOAD)
        answer, words = words[1 : 1 + words[0]], words[1 + words[0] :]
        packets.read_trailer(answer).require(packets.Operation.RUN)
        shape, expected = AnswerShape.of(net), golden.run(net, codes)
        outputs, _ = shape.read(answer, [STEPS] * SEQUENCES, trace=False)
        np.testing.assert_array_equal(outputs, expected.outputs << (shape.frac - expected.frac))
    assert not len(words)


@pytest.mark.parametrize("name", QUICK)
def test_outputs_are_exact_under_sanitizers(name: str, tmp_path: Path) -> None:
    compare(name, 12, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", DESIGNS)
def test_a_thousand_networks_are_exact_under_sanitizers(name: str, tmp_path: Path) -> None:
    compare(name, -(-1000 // len(DESIGNS)), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", GRU_DESIGNS)
def test_five_hundred_networks_with_gru_are_exact_under_sanitizers(name: str, tmp_path: Path) -> None:
    compare(name, -(-500 // len(GRU_DESIGNS)), tmp_path)
