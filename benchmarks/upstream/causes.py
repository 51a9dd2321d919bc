"""Causes of the failures of hls4ml's tests with backend ESE, found by reading the tests; own_tests.py shows them."""

from __future__ import annotations

import re

BITS = "inputs and weights have 16 bits here; the test allows an error of 1e-5, as with fixed<32,5>"
CLONES = "inputs have 16 bits here, and sums of sums add up their rounding; the test allows 1e-4, as with fixed<24,3>"
NODE = "the test reads the attributes of a node that hls4ml's own backends insert to copy streams"
CAUSES: tuple[tuple[str, str, str, str], ...] = (
    ("test_multiout_network.py", "test_multi_output_nn", "assert False", BITS),
    ("test_stream_clone.py", "test_multi_clone", "Mismatched", CLONES),
    ("test_stream_clone.py", "test_clone_precision_inheritance", "clone_inp", NODE),
)
"""File, function, pattern of the message, and cause."""


def cause_of(file: str, function: str, message: str) -> str:
    """The message with its known cause; empty if no cause is known.

    Args:
        file: name of the test file.
        function: name of the test function.
        message: of the failure.
    """
    for in_file, in_function, pattern, cause in CAUSES:
        if (in_file, in_function) == (file, function) and re.search(pattern, message):
            return f"{message}: {cause}"
    return ""
