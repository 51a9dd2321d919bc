# SPDX-License-Identifier: Apache-2.0
"""Causes of the failures of hls4ml's tests with backend ESE, found by reading the tests; own_tests.py shows them."""

from __future__ import annotations

import re

NODE = "the test reads the attributes of a node that hls4ml's own backends insert to copy streams"
CAUSES: tuple[tuple[str, str, str, str], ...] = (
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
