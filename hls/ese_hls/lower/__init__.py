"""Lowering of the mapped graph to a program of integers: chains for the engine, exact operations for the host."""

from ese_hls.lower.conversion import UNMASKED, Conversion
from ese_hls.lower.options import ConversionOptions, options_from

__all__ = ["UNMASKED", "Conversion", "ConversionOptions", "options_from"]
