"""The cache folder and the fetching of files out of a wheel, by package name, without installing it."""

from __future__ import annotations

import hashlib
import logging
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ese_host.errors import FormatError, MissingError

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class WheelFile:
    """A file inside a wheel, and its SHA-256."""

    member: str
    sha256: str


@dataclass(frozen=True)
class Wheel:
    """A wheel of a package index: `name==version`, its file name and its SHA-256."""

    requirement: str
    filename: str
    sha256: str


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
    if all(path.is_file() and _sha256(path) == item.sha256 for path, item in wanted.items()):
        return list(wanted)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".fetch-") as name:
        placed = folder / wheel.filename
        archive = placed if placed.is_file() else _download(wheel, Path(name), folder, timeout)
        found = _sha256(archive)
        if found != wheel.sha256:
            raise FormatError(
                f"{archive.name} has SHA-256 {found}; expected {wheel.sha256}: remove it and fetch it again"
            )
        with zipfile.ZipFile(archive) as opened:
            for path, item in wanted.items():
                part = Path(name) / path.name
                part.write_bytes(opened.read(item.member))
                if _sha256(part) != item.sha256:
                    raise FormatError(f"{item.member} has SHA-256 {_sha256(part)}; expected {item.sha256}")
                part.replace(path)
    return list(wanted)


def _download(wheel: Wheel, target: Path, folder: Path, timeout: float) -> Path:
    command = [sys.executable, "-m", "pip", "download", wheel.requirement, "--no-deps", "--only-binary=:all:"]
    command += ["--disable-pip-version-check", "--progress-bar", "off", "--dest", str(target)]
    _log.info("fetching %s", wheel.requirement)
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)
        reason = done.stderr.strip().splitlines()[-1:] if done.returncode else []
    except (OSError, subprocess.TimeoutExpired) as error:
        done, reason = None, [str(error)]
    archive = target / wheel.filename
    if done is None or done.returncode or not archive.is_file():
        raise MissingError(
            f"{wheel.requirement} could not be downloaded ({' '.join(reason) or 'no such file came'}). "
            f"Without a network, get {wheel.filename} from the Python package index "
            f"(`pip download {wheel.requirement} --no-deps`), place it at {folder / wheel.filename} and run this again"
        )
    return archive


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
