"""SHA-256 of files and of bytes, in lower-case hexadecimal."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    sha = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(1 << 20):
            sha.update(chunk)
    return sha.hexdigest()


def digests(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """SHA-256 of files in a folder, by file name."""
    return {name: digest(folder / name) for name in names}


def digest_of(data: bytes) -> str:
    """SHA-256 of bytes."""
    return hashlib.sha256(data).hexdigest()
