# SPDX-License-Identifier: Apache-2.0
"""Simulators of the published machines: EIE's skip mode with FIFOs, and ESE's load balance."""

from benchmarks.machines.columns import ColumnEntries, column_entries
from benchmarks.machines.layers import EIE_LAYERS, DrawnLayer, FcLayer, draw
from benchmarks.machines.machine import LayerRun, Machine, run_layer
from benchmarks.machines.skip import SkipRun, simulate

__all__ = [
    "EIE_LAYERS",
    "ColumnEntries",
    "DrawnLayer",
    "FcLayer",
    "LayerRun",
    "Machine",
    "SkipRun",
    "column_entries",
    "draw",
    "run_layer",
    "simulate",
]
