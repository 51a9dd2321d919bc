"""Why tests of hls4ml's that fail with backend ESE do, as found by reading them; benchmarks/own_tests.py shows it."""

from __future__ import annotations

import re

BITS = "inputs and weights have 16 bits here; the test asks for 1e-5 of fixed<32,5>"
CAUSES: tuple[tuple[str, str, str, str], ...] = (
    ("test_multiout_network.py", "test_multi_output_nn", "assert False", BITS),
)
"""File, function, pattern of the message, cause."""


def cause_of(file: str, function: str, message: str) -> str:
    """The known cause of a result beside its message; empty for none."""
    for in_file, in_function, pattern, cause in CAUSES:
        if (in_file, in_function) == (file, function) and re.search(pattern, message):
            return f"{message}: {cause}"
    return ""
