"""From an emitted project to bitstreams/<design>/: emulated, with g++, or for a board, with Vitis HLS and Vivado."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path

from ese_hls.build import vitis, vivado
from ese_hls.build.design_folder import collect
from ese_hls.build.vendor_reports import BuildReport
from ese_hls.emulate import compile_emulator, find_compiler
from ese_hls.project import Project
from ese_hls.run_tool import version_of
from ese_host.boards import hwh
from ese_host.bundle import Manifest, manifest
from ese_host.errors import EseError
from ese_host.files import check_target

LOG = "build.log"


def build_emulated(project_path: Path, out: Path) -> Manifest:
    """Compile a project with g++ into a design folder; it appears whole or not at all.

    Args:
        project_path: an emitted project.
        out: the design folder; an earlier one there is replaced.

    Returns:
        The folder's manifest; its kind is "emulated", and design.bit is a shared library for this machine.

    Raises:
        MissingError: the project or g++ is not there. ToolError: g++ failed. FormatError, MismatchError: the project is
            not sound, or `out` holds something else.
    """
    compiler = find_compiler()
    project = Project.open(project_path)
    check_target(out, manifest.NAME)
    with tempfile.TemporaryDirectory(prefix="ese4ml-build-") as name:
        made = {file: Path(name) / file for file in (manifest.BIT, manifest.HWH, LOG)}
        compile_emulator(project.path, made[manifest.BIT], made[LOG])
        made[manifest.HWH].write_text(hwh.render(project.board.name, project.design), encoding="utf-8")
        return collect(project, out, "emulated", made, {"g++": version_of(compiler)})


def build_bitstream(project_path: Path, out: Path, *, timeout: float = vitis.TIMEOUT) -> tuple[Manifest, BuildReport]:
    """Synthesize and implement a project, and collect the design folder; it appears whole or not at all.

    Args:
        project_path: an emitted project; the engine is exported by Vitis HLS first where that was not done.
        out: the design folder; an earlier one there is replaced.
        timeout: seconds that each of the two tools may take.

    Returns:
        The folder's manifest, of kind "bitstream", and the tools' figures.

    Raises:
        MissingError: the project or a tool is not there. ToolError: a tool failed, or timing is not met.
        FormatError, MismatchError: the project is not sound, Vivado's .hwh is of another block design, or `out` holds
            something else.
    """
    found = vivado.find_vivado()
    check_target(out, manifest.NAME)
    report = vitis.build_project(project_path, csim=False, synth=False, bitfile=True, timeout=timeout)
    tools = {"vivado": vivado.version(found)}
    with contextlib.suppress(EseError):  # the core may have been exported on another machine
        tools["vitis"] = vivado.version(vitis.find_tool()[0])
    project = Project.open(project_path)
    extra = {name: project.path / name for name in (manifest.BIT, manifest.HWH, *vivado.REPORTS)}
    return collect(project, out, "bitstream", extra, tools), report
