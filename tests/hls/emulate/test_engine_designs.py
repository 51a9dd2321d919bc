# SPDX-License-Identifier: Apache-2.0
"""Random designs (shapes, PEs, gap bits, formats, banks, units), each with several random networks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ese_hls.encode.fit_design import choose_design
from ese_host.device.emulated.engine import EmulatedEngine
from ese_host.errors import CapacityError
from ese_host.image import Design, sum_frac
from ese_host.ir import Dense, Fixed
from support import compiled_engine
from support.designs import PATTERNS
from support.networks import HARD, HARD8, SMOOTH, SMOOTH8, SMOOTH16, Rng, Spec, inputs, large_sums, network, widened


def random_spec(rng: Rng) -> Spec:
    """A random network that the engine supports, small enough to run many of them."""
    layers = int(rng.integers(0, 3))
    hidden = tuple(int(n) for n in rng.integers(1, 9, rng.integers(0 if layers else 1, 3)))
    projection = int(rng.integers(0, 2) * rng.integers(1, 9)) if layers else 0
    state = Fixed(int(rng.integers(6, 17)), int(rng.integers(1, 5)))
    return Spec(
        kind=rng.choice(["ternary", "int4", "int8", "int12", "int16", "codebook4"]),
        inputs=int(rng.integers(1, 20)),
        units=tuple(int(u) for u in rng.integers(1, 14, layers)),
        cells=tuple(rng.choice(["lstm", "gru", "gru_before"], layers)),
        projection=projection,
        peepholes=bool(rng.integers(2)),
        outputs=int(rng.integers(1, 12)) if hidden or not projection else 0,
        hidden=hidden,
        activations=[SMOOTH8, SMOOTH16, SMOOTH, HARD8, HARD][rng.integers(5)],
        sequences=bool(rng.integers(2)) or not layers,
        two_scales=bool(rng.integers(2)),
        source=Fixed(int(rng.integers(4, 17)), int(rng.integers(1, 4)), signed=bool(rng.integers(2))),
        state=state,
        output=[Fixed(16, 1), state][rng.integers(2)],
        reset=[None, Fixed(6, state.integer - 1, symmetric=True)][rng.integers(2)],
    )


def random_design(rng: Rng) -> tuple[Spec, Design]:
    """A random network without zero weights, and the smallest design that holds it."""
    while True:
        spec = random_spec(rng)
        pes, gap_bits = int(rng.integers(1, 21)), int(rng.integers(2, 9))
        try:
            full = network(rng, widened(spec, pattern="full"))
            design = choose_design(full, pes=pes, gap_bits=gap_bits, storage="sparse")
            return spec, replace(design, full_phases=bool(rng.integers(2)))
        except CapacityError as error:  # 16-bit levels, inputs and scales together may exceed the 48 bits of a sum
            assert "a sum of its weights times inputs" in str(error)


def compare_design(seed: int, networks: int) -> None:
    """Compile one random design and run random and adversarial networks on it."""
    rng = np.random.default_rng(seed)
    spec, smallest = random_design(rng)
    # sparse columns may need padding, a full matrix needs none
    design = replace(smallest, entry_depth=8 * smallest.entry_depth)
    exact = 0
    with EmulatedEngine(compiled_engine.library(design)) as emulator:
        for _ in range(networks):
            pattern, density = str(rng.choice(PATTERNS)), float(rng.choice([0.02, 0.1, 0.5]))
            net = network(rng, widened(spec, pattern=pattern, density=density))
            try:
                made = compiled_engine.load(emulator, net, design, rng.choice(["auto", "full"]))
            except CapacityError as error:  # 2-bit gaps in a wide matrix, or 16-bit levels that are all large
                assert "words of weights" in str(error) or "a sum of its weights" in str(error)
                continue
            codes = inputs(rng, net, 2, int(rng.integers(1, 6)), bool(rng.integers(2)))
            exact += compiled_engine.compare(emulator, net, made, codes) > 0
    assert exact >= networks // 2


@pytest.mark.parametrize("seed", range(6))
def test_random_design(seed: int) -> None:
    compare_design(seed, 9)


def test_sums_beyond_2048_are_exact() -> None:
    rng = np.random.default_rng(5)
    net = large_sums(rng)
    assert [sum_frac(layer) for layer in net.layers if isinstance(layer, Dense)] == [31, 30]
    design = choose_design(net, pes=2)
    codes = np.where(net.layers[0].kernel.levels[0] > 0, net.source.high, net.source.low)  # the largest sum of a row
    codes = np.concatenate([codes[None] >> np.arange(16)[:, None], rng.integers(-(1 << 15), 1 << 15, (24, len(codes)))])
    with EmulatedEngine(compiled_engine.library(design)) as emulator:
        made = compiled_engine.load(emulator, net, design)
        assert made.output_frac == 30
        assert compiled_engine.compare(emulator, net, made, codes[:, None]) > 0


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 150))
def test_fifty_more_random_designs(seed: int) -> None:
    compare_design(seed, 20)
