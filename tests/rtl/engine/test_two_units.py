# SPDX-License-Identifier: Apache-2.0
"""Two element-wise units in RTL, every clock simulated: exact on random networks, and alike csrc's."""

from __future__ import annotations

import pytest

from ese_host.errors import UnsupportedError
from ese_rtl.simulate import rtlil_of
from support.designs import SKIP_SPECS, roomy
from support.rtl_engine import compare_networks

DENSITIES = (0.0, 0.1, 0.6, 1.0)
DESIGNS = {"delta-google": (8, 6)}
"""Names of designs in the default run, with their PEs and a number of networks."""
SLOW = {name: pes + pes % 2 for name, (_, pes, _) in SKIP_SPECS.items()} | {"delta-stacked": 6}
"""Names of designs with their PEs: each unit has one, two, three or four."""


@pytest.mark.parametrize("name", DESIGNS)
def test_random_networks_are_exact_on_two_units(name: str) -> None:
    pes, networks = DESIGNS[name]
    compare_networks(name, networks, densities=DENSITIES, cells_per_cycle=2, pes=pes, moves=0.4)


@pytest.mark.slow
@pytest.mark.parametrize("name", SLOW)
def test_five_hundred_random_networks_on_two_units(name: str) -> None:
    networks = -(-500 // len(SLOW))
    compare_networks(name, networks, 1, DENSITIES, cells_per_cycle=2, pes=SLOW[name], moves=0.4)


def test_two_units_without_a_window_are_refused_in_stream_mode() -> None:
    with pytest.raises(UnsupportedError, match=r"has 2 element-wise units and no activation window.*--window 64"):
        rtlil_of(roomy("keras-lstm", cells_per_cycle=2)[1])
