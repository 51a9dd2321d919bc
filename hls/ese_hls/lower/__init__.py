# SPDX-License-Identifier: Apache-2.0
"""Lowering of the mapped graph to a program of integers: chains for the engine, exact operations for the host."""

from ese_hls.lower.conversion import UNMASKED, Conversion, KnownTensor, SplitLayer
from ese_hls.lower.conversion_log import ConversionLog
from ese_hls.lower.options import ConversionOptions, check_settings, nearest, options_from

__all__ = [
    "UNMASKED",
    "Conversion",
    "ConversionLog",
    "ConversionOptions",
    "KnownTensor",
    "SplitLayer",
    "check_settings",
    "nearest",
    "options_from",
]
