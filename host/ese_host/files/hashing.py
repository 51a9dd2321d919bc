# SPDX-License-Identifier: Apache-2.0
"""Opening plain files, holding what was read from them, and SHA-256 in lower-case hexadecimal."""

from __future__ import annotations

import hashlib
import io
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Union

from ese_host.errors import FormatError, StorageError


@dataclass(frozen=True, eq=False)
class Contents:
    """A file's bytes, which were read once, so that what is used is what was hashed.

    Attributes:
        path: the file that they were read from; messages name it.
        data: the bytes.
        sha256: their SHA-256.
    """

    path: Path
    data: bytes = field(repr=False)
    sha256: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "sha256", digest_of(self.data))

    def __str__(self) -> str:
        return str(self.path)

    @classmethod
    def of(cls, path: Path) -> Contents:
        """Read a file.

        Raises:
            OSError: if it cannot be read.
            FormatError: if it is no plain file.
        """
        with open_plain(path) as stream:
            return cls(path, stream.read())

    def copy_to(self, path: Path) -> None:
        """Write the bytes to a temporary file, for a loader that takes a path.

        Raises:
            StorageError: if it cannot be written.
        """
        try:
            path.write_bytes(self.data)
        except OSError as error:
            raise StorageError(
                f"{path}: the copy of {self} cannot be written ({error.strerror}); free some space, or set TMPDIR to "
                "another folder"
            ) from error


Source = Union[Path, Contents]
"""A file, or the bytes that were read from one; a parser takes either."""


def open_plain(source: Source) -> BinaryIO:
    """Open a file or a file's contents for reading. A FIFO is never waited for, and a device is never read.

    Raises:
        OSError: if the file cannot be opened.
        FormatError: if it is no plain file.
    """
    if isinstance(source, Contents):
        return io.BytesIO(source.data)
    path = source
    # The descriptor is examined, not the path, which may lead to something else a moment later.
    stream = open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK))  # noqa: SIM115
    if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
        stream.close()
        raise FormatError(f"{path}: is no plain file; a FIFO or device is not read: copy its contents to a file")
    return stream


def size_of(stream: BinaryIO) -> int:
    """Bytes of an open file, of which nothing has been read yet."""
    size = stream.seek(0, io.SEEK_END)
    stream.seek(0)
    return size


def digest(path: Path) -> str:
    """SHA-256 of a file.

    Raises:
        OSError: if the file cannot be read.
        FormatError: if it is no plain file.
    """
    with open_plain(path) as stream:
        return digest_of_stream(stream)


def digest_of_stream(stream: BinaryIO) -> str:
    """SHA-256 of what is left of an open file.

    Raises:
        OSError: if it cannot be read.
    """
    sha = hashlib.sha256()
    while chunk := stream.read(1 << 20):
        sha.update(chunk)
    return sha.hexdigest()


def digests(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """SHA-256 of files in a folder, by file name."""
    return {name: digest(folder / name) for name in names}


def digest_of(data: bytes) -> str:
    """SHA-256 of bytes."""
    return hashlib.sha256(data).hexdigest()
