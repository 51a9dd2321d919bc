# SPDX-License-Identifier: Apache-2.0
"""How the tests compile engines: without optimizations, and equal sources once in a test run."""

from support.compiling.quick_gxx import AP_TYPES, FLAGS, installed

__all__ = ["AP_TYPES", "FLAGS", "installed"]
