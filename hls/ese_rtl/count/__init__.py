# SPDX-License-Identifier: Apache-2.0
"""Counting: what Yosys makes of a whole engine, or of a part of it, in LUTs, flip-flops, block RAMs and DSPs."""

from ese_rtl.count.cases import CASES
from ese_rtl.count.levels import LogicPath, paths_of
from ese_rtl.count.statistics import LUTRAM, cells_of, count_of, unpaired
from ese_rtl.count.yosys import FLAGS, Mapped, Run, count, digest, mapped, text_of

__all__ = [
    "CASES", "FLAGS", "LUTRAM", "LogicPath", "Mapped", "Run", "cells_of", "count", "count_of", "digest", "mapped",
    "paths_of", "text_of", "unpaired",
]  # fmt: skip
