# SPDX-License-Identifier: Apache-2.0
"""The compiled engine against the golden model on random networks, bit for bit."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ese_hls.encode.storage_choice import Storage
from ese_host.device.emulated.engine import EmulatedEngine
from support import compiled_engine
from support.designs import PATTERNS, roomy
from support.networks import inputs, network, widened


def compare_random_networks(name: str, examples: int, **vectors: st.SearchStrategy[Any]) -> None:
    """Run many networks on one compiled engine: random and adversarial weights, inputs in their range or at its ends.

    Args:
        name: name of a design of `support.designs`.
        examples: largest number of networks.
        vectors: strategies for further arguments of `support.networks.inputs`.
    """
    spec, design = roomy(name)

    @settings(max_examples=examples)
    @given(
        seed=st.integers(0, 2**32 - 1),
        pattern=st.sampled_from(PATTERNS),
        density=st.sampled_from([0.02, 0.1, 0.5]),
        told=st.fixed_dictionaries(vectors),
        steps=st.integers(1, 5),
        rails=st.booleans(),
        storage=st.sampled_from(["auto", "full"]),
    )
    def check(
        seed: int, pattern: str, density: float, told: dict[str, Any], steps: int, rails: bool, storage: Storage
    ) -> None:
        rng = np.random.default_rng(seed)
        net = network(rng, widened(spec, pattern=pattern, density=density))
        codes = inputs(rng, net, 2, steps, rails, **told)
        with EmulatedEngine(compiled_engine.library(design)) as emulator:
            made = compiled_engine.load(emulator, net, design, storage)
            assert compiled_engine.compare(emulator, net, made, codes) > 0

    check()
