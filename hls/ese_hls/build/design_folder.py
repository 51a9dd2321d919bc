# SPDX-License-Identifier: Apache-2.0
"""Makes design folders from projects and built files, and copies of design folders with the image in stored form."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

from ese_hls.encode import compress
from ese_hls.project import ATTACHMENTS, Project
from ese_host.bundle import FlowName, Folder, Kind, Manifest, golden_file, manifest, model_digest, read_image
from ese_host.device import record
from ese_host.errors import MismatchError
from ese_host.files import Contents, digests, whole_folder

PACKAGES = ("ese4ml", "hls4ml", "numpy")
"""Packages whose versions a manifest names."""


def collect(
    project: Project, out: Path, kind: Kind, built: dict[str, Path], tools: dict[str, str], engine: FlowName = "hls"
) -> Manifest:
    """Make a design folder. If anything fails, no folder is left behind.

    Args:
        project: the emitted project; images, golden model, test set and provenance are copied from it.
        out: the design folder; an earlier one there is replaced.
        kind: "emulated" or "bitstream".
        built: the files of the build by their names in the folder, including design.bit and design.hwh; all are copied.
        tools: versions of the tools of the build, by tool.
        engine: of what design.bit is made.

    Returns:
        The manifest of the folder.

    Raises:
        FormatError: if an image or the golden model is not sound.
        MismatchError: if an image is for another design or does not belong to the golden model, or `out` exists and is
            not a design folder.
    """
    golden = Contents.of(project.path / manifest.GOLDEN)
    names = [manifest.image_name(number) for number in range(len(golden_file.load(golden).chains))]
    images = [read_image(project.path / name, project.design) for name in names]
    if model_digest(golden.data, (image.words for image in images)) != project.model:
        raise MismatchError(
            f"{project.path}: {', '.join(names)} and {golden.path.name} are not as they were emitted: emit it again"
        )
    copied = [*names, manifest.GOLDEN]
    copied += [name for name in ATTACHMENTS if (project.path / name).is_file()]
    warnings = project.description.get("summary", {}).get("warnings", [])
    versions = {**tools, "python": platform.python_version(), **{name: version(name) for name in PACKAGES}}

    def describe(files: dict[str, str]) -> Manifest:
        return Manifest(
            kind=kind,
            design=project.design,
            image_id=images[0].image_id,
            further_images=tuple(image.image_id for image in images[1:]),
            model=project.model,
            board=project.board.name,
            part=project.board.part,
            clock_mhz=project.design.clock_mhz,
            files=files,
            tools=versions,
            warnings=tuple(warnings[: manifest.MAX_WARNINGS]),
            engine=engine,
        )

    result = _write(out, {name: project.path / name for name in copied} | built, describe)
    if kind == "emulated":
        record(result.files[manifest.BIT], out)
    return result


def with_engine(opened: Folder, library: Path, tools: dict[str, str]) -> Manifest:
    """Replace the emulated bitstream of a design folder, and record it. If anything fails, the folder is unchanged.

    Args:
        opened: the design folder.
        library: the new bitstream.
        tools: versions of the tools that made it, by tool; they are added to those in the manifest.

    Returns:
        The new manifest of the folder.

    Raises:
        EseError: if a file of the folder is not sound.
    """
    contents: dict[str, Path | bytes] = {name: opened.file(name).data for name in opened.manifest.files}
    tools = {**opened.manifest.tools, **tools, "ese4ml": version("ese4ml")}
    result = _write(
        opened.path,
        contents | {manifest.BIT: library},
        lambda files: replace(opened.manifest, files=files, tools=tools),
    )
    record(result.files[manifest.BIT], opened.path)
    return result


def pack_folder(folder: Path, out: Path) -> dict[str, int]:
    """Copy a design folder with its images in the stored form. If anything fails, no new folder is left behind.

    Args:
        folder: a design folder.
        out: the new design folder; an earlier one there is replaced.

    Returns:
        The size of all images together in bytes, "plain" and "stored".

    Raises:
        FormatError: if a file of the folder is not sound.
        MismatchError: if a file differs from its digest in the manifest, or `out` exists and is not a design folder.
        MissingError: if a file of the folder is missing.
    """
    opened = Folder.open(folder)
    design = opened.manifest.design
    contents = {name: opened.file(name) for name in opened.manifest.files}
    names = [manifest.image_name(number) for number in range(len(opened.manifest.image_ids))]
    plain = {name: read_image(contents[name], design).words for name in names}
    stored = {name: compress(plain[name], design, str(folder / name)).astype("<u4").tobytes() for name in names}
    copied = {name: item.data for name, item in contents.items()}
    _write(out, copied | stored, lambda files: replace(opened.manifest, files=files))
    return {"plain": 4 * sum(map(len, plain.values())), "stored": sum(map(len, stored.values()))}


def _write(out: Path, contents: Mapping[str, Path | bytes], describe: Callable[[dict[str, str]], Manifest]) -> Manifest:
    """Write a design folder from files and bytes by name, and the manifest that `describe` makes of their digests."""
    with whole_folder(out, manifest.NAME) as folder:
        for name, content in contents.items():
            if isinstance(content, bytes):
                (folder / name).write_bytes(content)
            else:
                shutil.copyfile(content, folder / name)
        result = describe(digests(folder, contents))
        manifest.write(folder, result)
    return result
