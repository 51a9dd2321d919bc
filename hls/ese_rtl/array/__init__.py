# SPDX-License-Identifier: Apache-2.0
"""The array of processing elements, the vector RAMs that they read, and the drain that reads their accumulators."""

from ese_rtl.array.array import Array
from ese_rtl.array.beat import (
    FILL_LATENCY,
    READ_LATENCY,
    WRITE_LATENCY,
    beat_layout,
)
from ese_rtl.array.drain import DRAIN_LATENCY

__all__ = [
    "DRAIN_LATENCY",
    "FILL_LATENCY",
    "READ_LATENCY",
    "WRITE_LATENCY",
    "Array",
    "beat_layout",
]
