"""bitstreams/<design>/: the files of a project and what a build made of it, under one manifest; and smaller copies."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

from ese_hls.encode import compress
from ese_hls.project import ATTACHMENTS, Project
from ese_host.bundle import Folder, Kind, Manifest, golden_file, manifest, read_image
from ese_host.files import digests, whole_folder

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
    ids = [read_image(project.path / name, project.design).image_id for name in images]
    kept = [*images, manifest.GOLDEN]
    kept += [name for name in ATTACHMENTS if (project.path / name).is_file()]
    known = {**tools, "python": platform.python_version(), **{name: version(name) for name in PACKAGES}}

    def describe(files: dict[str, str]) -> Manifest:
        return Manifest(
            kind=kind,
            design=project.design,
            image_id=ids[0],
            further_images=tuple(ids[1:]),
            board=project.board.name,
            part=project.board.part,
            clock_mhz=project.design.clock_mhz,
            files=files,
            tools=known,
        )

    return _write(out, {name: project.path / name for name in kept} | made, describe)


def pack_folder(folder: Path, out: Path) -> dict[str, int]:
    """Make a design folder whose image is in its stored form; it appears whole or not at all.

    Args:
        folder: a design folder.
        out: the new one; an earlier one there is replaced.

    Returns:
        Bytes of the image before and after.

    Raises:
        FormatError, MismatchError, MissingError: the folder is not sound, or `out` holds something else.
    """
    opened = Folder.open(folder)
    opened.check()
    design = opened.manifest.design
    plain = read_image(opened.file(manifest.IMAGE), design)
    stored = compress(plain.words, design, str(folder / manifest.IMAGE)).astype("<u4").tobytes()
    contents: dict[str, Path | bytes] = {name: opened.file(name) for name in opened.manifest.files}
    _write(out, contents | {manifest.IMAGE: stored}, lambda files: replace(opened.manifest, files=files))
    return {"plain": 4 * len(plain.words), "stored": len(stored)}


def _write(out: Path, contents: Mapping[str, Path | bytes], describe: Callable[[dict[str, str]], Manifest]) -> Manifest:
    """Fill a design folder with copies of files and with bytes, and put it under the manifest of their digests."""
    with whole_folder(out, manifest.NAME) as folder:
        for name, content in contents.items():
            if isinstance(content, bytes):
                (folder / name).write_bytes(content)
            else:
                shutil.copyfile(content, folder / name)
        result = describe(digests(folder, contents))
        manifest.write(folder, result)
    return result
