# SPDX-License-Identifier: Apache-2.0
"""ESE's layer at full size: exact, within its cycles, and without compilation for other weights."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

from ese_hls.encode import encoder, fit_design
from ese_host import image
from ese_host.device.emulated.engine import EmulatedEngine
from ese_host.estimate import cycles
from support import compiled_engine
from support.ese_layer import INPUTS, WEIGHTS, ese_layer


@pytest.mark.parametrize(("pes", "limit", "whole", "matvec"), [(64, 5600, 0.90, 0.97), (128, 2950, 0.86, 0.96)])
def test_cycles_and_utilisation(pes: int, limit: int, whole: float, matvec: float) -> None:
    network = ese_layer(pes)
    design = fit_design.choose_design(network, pes=pes)
    start = time.perf_counter()
    made = image.parse(np.frombuffer(encoder.encode(network, design), dtype="<u4"), design)
    assert time.perf_counter() - start < 10
    long, short = cycles.account(made, design, 30), cycles.account(made, design, 20)
    step = (long.total - short.total) / 10
    matrix = (long.matrix - short.matrix) / 10
    kept = made.header["weights"]
    assert kept == pytest.approx(0.1 * WEIGHTS, rel=1e-3)
    assert step <= limit
    assert kept / (pes * step) >= whole
    assert kept / (pes * matrix) >= matvec
    # a matrix-vector phase takes as many cycles as the fullest PE has entries, here within 40 of the mean
    for phase, counts in zip(made.phases, made.counts, strict=True):
        assert phase.entry_count == counts.max() <= counts.mean() + 40


@pytest.mark.slow
def test_two_networks_on_one_engine_are_exact() -> None:
    """3.2 million weights pruned to 10% give every m, h, c and y exactly; so do other weights on the same engine."""
    first, second = ese_layer(64), ese_layer(64, seed=1, density=0.08)
    design = fit_design.choose_design(first, pes=64)
    frames = np.random.default_rng(2).integers(-(1 << 13), 1 << 13, (1, 3, INPUTS))
    with EmulatedEngine(compiled_engine.library(design)) as engine:
        for network in (first, second, replace(first)):
            made = compiled_engine.load(engine, network, design)
            assert compiled_engine.compare(engine, network, made, frames) == 3 * (3 * 1024 + 3 * 512)
