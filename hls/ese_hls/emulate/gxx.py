"""The engine's C++ under g++: the emulated bitstream."""

from __future__ import annotations

import shutil
from pathlib import Path

from ese_hls.run_tool import run_tool
from ese_host.errors import MissingError
from ese_host.files import write_by

COMPILER = "g++"
FLAGS = ("-O3", "-std=c++14", "-shared", "-fPIC", "-fno-gnu-unique")
"""A library with GNU's unique symbols stays loaded until the process ends, and gives them to those loaded later."""
MACHINE_WORDS = "-DESE_MACHINE_WORDS"
"""The engine's integers as machine words: the same results, some twenty times faster than ap_int."""
INCLUDES = ("csrc/emulator", "ap_types")
SOURCE = "csrc/emulator/emulator.cpp"
TIMEOUT = 600.0


def find_compiler() -> str:
    """Path of g++.

    Raises:
        MissingError: it is not installed.
    """
    found = shutil.which(COMPILER)
    if found is None:
        raise MissingError(
            f"{COMPILER} is not on PATH; the emulated engine is compiled with it: apt-get install {COMPILER}"
        )
    return found


def compile_emulator(project: Path, library: Path, log: Path | None = None, machine_words: bool = True) -> Path:
    """Compile a project's engine into a shared library with the C functions of docs/packets.md.

    Args:
        project: an emitted project.
        library: the file to make.
        log: where g++ writes; `build.log` beside the library unless given.
        machine_words: whether integers are machine words, or bit-accurate ap_int as in synthesis.

    Returns:
        The library's path.

    Raises:
        MissingError: g++ is not installed. ToolError: it failed.
    """
    compiler = find_compiler()
    library, project = library.absolute(), project.absolute()
    includes = [part for folder in INCLUDES for part in ("-I", folder)]
    command = [compiler, *FLAGS, *([MACHINE_WORDS] if machine_words else []), *includes, SOURCE, "-o"]
    log = (log or library.with_name("build.log")).absolute()
    write_by(library, lambda part: run_tool([*command, str(part)], project, log, TIMEOUT))
    return library
