"""From an emitted project to the emulated bitstream: bitstreams/<design>/, which the host runs like a real one."""

from __future__ import annotations

import platform
import shutil
from importlib.metadata import version
from pathlib import Path

from ese_host import hwh, image, manifest
from ese_host.manifest import Manifest

from ese_hls.folders import check_target, whole_folder
from ese_hls.gxx import compile_emulator, find_compiler
from ese_hls.project import ATTACHMENTS, Project
from ese_hls.run_tool import version_of

LOG = "build.log"
PACKAGES = ("ese4ml", "hls4ml", "numpy")


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
    checked = image.read(project.path / manifest.IMAGE, project.design)
    with whole_folder(out, manifest.NAME) as folder:
        compile_emulator(project.path, folder / manifest.BIT, folder / LOG)
        (folder / manifest.HWH).write_text(hwh.render(project.board.name, project.design), encoding="utf-8")
        names = [manifest.BIT, manifest.HWH, manifest.IMAGE, manifest.GOLDEN]
        names += [name for name in ATTACHMENTS if (project.path / name).is_file()]
        for name in names:
            if not (folder / name).exists():
                shutil.copyfile(project.path / name, folder / name)
        made = Manifest(
            kind="emulated",
            design=project.design,
            image_id=checked.image_id,
            board=project.board.name,
            part=project.board.part,
            clock_mhz=project.design.clock_mhz,
            files=manifest.digests(folder, names),
            tools={
                "g++": version_of(compiler),
                "python": platform.python_version(),
                **{name: version(name) for name in PACKAGES},
            },
        )
        manifest.write(folder, made)
    return made
