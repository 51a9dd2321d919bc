# SPDX-License-Identifier: Apache-2.0
"""The vector RAMs A and B, and how the PEs come to their elements.

Without a window, two PEs have a copy of both (`copies`). With one, the next columns enter a window in each PE
(`window`), and in skip mode a scanner reads them (`ese_rtl.skip`): then there is one of each, in banks (`banked`).
"""

from ese_rtl.vectors.banked import BankedVectors
from ese_rtl.vectors.copies import Copies
from ese_rtl.vectors.wide_ram import BANK_BITS, ROW, WideRam, row_bits
from ese_rtl.vectors.window import Window

__all__ = ["BANK_BITS", "ROW", "BankedVectors", "Copies", "WideRam", "Window", "row_bits"]
