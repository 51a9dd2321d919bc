# SPDX-License-Identifier: Apache-2.0
"""Compilation of the engine's C++ with g++ into a shared library, the emulated bitstream."""

from __future__ import annotations

import shutil
from pathlib import Path

from ese_host.errors import MissingError
from ese_host.files import write_by
from ese_host.run_tool import run_tool

COMPILER = "g++"
FLAGS = ("-O3", "-std=c++14", "-shared", "-fPIC", "-fno-gnu-unique")
"""Options of g++. Without -fno-gnu-unique a library would stay loaded until the process ends, and libraries that are
loaded later would use its symbols."""
MACHINE_WORDS = "-DESE_MACHINE_WORDS"
"""Option that makes the engine's integers machine words: the same results, about twenty times as fast as ap_int."""
INCLUDES = ("csrc/emulator", "ap_types")
"""Include folders in a project."""
SOURCE = "csrc/emulator/emulator.cpp"
TIMEOUT = 600.0
"""Seconds that g++ may take."""


def find_compiler() -> str:
    """The path of g++.

    Raises:
        MissingError: if g++ is not installed.
    """
    path = shutil.which(COMPILER)
    if path is None:
        raise MissingError(
            f"{COMPILER} is not on PATH; the emulated engine is compiled with it: apt-get install {COMPILER}"
        )
    return path


def compile_emulator(project: Path, library: Path, log: Path | None = None, machine_words: bool = True) -> Path:
    """Compile the engine of a project into a shared library with the C functions of docs/reference/packets.md.

    Args:
        project: folder of an emitted project.
        library: path of the library to write.
        log: path of the file for g++'s output; `build.log` beside the library by default.
        machine_words: whether integers are machine words; otherwise they are bit-accurate ap_int as in synthesis.

    Returns:
        The absolute path of the library.

    Raises:
        MissingError: if g++ is not installed.
        ToolError: if g++ fails.
    """
    compiler = find_compiler()
    library, project = library.absolute(), project.absolute()
    includes = [part for folder in INCLUDES for part in ("-I", folder)]
    command = [compiler, *FLAGS, *([MACHINE_WORDS] if machine_words else []), *includes, SOURCE, "-o"]
    log = (log or library.with_name("build.log")).absolute()
    write_by(library, lambda part: run_tool([*command, str(part)], project, log, TIMEOUT, {"LC_ALL": "C"}))
    return library
