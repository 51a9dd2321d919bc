"""The answers do not depend on how many stages HLS puts between an accumulator RAM's read and its write.

HLS may choose any number below the distance that the pragma states. Each is run: a type in place of the RAM's words
(`delayed.h`) shows a write only to reads that come after it in such a pipeline.
"""

from __future__ import annotations

import ctypes
from pathlib import Path

import numpy as np
import pytest

from ese_hls.emulate import compile_emulator
from ese_host.device.emulated import EmulatedEngine
from support import compiled_engine
from support.designs import PATTERNS, roomy
from support.networks import inputs, network, widened

HERE = Path(__file__).parent
DISTANCE = 3
"""Iterations from a write to the first read that needs it, as csrc states it."""
DESIGNS = ["google-lstm", "more-pes-than-rows", "delta-google"]
NETWORKS = 30


def delayed(name: str, folder: Path) -> ctypes.CDLL:
    """The engine of a design, compiled with words that show a write late."""
    _, design = roomy(name)
    compiled_engine.write_sources(folder, design)
    config = folder / "csrc" / "config.h"
    config.write_text(f'#define ESE_LATENCY_TEST "{HERE / "delayed.h"}"\n{config.read_text()}')
    return ctypes.CDLL(str(compile_emulator(folder, folder / "engine.so")))


def wrong_networks(name: str, library: ctypes.CDLL, stages: int) -> int:
    """The number of networks whose answers differ from the golden model's, of `NETWORKS`.

    Args:
        name: of the design.
        library: its engine.
        stages: stages between the read and the write.
    """
    spec, design = roomy(name)
    library.latency_set(stages)
    wrong = 0
    for seed in range(NETWORKS):
        rng = np.random.default_rng(seed)
        pattern, density = PATTERNS[seed % len(PATTERNS)], (0.02, 0.1, 0.5)[seed % 3]
        net = network(rng, widened(spec, pattern=pattern, density=density))
        codes = inputs(rng, net, 2, 3)
        with EmulatedEngine(library) as engine:
            made = compiled_engine.load(engine, net, design, "auto" if seed % 2 else "full")
            try:
                compiled_engine.compare(engine, net, made, codes)
            except AssertionError:
                wrong += 1
    return wrong


@pytest.mark.xfail(strict=True, reason="csrc drains sums that a schedule of HLS may not have written yet")
@pytest.mark.parametrize("name", DESIGNS)
def test_answers_do_not_depend_on_the_stages_of_an_addition(name: str, tmp_path: Path) -> None:
    library = delayed(name, tmp_path)
    found = {stages: wrong_networks(name, library, stages) for stages in range(DISTANCE + 2)}
    assert found == dict.fromkeys(range(DISTANCE + 2), 0)
