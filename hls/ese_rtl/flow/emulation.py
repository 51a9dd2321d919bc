# SPDX-License-Identifier: Apache-2.0
"""Which designs the engine in RTL can make, and their emulated bitstreams."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ese_host.image import Design
from ese_rtl import simulate
from ese_rtl.sizes import Sizes


def check(design: Design) -> None:
    """Refuse a design that the engine in RTL cannot make.

    Raises:
        UnsupportedError: if it cannot; the message says what to change.
    """
    Sizes(design)


def emulate(design: Design, library: Path, log: Path, say: Callable[[str], None]) -> dict[str, str]:
    """Compile an emulated bitstream that simulates every clock, and return the versions of the tools that made it.

    Args:
        design: the design.
        library: path of the bitstream to write.
        log: path of the file for the output of the tools.
        say: receives lines on how far it is.

    Raises:
        UnsupportedError: if the engine in RTL cannot make the design.
        MissingError: if Verilator or g++ is not installed.
        ToolError: if one of them fails.
    """
    check(design)
    versions = simulate.tools()
    simulate.simulator(design, library, log, say)
    return versions
