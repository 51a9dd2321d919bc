"""From an emitted project to a bitstream for a board, where Vitis HLS and Vivado are installed."""

from __future__ import annotations

import contextlib
import re
import shutil
from pathlib import Path

from ese_hls.design_folder import collect
from ese_hls.folders import check_target
from ese_hls.project import Project
from ese_hls.run_tool import ToolError, run_tool, version_of
from ese_hls.vitis import build_project, find_tool
from ese_host import hwh, manifest
from ese_host.errors import EseError, MissingError
from ese_host.manifest import Manifest

SCRIPT = "bitstream.tcl"
LOG = "vivado.log"
REPORTS = ("utilization.rpt", "timing.rpt")
TIMEOUT = 24 * 3600.0
IP = Path("ese_prj/solution1/impl/ip")


def find_vivado() -> str:
    """Path of Vivado.

    Raises:
        MissingError: it is not on PATH.
    """
    found = shutil.which("vivado")
    if found is None:
        raise MissingError(
            "vivado is not on PATH; install Vivado 2022.2 or newer and source its settings64.sh, or carry the project "
            f"folder to a machine that has it and run `vivado -mode batch -source {SCRIPT}` there; without it, "
            "`ese4ml build --with g++` makes an emulated bitstream"
        )
    return found


def build_bitstream(project_path: Path, out: Path, *, timeout: float = TIMEOUT) -> Manifest:
    """Synthesize and implement a project, and collect the design folder; it appears whole or not at all.

    Args:
        project_path: an emitted project; the engine is exported by Vitis HLS first where that was not done.
        out: the design folder; an earlier one there is replaced.
        timeout: seconds that each of the two tools may take.

    Returns:
        The folder's manifest; its kind is "bitstream".

    Raises:
        MissingError: the project or a tool is not there. ToolError: a tool failed, or timing is not met.
        FormatError, MismatchError: the project is not sound, Vivado's .hwh is of another block design, or `out` holds
            something else.
    """
    vivado = find_vivado()
    project = Project.open(project_path)
    check_target(out, manifest.NAME)
    if not (project.path / IP).is_dir():
        build_project(project.path, export=True, timeout=timeout)
    for name in (manifest.BIT, manifest.HWH, *REPORTS):
        (project.path / name).unlink(missing_ok=True)
    command = [vivado, "-mode", "batch", "-nojournal", "-nolog", "-source", SCRIPT]
    run_tool(command, project.path, project.path / LOG, timeout)
    missing = [name for name in (manifest.BIT, manifest.HWH, *REPORTS) if not (project.path / name).is_file()]
    if missing:
        raise ToolError(f"vivado ended without {', '.join(missing)}; see {project.path / LOG}")
    hwh.check((project.path / manifest.HWH).read_text(encoding="utf-8"), project.board.name, project.design)
    tools = {"vivado": _version(vivado)}
    with contextlib.suppress(EseError):  # the core may have been exported on another machine
        tools["vitis"] = _version(find_tool()[0])
    extra = {name: project.path / name for name in (manifest.BIT, manifest.HWH, *REPORTS)}
    return collect(project, out, "bitstream", extra, tools)


def _version(command: str) -> str:
    """`v2022.2` of `vivado v2022.2 (64-bit)`."""
    line = version_of(command, "-version")
    found = re.search(r"v?\d{4}\.\d+\S*", line)
    return found.group() if found else line or "unknown"
