"""From the mapped graph to a program of integers: chains for the engine, exact steps for the host."""

from ese_hls.lower.conversion import UNMASKED, Conversion
from ese_hls.lower.options import Options, options_from

__all__ = ["UNMASKED", "Conversion", "Options", "options_from"]
