"""From an emitted project to the emulated bitstream: bitstreams/<design>/, which the host runs like a real one."""

from __future__ import annotations

import tempfile
from pathlib import Path

from ese_hls.design_folder import collect
from ese_hls.folders import check_target
from ese_hls.gxx import compile_emulator, find_compiler
from ese_hls.project import Project
from ese_hls.run_tool import version_of
from ese_host import hwh, manifest
from ese_host.manifest import Manifest

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
