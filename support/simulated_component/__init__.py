# SPDX-License-Identifier: Apache-2.0
"""Amaranth components compiled by Verilator and stepped clock by clock; each is compiled once in a test run."""

from support.simulated_component.component import SimulatedComponent
from support.simulated_component.packing import Codec
from support.simulated_component.verilated import library_of

__all__ = ["Codec", "SimulatedComponent", "library_of"]
