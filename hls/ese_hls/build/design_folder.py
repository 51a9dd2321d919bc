"""bitstreams/<design>/: the files of a project and what a build made of it, under one manifest."""

from __future__ import annotations

import platform
import shutil
from importlib.metadata import version
from pathlib import Path

from ese_hls.project.project import ATTACHMENTS, Project
from ese_host import image
from ese_host.bundle import golden_file, manifest
from ese_host.bundle.manifest import Kind, Manifest
from ese_host.files.atomic import whole_folder
from ese_host.files.digest import digests

PACKAGES = ("ese4ml", "hls4ml", "numpy")


def collect(project: Project, out: Path, kind: Kind, made: dict[str, Path], tools: dict[str, str]) -> Manifest:
    """Make a design folder; it appears whole or not at all.

    Args:
        project: the emitted project, of which images, golden model, test set and provenance are taken.
        out: the design folder; an earlier one there is replaced.
        kind: "emulated" or "bitstream".
        made: {name: file} of what the build made, design.bit and design.hwh among them; all are copied.
        tools: {name: version} of what built it.

    Returns:
        The folder's manifest.

    Raises:
        FormatError, MismatchError: an image or the golden model is not sound, or `out` holds something else.
    """
    chains = golden_file.load(project.path / manifest.GOLDEN).chains
    images = [manifest.image_name(number) for number in range(len(chains))]
    ids = [image.read(project.path / name, project.design).image_id for name in images]
    kept = [*images, manifest.GOLDEN]
    kept += [name for name in ATTACHMENTS if (project.path / name).is_file()]
    with whole_folder(out, manifest.NAME) as folder:
        for name, path in ({name: project.path / name for name in kept} | made).items():
            shutil.copyfile(path, folder / name)
        result = Manifest(
            kind=kind,
            design=project.design,
            image_id=ids[0],
            further_images=tuple(ids[1:]),
            board=project.board.name,
            part=project.board.part,
            clock_mhz=project.design.clock_mhz,
            files=digests(folder, [*made, *kept]),
            tools={**tools, "python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
        )
        manifest.write(folder, result)
    return result
