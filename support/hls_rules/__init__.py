# SPDX-License-Identifier: Apache-2.0
"""The rules that the engine's HLS C++ keeps, as far as clang's syntax tree shows them.

They follow from how Vitis HLS reads C++ (UG1399). What the tree does not show is left to the reviewer: whether a stated
distance of a dependence is true, and in which iteration the decision on what an address returns is taken.
"""

from support.hls_rules.breach import Breach
from support.hls_rules.rules import RULES, check, check_csrc
from support.hls_rules.source import SourceError, parse

__all__ = ["RULES", "Breach", "SourceError", "check", "check_csrc", "parse"]
