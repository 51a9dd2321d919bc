"""The cache folder and the fetching of data out of packages, by name, without installing them.

A `Wheel` is downloaded by pip, a `Deb` by apt-get; both are checked by SHA-256. Without a network the message names
the file to place, and a placed file is used.
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

from ese_host.errors import FormatError, MissingError
from ese_host.files import digest, digest_of, write_file

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class WheelFile:
    """A file inside a wheel, and its SHA-256."""

    member: str
    sha256: str


@dataclass(frozen=True)
class Wheel:
    """A wheel of the Python package index: `name==version`, its file name and its SHA-256."""

    requirement: str
    filename: str
    sha256: str

    source = "the Python package index"

    @property
    def advice(self) -> str:
        """The command that a user can run elsewhere."""
        return f"pip download {self.requirement} --no-deps"

    def command(self, target: Path) -> list[str]:
        """The command that downloads it into `target`."""
        command = [sys.executable, "-m", "pip", "download", self.requirement, "--no-deps", "--only-binary=:all:"]
        return [*command, "--disable-pip-version-check", "--progress-bar", "off", "--dest", str(target)]


@dataclass(frozen=True)
class Deb:
    """A Debian package for all architectures: name, version and SHA-256."""

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
        """Name of the file that apt-get writes."""
        return f"{self.name}_{self.version}_all.deb"

    @property
    def advice(self) -> str:
        """The command that a user can run elsewhere."""
        return f"apt-get download {self.requirement}"

    def command(self, _target: Path) -> list[str]:
        """The command that downloads it into the working folder."""
        return ["apt-get", "download", "-q", self.requirement]


Package = Union[Wheel, Deb]


def cache_folder() -> Path:
    """$ESE4ML_CACHE, or ~/.cache/ese4ml."""
    return Path(os.environ.get("ESE4ML_CACHE") or Path.home() / ".cache" / "ese4ml").expanduser()


def fetch(wheel: Wheel, members: Iterable[WheelFile], folder: Path, timeout: float = 300) -> list[Path]:
    """Paths of a wheel's files in `folder`, downloaded unless they are there already and sound.

    A file appears under its name only when it is complete and verified.

    Raises:
        MissingError: pip could not download the wheel; says which file to place where.
        FormatError: the wheel's or a file's SHA-256 is not the expected one.
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
    """A folder of a Debian package, as `folder`/<its last name>, fetched and unpacked unless it is there.

    The folder appears under its name only when it is complete. Nothing is installed.

    Args:
        package: what to fetch.
        inside: the folder wanted, as the package has it.
        folder: where it shall lie.
        timeout: seconds that the download or the unpacking may take.

    Raises:
        MissingError: apt-get or dpkg-deb failed; says which file to place where.
        FormatError: the package's SHA-256 is not the expected one.
    """
    wanted = folder / Path(inside).name
    if wanted.is_dir():
        return wanted
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".fetch-") as name:
        archive = _archive(package, Path(name), folder, timeout)
        reason = _run(["dpkg-deb", "-x", str(archive), str(Path(name) / "content")], Path(name), timeout)
        if reason:
            raise MissingError(
                f"{package.filename} could not be unpacked ({reason}): install dpkg, or unpack it elsewhere "
                f"and place its folder {inside} at {wanted}"
            )
        (Path(name) / "content" / inside).replace(wanted)
    return wanted


def _archive(package: Package, target: Path, folder: Path, timeout: float) -> Path:
    """The package's file, placed in `folder` or downloaded into `target`, and verified."""
    placed = folder / package.filename
    archive = placed if placed.is_file() else _download(package, target, folder, timeout)
    found = digest(archive)
    if found != package.sha256:
        raise FormatError(
            f"{archive.name} has SHA-256 {found}; expected {package.sha256}: remove it and fetch it again"
        )
    return archive


def _download(package: Package, target: Path, folder: Path, timeout: float) -> Path:
    _log.info("fetching %s", package.requirement)
    reason = _run(package.command(target), target, timeout)
    archive = target / package.filename
    if reason or not archive.is_file():
        raise MissingError(
            f"{package.requirement} could not be downloaded ({reason or 'no such file came'}). "
            f"Without a network, get {package.filename} from {package.source} "
            f"(`{package.advice}`), place it at {folder / package.filename} and run this again"
        )
    return archive


def _run(command: list[str], folder: Path, timeout: float) -> str:
    """Run a command in a folder; an empty string, or the reason of its failure."""
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=timeout, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    lines = done.stderr.strip().splitlines() or [f"{command[0]} ended with {done.returncode}"]
    return lines[-1] if done.returncode else ""
