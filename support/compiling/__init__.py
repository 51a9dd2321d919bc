"""How the tests compile engines: with few optimizations, and equal sources once in a test run."""

from support.compiling.quick_gxx import FLAGS, installed

__all__ = ["FLAGS", "installed"]
