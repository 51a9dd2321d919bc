"""Simulators of the published machines: EIE's skip mode with FIFOs, and ESE's load balance. They need NumPy alone."""

from ese_models.simulate.columns import ColumnEntries, column_entries
from ese_models.simulate.layers import EIE_LAYERS, DrawnLayer, FcLayer, draw
from ese_models.simulate.machine import LayerRun, Machine, run_layer
from ese_models.simulate.skip import SkipRun, simulate

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
