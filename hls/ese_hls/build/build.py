# SPDX-License-Identifier: Apache-2.0
"""Builds a design folder from an emitted project: emulated with g++ or Verilator, or for a board with Vivado."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from ese_hls.build import vitis, vivado
from ese_hls.build.design_folder import collect, with_engine
from ese_hls.build.vendor_reports import BuildReport
from ese_hls.emulate import compile_emulator, find_compiler
from ese_hls.flows import flow
from ese_hls.project import Project, write_engine
from ese_host.boards import hwh
from ese_host.bundle import FlowName, Folder, Manifest, manifest
from ese_host.errors import EseError, UnsupportedError
from ese_host.files import check_target
from ese_host.image import Design
from ese_host.run_tool import version_of

LOG = "build.log"
Emulator = Literal["g++", "verilator"]
"""Tool that makes emulated bitstreams: g++ of the C++, Verilator of the RTL."""
EMULATORS: dict[FlowName, Emulator] = {"hls": "g++", "rtl": "verilator"}
"""The tool for an engine of each flow."""
Say = Callable[[str], None]
"""Receives lines on how far a long build is."""


def build_emulated(
    project_path: Path, out: Path, emulator: Emulator | None = None, say: Say = lambda _: None
) -> Manifest:
    """Build a design folder with an emulated bitstream. If anything fails, no folder is left behind.

    Args:
        project_path: an emitted project.
        out: the design folder; an earlier one there is replaced.
        emulator: "g++" for the C++, which has the same answers as the RTL of the design, or "verilator" for the RTL,
            every clock of which is then simulated; None for that of the project's flow.
        say: receives lines on how far a long build is.

    Returns:
        The manifest of the folder. Its kind is "emulated", and design.bit is a shared library for this machine.

    Raises:
        MissingError: if the project does not exist, or g++ or the extra `rtl` is not installed.
        UnsupportedError: if the engine in RTL cannot make the design.
        ToolError: if a tool fails.
        FormatError: if a file of the project is not sound.
        MismatchError: if an image of the project is for another design, or `out` exists and is not a design folder.
    """
    find_compiler()
    project = Project.open(project_path)
    check_target(out, manifest.NAME)
    engine: FlowName = "rtl" if (emulator or EMULATORS[project.flow]) == "verilator" else "hls"
    with tempfile.TemporaryDirectory(prefix="ese4ml-build-") as name:
        built = {file: Path(name) / file for file in (manifest.BIT, manifest.HWH, LOG)}
        if engine == "hls":
            compile_emulator(project.path, built[manifest.BIT], built[LOG])
            tools = {"g++": version_of(find_compiler())}
        else:
            tools = flow(engine).emulate(project.design, built[manifest.BIT], built[LOG], say)
        built[manifest.HWH].write_text(hwh.render(project.board.name, project.design), encoding="utf-8")
        return collect(project, out, "emulated", built, tools, engine)


def rebuild(folder: Path, say: Say = lambda _: None) -> Manifest:
    """Compile the emulated bitstream of a design folder again, from the installed sources.

    Nothing of the folder is run or compiled: the engine follows from the design in its manifest. So a folder from
    somebody else, or from a machine of another kind, can be used here. If anything fails, it is unchanged.

    Args:
        folder: a design folder of kind "emulated".
        say: receives lines on how far a long build is.

    Returns:
        The new manifest of the folder.

    Raises:
        UnsupportedError: if the folder holds the bitstream of a real board.
        MissingError: if a file of the folder is missing, or g++ or the extra `rtl` is not installed.
        ToolError: if a tool fails.
        EseError: if a file of the folder is not sound.
    """
    find_compiler()
    opened = Folder.open(folder)
    if opened.manifest.kind != "emulated":
        raise UnsupportedError(
            f"{folder}: holds a bitstream that configures an FPGA; only emulated ones are compiled again: "
            "`ese4ml build` makes an emulated one from the project"
        )
    with tempfile.TemporaryDirectory(prefix="ese4ml-build-") as name:
        design, library = opened.manifest.design, Path(name) / manifest.BIT
        if opened.manifest.engine == "hls":
            tools = _compile_sources(design, Path(name), library)
        else:
            tools = flow(opened.manifest.engine).emulate(design, library, Path(name) / LOG, say)
        return with_engine(opened, library, tools)


def _compile_sources(design: Design, folder: Path, library: Path) -> dict[str, str]:
    """Compile the installed C++ of a design's engine, and return the versions of the tools.

    Args:
        design: the design.
        folder: an empty folder for the sources.
        library: path of the library to write.
    """
    write_engine(folder, design)
    compile_emulator(folder, library)
    return {"g++": version_of(find_compiler())}


def build_bitstream(
    project_path: Path, out: Path, *, csim: bool = False, synth: bool = False, **options: Any
) -> tuple[Manifest, BuildReport]:
    """Build a design folder with a bitstream for a board. If anything fails, no folder is left behind.

    Args:
        project_path: an emitted project. If it is of flow "hls" and its IP core was not exported yet, Vitis HLS exports
            it first.
        out: the design folder; an earlier one there is replaced.
        csim: whether to run C simulation too.
        synth: whether to run C synthesis in any case.
        options: further arguments of `ese_hls.build.vitis.build_project`.

    Returns:
        The manifest of the folder, whose kind is "bitstream", and the reports of the tools.

    Raises:
        MissingError: if the project does not exist or a tool is not installed.
        UnsupportedError: if only Vivado HLS is installed.
        ToolError: if a tool fails, or the timing is not met.
        FormatError: if a file of the project is not sound, or a report cannot be read.
        MismatchError: if an image of the project is for another design, the .hwh of Vivado has another block design, or
            `out` exists and is not a design folder.
    """
    vivado_path = vivado.find_vivado()
    check_target(out, manifest.NAME)
    report = vitis.build_project(project_path, csim=csim, synth=synth, **{**options, "bitfile": True})
    tools = {"vivado": vivado.version(vivado_path)}
    project = Project.open(project_path)
    if project.flow == "hls":
        with contextlib.suppress(EseError):  # Vitis HLS may be missing, if the core was exported on another machine
            tools["vitis"] = vivado.version(vitis.find_tool()[0])
    built = {name: project.path / name for name in (manifest.BIT, manifest.HWH, *vivado.REPORTS)}
    made = collect(project, out, "bitstream", built, tools, project.flow)
    report = replace(report, design=str(out))
    report.write(project.path)
    return made, report
