# SPDX-License-Identifier: Apache-2.0
"""ESE's layer at full size on the engine in RTL: exact, clock by clock, and with DSPs instead of their behaviour."""

from __future__ import annotations

import ctypes
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from ese_hls.encode import choose_design
from ese_host.device.emulated import EmulatedEngine
from ese_host.image import Design
from ese_host.ir import Network
from ese_rtl.simulate import rtlil_of, simulator
from support import compiled_engine
from support.ese_layer import INPUTS, ese_layer
from support.rtl_engine import WatchedEngine, declared, opened

VALUES = 3 * 1024 + 3 * 512
"""Values of a step that are compared: m, c and y, each exact and stored where it is both."""


@cache
def layer(pes: int = 64, units: int = 1) -> tuple[Network, Design]:
    """The layer and its design, which has an activation window of 64 columns."""
    network = ese_layer(pes)
    return network, choose_design(network, pes=pes, gap_bits=5, cells_per_cycle=units, window=64)


def compare(library: ctypes.CDLL, steps: int, pes: int = 64, units: int = 1) -> None:
    """Run the layer with and without trace.

    Args:
        library: the engine.
        steps: number of steps.
        pes: number of its PEs.
        units: number of its element-wise units.
    """
    network, design = layer(pes, units)
    frames = np.random.default_rng(2).integers(-(1 << 13), 1 << 13, (1, steps, INPUTS))
    twin = EmulatedEngine(compiled_engine.library(design))
    with twin, WatchedEngine(design, library, twin) as engine:
        loaded = compiled_engine.load(engine, network, design)
        assert compiled_engine.compare(engine, network, loaded, frames) == steps * VALUES
        assert engine.runs == 2


@pytest.mark.slow
def test_three_steps_are_exact_and_take_the_cycles_of_the_model(tmp_path: Path) -> None:
    """The engine comes from the user's cache of compiled engines, if it was compiled before."""
    compare(declared(ctypes.CDLL(str(simulator(layer()[1], tmp_path / "design.bit")))), steps=3)


@pytest.mark.slow
def test_three_steps_on_128_pes_and_two_units() -> None:
    design = layer(128, 2)[1]
    compare(opened(rtlil_of(design), design), steps=3, pes=128, units=2)


@pytest.mark.slow
def test_a_step_with_dsps_is_exact() -> None:
    """With instances of DSP48E1, simulated by Yosys's model of it."""
    design = layer()[1]
    compare(opened(rtlil_of(design, primitive=True), design), steps=1)
