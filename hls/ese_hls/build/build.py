"""Builds a design folder from an emitted project: emulated with g++, or for a board with Vitis HLS and Vivado."""

from __future__ import annotations

import contextlib
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from ese_hls.build import vitis, vivado
from ese_hls.build.design_folder import collect, with_engine
from ese_hls.build.vendor_reports import BuildReport
from ese_hls.emulate import compile_emulator, find_compiler
from ese_hls.project import Project, write_engine
from ese_host.boards import hwh
from ese_host.bundle import Folder, Manifest, manifest
from ese_host.errors import EseError, UnsupportedError
from ese_host.files import check_target
from ese_host.run_tool import version_of

LOG = "build.log"


def build_emulated(project_path: Path, out: Path) -> Manifest:
    """Build a design folder with an emulated bitstream, compiled by g++. If anything fails, no folder is left behind.

    Args:
        project_path: an emitted project.
        out: the design folder; an earlier one there is replaced.

    Returns:
        The manifest of the folder. Its kind is "emulated", and design.bit is a shared library for this machine.

    Raises:
        MissingError: if the project does not exist or g++ is not installed.
        ToolError: if g++ fails.
        FormatError: if a file of the project is not sound.
        MismatchError: if an image of the project is for another design, or `out` exists and is not a design folder.
    """
    compiler = find_compiler()
    project = Project.open(project_path)
    check_target(out, manifest.NAME)
    with tempfile.TemporaryDirectory(prefix="ese4ml-build-") as name:
        built = {file: Path(name) / file for file in (manifest.BIT, manifest.HWH, LOG)}
        compile_emulator(project.path, built[manifest.BIT], built[LOG])
        built[manifest.HWH].write_text(hwh.render(project.board.name, project.design), encoding="utf-8")
        return collect(project, out, "emulated", built, {"g++": version_of(compiler)})


def rebuild(folder: Path) -> Manifest:
    """Compile the emulated bitstream of a design folder again, from the installed sources.

    Nothing of the folder is run or compiled: the engine follows from the design in its manifest. So a folder from
    somebody else, or from a machine of another kind, can be used here. If anything fails, it is unchanged.

    Args:
        folder: a design folder of kind "emulated".

    Returns:
        The new manifest of the folder.

    Raises:
        UnsupportedError: if the folder holds the bitstream of a real board.
        MissingError: if a file of the folder is missing, or g++ is not installed.
        ToolError: if g++ fails.
        EseError: if a file of the folder is not sound.
    """
    compiler = find_compiler()
    opened = Folder.open(folder)
    if opened.manifest.kind != "emulated":
        raise UnsupportedError(
            f"{folder}: holds a bitstream that configures an FPGA; only emulated ones are compiled again: "
            "`ese4ml build` makes an emulated one from the project"
        )
    with tempfile.TemporaryDirectory(prefix="ese4ml-build-") as name:
        write_engine(Path(name), opened.manifest.design)
        library = compile_emulator(Path(name), Path(name) / manifest.BIT)
        return with_engine(opened, library, {"g++": version_of(compiler)})


def build_bitstream(
    project_path: Path, out: Path, *, csim: bool = False, synth: bool = False, **options: Any
) -> tuple[Manifest, BuildReport]:
    """Build a design folder with a bitstream for a board. If anything fails, no folder is left behind.

    Args:
        project_path: an emitted project. If its IP core was not exported yet, Vitis HLS exports it first.
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
    with contextlib.suppress(EseError):  # Vitis HLS may be missing here, if the core was exported on another machine
        tools["vitis"] = vivado.version(vitis.find_tool()[0])
    project = Project.open(project_path)
    built = {name: project.path / name for name in (manifest.BIT, manifest.HWH, *vivado.REPORTS)}
    made, report = collect(project, out, "bitstream", built, tools), replace(report, design=str(out))
    report.write(project.path)
    return made, report
