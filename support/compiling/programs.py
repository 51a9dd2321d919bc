# SPDX-License-Identifier: Apache-2.0
"""Programs of the engine's headers, compiled by g++ with warnings as errors."""

from __future__ import annotations

import subprocess
from pathlib import Path

from ese_hls.emulate.gxx import find_compiler
from support import compiled_engine
from support.compiling import AP_TYPES

CHECKS = Path(__file__).parents[2] / "tests" / "cpp"
"""Folder of check.h."""
SANITIZE = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g"]
WARNINGS = [
    "-Wall",
    "-Wextra",
    "-Wshadow",
    "-Werror",
    "-Wno-unknown-pragmas",
    "-Wno-unused-label",
    # the default constructor of ap_int reads an uninitialized member
    "-Wno-uninitialized",
    "-Wno-maybe-uninitialized",
]
MACHINE_WORDS = ["-DESE_MACHINE_WORDS"]


def compile_program(sources: list[Path], folder: Path, flags: list[str]) -> Path:
    """Compile a program with warnings as errors.

    Args:
        sources: its C++ sources.
        folder: for the program.
        flags: further options of g++.
    """
    program = folder / "program"
    command = [
        find_compiler(),
        "-std=c++14",
        "-O1",
        *flags,
        *WARNINGS,
        f"-I{CHECKS}",
        f"-I{compiled_engine.CSRC}",
        f"-I{compiled_engine.CSRC / 'emulator'}",
        "-isystem",
        str(AP_TYPES),
        *map(str, sources),
        "-o",
        str(program),
    ]
    built = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert built.returncode == 0, built.stderr
    return program


def run_program(program: Path, *arguments: Path) -> None:
    """Run a program; its output is the message of a failure."""
    ran = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=300, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
