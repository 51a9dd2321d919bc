# SPDX-License-Identifier: Apache-2.0
"""Engines in RTL for the tests, compiled quickly, and held against csrc and the cycle model at every packet."""

from support.rtl_engine.compared import compare_each, compare_networks
from support.rtl_engine.libraries import declared, library, opened
from support.rtl_engine.watched import MOST_WORDS, WatchedEngine, watched

__all__ = [
    "MOST_WORDS",
    "WatchedEngine",
    "compare_each",
    "compare_networks",
    "declared",
    "library",
    "opened",
    "watched",
]
