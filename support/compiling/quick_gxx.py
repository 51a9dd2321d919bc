# SPDX-License-Identifier: Apache-2.0
"""The compiler of the tests: it does not optimize, reads its headers once, and compiles equal sources once in a run.

Tests compile many engines, most of which run for milliseconds. What an engine answers does not depend on the level of
optimization.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import hls4ml
import pytest

from ese_hls.emulate import gxx
from ese_host.files import write_by
from ese_host.run_tool import run_tool
from support.compiling.precompiled import precompiled

FLAGS = gxx.FLAGS
"""Options of `ese4ml build`."""
LEVEL = "-O0"
"""Less than half of g++'s time at the level of `ese4ml build`; a fifth, with the headers read once."""
HEADERS = "".join(
    f"#include <{name}>\n" for name in ("cstddef", "cstdint", "new", "type_traits", "ap_int.h", "hls_stream.h")
)
AP_TYPES = Path(hls4ml.__file__).parent / "templates" / "vivado" / "ap_types"
"""hls4ml's folder with the last two of them; an emitted project has copies."""


@contextmanager
def installed(folder: Path) -> Iterator[None]:
    """Context in which `ese_hls.emulate.compile_emulator` compiles quickly, and takes what is compiled already.

    Args:
        folder: for the compiled engines; all workers of a test run share it.
    """
    flags = (LEVEL, *(flag for flag in FLAGS if not flag.startswith("-O")))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gxx, "FLAGS", flags)
        patch.setattr(gxx, "run_tool", lambda *arguments: _compiled(folder, *arguments))
        yield


def _compiled(
    folder: Path, command: list[str], project: Path, log: Path, timeout: float, environment: Mapping[str, str]
) -> None:
    """Run g++, or copy the library and the log of an equal run.

    Args:
        folder: of the compiled engines.
        command: the command, which ends with the path of the library.
        project: its working folder, with all sources.
        log: path of its log.
        timeout: seconds that it may take.
        environment: variables that are set for it.
    """
    library, key = Path(command[-1]), hashlib.sha256("\0".join(command[:-1]).encode())
    for path in sorted(path for path in (project / "csrc").rglob("*") if path.is_file()):
        key.update(f"{path.relative_to(project)}\0{path.stat().st_size}\0".encode() + path.read_bytes())
    kept = folder / f"{key.hexdigest()}.so"
    if kept.is_file():
        shutil.copyfile(kept, library)
        shutil.copyfile(kept.with_suffix(".log"), log)
        return
    if LEVEL in command:
        flags = [*(flag for flag in gxx.FLAGS if flag != "-shared"), "-I", str(AP_TYPES)]
        command[1:1] = precompiled(command[0], flags, HEADERS, folder)
    run_tool(command, project, log, timeout, environment)
    write_by(kept.with_suffix(".log"), lambda part: shutil.copyfile(log, part))
    write_by(kept, lambda part: shutil.copyfile(library, part))
