"""Skip mode: the compiled engine against the golden model, bit for bit, whatever is zero or unchanged."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ese_hls.simulate import Emulator
from support import engine as engines
from support.designs import SKIP_SPECS, roomy
from support.networks import inputs, network, widened

PATTERNS = ["random", "full", "column", "row", "corner"]


@pytest.mark.parametrize("name", SKIP_SPECS)
def test_engine_equals_golden(name: str) -> None:
    """One compiled engine, many images: random and adversarial weights, vectors dense, sparse, zero or at the rails."""
    spec, design = roomy(name)

    @settings(max_examples=12)
    @given(
        seed=st.integers(0, 2**32 - 1),
        pattern=st.sampled_from(PATTERNS),
        density=st.sampled_from([0.02, 0.1, 0.5]),
        active=st.sampled_from([0.0, 0.1, 0.6, 1.0]),
        steps=st.integers(1, 5),
        rails=st.booleans(),
    )
    def check(seed: int, pattern: str, density: float, active: float, steps: int, rails: bool) -> None:
        rng = np.random.default_rng(seed)
        net = network(rng, widened(spec, pattern=pattern, density=density))
        codes = inputs(rng, net, 2, steps, rails, density=active, moves=0.4)
        with Emulator(engines.library(design)) as emulator:
            made = engines.load(emulator, net, design)
            assert engines.compare(emulator, net, made, codes) > 0

    check()
