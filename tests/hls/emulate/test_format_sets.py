# SPDX-License-Identifier: Apache-2.0
"""Networks whose recurrent layers differ in formats, on the compiled engine: exact, in one design of several sets."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest

from ese_hls.encode.fit_design import choose_design
from ese_host.device.emulated import EmulatedEngine
from support.compiled_engine import compare, compare_integers, library, load
from support.images.mixed_networks import mixed_network
from support.networks import Spec, inputs

CASES: dict[str, tuple[Spec, Literal["stream", "skip"], int]] = {
    "lstm": (Spec(units=(4, 3, 5), cells=("lstm", "lstm", "lstm"), density=0.5), "stream", 3),
    "gru and lstm": (Spec(units=(5, 4, 3), cells=("gru", "lstm", "gru_before"), kind="int4", density=0.5), "stream", 4),
    "delta": (Spec(units=(4, 6), cells=("lstm", "gru"), delta=(3, 5), density=0.5, outputs=0), "skip", 2),
}


def outputs_are_exact(name: str, seed: int) -> None:
    spec, mode, pes = CASES[name]
    rng = np.random.default_rng(seed)
    net = mixed_network(rng, spec)
    design = choose_design(net, pes=pes, mode=mode)
    assert len(design.sets) > 1
    with EmulatedEngine(library(design)) as engine:
        loaded = load(engine, net, design)
        for rails in (False, True):
            compare(engine, net, loaded, inputs(rng, net, 2, 6, rails=rails))


@pytest.mark.parametrize("name", CASES)
def test_layers_of_several_formats_are_exact(name: str) -> None:
    outputs_are_exact(name, 1)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 12))
@pytest.mark.parametrize("name", CASES)
def test_random_layers_of_several_formats_are_exact(name: str, seed: int) -> None:
    outputs_are_exact(name, seed)


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_no_value_depends_on_the_width_of_its_type(name: str) -> None:
    spec, mode, pes = CASES[name]
    rng = np.random.default_rng(1)
    net = mixed_network(rng, spec)
    compare_integers(net, choose_design(net, pes=pes, mode=mode), inputs(rng, net, 2, 6, rails=True))
