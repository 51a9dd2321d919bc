"""GRU cells in RTL, every clock simulated: exact on random networks, alike csrc's, and as long as modelled."""

from __future__ import annotations

import pytest

from support.designs import GRU_SKIP_SPECS, GRU_SPECS, GRU_WINDOW_SPECS
from support.rtl_engine import compare_networks

UNITS = {"gru-lstm": 1, "gru-one-pe": 1, "window-gru": 2}
"""Names of designs in the default run, with their element-wise units.

They have both forms, beside an LSTM and alone, and a cell in every clock, in every second or in every fourth.
"""
DENSITIES = (0.0, 0.1, 0.6, 1.0)
SLOW = [
    *((name, 1, None) for name in (*GRU_SPECS, *GRU_WINDOW_SPECS)),
    *(("window-gru", units, pes) for units, pes in ((2, 4), (2, 8), (2, 2), (1, 16))),
]
"""Designs in stream mode, their element-wise units and PEs."""
SLOW_SKIPPING = [
    *((name, 1, None) for name in GRU_SKIP_SPECS),
    *(("delta-gru-lstm", 2, pes) for pes in (2, 6)),
    ("zero-skipping-gru", 2, 4),
]
"""The same in skip mode."""


@pytest.mark.parametrize("name", UNITS)
def test_random_networks_are_exact_and_take_the_cycles_of_the_model(name: str) -> None:
    compare_networks(name, 8, cells_per_cycle=UNITS[name])


def test_random_networks_are_exact_in_skip_mode() -> None:
    compare_networks("delta-gru-lstm", 8, densities=DENSITIES, moves=0.4)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "units", "pes"), SLOW)
def test_a_thousand_random_networks(name: str, units: int, pes: int | None) -> None:
    compare_networks(name, -(-1000 // len(SLOW)), seed=1, cells_per_cycle=units, pes=pes)


@pytest.mark.slow
@pytest.mark.parametrize("units", [1, 2])
def test_a_window_begins_to_read_what_is_still_being_written(units: int) -> None:
    """The candidate's matrix begins before all of r * h is there, and that of the next step before all of h is."""
    compare_networks("window-gru-long", 8, cells_per_cycle=units)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "units", "pes"), SLOW_SKIPPING)
def test_five_hundred_random_networks_in_skip_mode(name: str, units: int, pes: int | None) -> None:
    networks = -(-500 // len(SLOW_SKIPPING))
    compare_networks(name, networks, 1, DENSITIES, cells_per_cycle=units, pes=pes, moves=0.4)
