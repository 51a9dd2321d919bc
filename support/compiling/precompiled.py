# SPDX-License-Identifier: Apache-2.0
"""Headers that g++ reads once in a test run: reading them is half of the compilation of a small engine."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Sequence
from pathlib import Path

from ese_host.files import write_by


def precompiled(compiler: str, flags: Sequence[str], header: str, folder: Path) -> list[str]:
    """Options that let g++ begin with headers as it has read them before.

    g++ reads the headers anew if its other options do not fit, so that the result is always the same.

    Args:
        compiler: the path of g++.
        flags: options that the compilation has, too: the language, the optimization, and where headers are.
        header: the lines that include the headers.
        folder: for what g++ has read; all workers of a test run share it.
    """
    key = hashlib.sha256("\0".join([compiler, *flags, header]).encode()).hexdigest()
    path = folder / f"{key}.h"
    read = path.with_suffix(".h.gch")
    if not read.is_file():
        write_by(path, lambda part: part.write_text(header, encoding="utf-8"))
        command = [compiler, *flags, "-x", "c++-header", str(path), "-o"]
        try:
            write_by(read, lambda part: subprocess.run([*command, str(part)], check=True, capture_output=True))
        except subprocess.CalledProcessError:
            return []  # the compilation fails too then, and says why
    return ["-include", str(path)]
