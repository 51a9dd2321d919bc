# SPDX-License-Identifier: Apache-2.0
"""Compiles the Verilog of an engine into a shared library that simulates it, the emulated bitstream, with Verilator."""

from __future__ import annotations

import os
import tempfile
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

from ese_host.files import digest_of, write_by
from ese_host.image import Design
from ese_host.run_tool import version_of
from ese_rtl.simulate.cache import cached
from ese_rtl.simulate.compilation import (
    COMPILER,
    FAST,
    FLAGS,
    SELDOM,
    VERILATOR_FLAGS,
    Compilation,
    Say,
    find_verilator,
)
from ese_rtl.simulate.verilog import sources_digest, verilog

HARNESS = "harness.cpp"
"""The C++ around the simulated core, in this package."""


def tools() -> dict[str, str]:
    """Versions of all tools that the simulation is made with.

    Raises:
        MissingError: if one is not installed.
    """
    find_verilator()
    named = {name: version(name) for name in ("amaranth", "pyosys", "verilator")}
    return {**named, COMPILER: version_of(COMPILER)}


def patience(design: Design) -> int:
    """Clocks after which a core that neither takes nor gives a word counts as hung.

    Within a step the core goes through each entry, item and row at most once, and what it clears or fills is no longer
    than its memories; a full clock is allowed for each of their words, sixteen times.
    """
    rows = design.group_depth + design.vector_depth + design.param_depth + design.cell_depth
    return 16 * (design.entry_depth * 8 + rows + 64 * design.phases) + 100_000


def verilate(source: str, library: Path, patience: int, log: Path | None = None, say: Say | None = None) -> Path:
    """Compile the Verilog of a core into a library with the C functions of docs/reference/packets.md, and some more.

    A library that was compiled from the same sources with the same tools is taken from the user's cache.

    Args:
        source: Verilog of the core, whose top module is `ese_top`.
        library: path of the library to write.
        patience: clocks without a transfer after which the core counts as hung, see `patience`.
        log: path of the file for the output of the tools; `build.log` beside the library by default.
        say: receives lines on how far the compilation is.

    Returns:
        The absolute path of the library.

    Raises:
        MissingError: if Verilator or g++ is not installed.
        ToolError: if one of them fails.
    """
    library = library.absolute()
    log = (log or library.with_name("build.log")).absolute()
    harness = files(__package__).joinpath(HARNESS).read_text(encoding="utf-8")
    versions = "\n".join([*(f"{name} {text}" for name, text in tools().items()), os.uname().machine])
    options = [*VERILATOR_FLAGS, *FLAGS, FAST, SELDOM, str(patience)]
    key = digest_of("\n".join([source, harness, *options, versions]).encode())

    def compile_to(target: Path) -> None:
        with tempfile.TemporaryDirectory(prefix="ese4ml-verilator-") as name:
            compilation = Compilation(Path(name), versions, say or (lambda _: None))
            compilation.verilate(source, log)
            compilation.library(harness, patience, target)

    write_by(library, lambda part: cached(f"{key}.so", part, compile_to))
    if not log.exists():
        log.write_text(f"taken from the cache of compiled engines: {key}\n", encoding="utf-8")
    return library


def simulator(design: Design, library: Path, log: Path | None = None, say: Say | None = None) -> Path:
    """Write a design's core in Verilog and compile it, or take either from the cache; see `verilog` and `verilate`.

    Args:
        design: the design.
        library: path of the library to write.
        log: path of the file for the output of the tools.
        say: receives lines on how far the compilation is.
    """
    find_verilator()
    if say:
        say("writing Verilog")
    with tempfile.TemporaryDirectory(prefix="ese4ml-verilog-") as name:
        written = Path(name) / "top.v"
        cached(f"{sources_digest(design)}.v", written, lambda path: path.write_text(verilog(design), encoding="utf-8"))
        source = written.read_text(encoding="utf-8")
    return verilate(source, library, patience(design), log, say)
