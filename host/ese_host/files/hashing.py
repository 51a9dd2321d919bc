"""Opening plain files, and SHA-256 of files and of bytes in lower-case hexadecimal."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from ese_host.errors import FormatError


def open_plain(path: Path) -> BinaryIO:
    """Open a file for reading. A FIFO is never waited for, and a device is never read.

    Raises:
        OSError: if the file cannot be opened.
        FormatError: if it is no plain file.
    """
    # The descriptor is examined, not the path, which may lead to something else a moment later.
    stream = open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK))  # noqa: SIM115
    if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
        stream.close()
        raise FormatError(f"{path}: is no plain file; a FIFO or device is not read: copy its contents to a file")
    return stream


def digest(path: Path) -> str:
    """SHA-256 of a file.

    Raises:
        OSError: if the file cannot be read.
        FormatError: if it is no plain file.
    """
    sha = hashlib.sha256()
    with open_plain(path) as stream:
        while chunk := stream.read(1 << 20):
            sha.update(chunk)
    return sha.hexdigest()


def digests(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """SHA-256 of files in a folder, by file name."""
    return {name: digest(folder / name) for name in names}


def digest_of(data: bytes) -> str:
    """SHA-256 of bytes."""
    return hashlib.sha256(data).hexdigest()
