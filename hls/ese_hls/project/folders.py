"""Folders that appear whole or not at all."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ese_host.errors import MismatchError


@contextlib.contextmanager
def whole_folder(target: Path, marker: str) -> Iterator[Path]:
    """A new folder beside `target`, to be filled; it takes target's place on success and vanishes on an error.

    Args:
        target: where the folder shall be.
        marker: a file that every folder of this sort has; anything else that stands at `target` is left alone.

    Raises:
        MismatchError: something stands at `target` that is no folder of this sort.
    """
    target = target.absolute()
    check_target(target, marker)
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        beside.chmod(0o755)
        fresh = beside / "new"
        fresh.mkdir()
        yield fresh
        if target.exists():
            target.rename(beside / "old")
        fresh.rename(target)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def check_target(target: Path, marker: str) -> None:
    """Refuse to replace anything but an empty folder or one of the same sort.

    Raises:
        MismatchError: something else stands there.
    """
    if target.is_dir() and ((target / marker).is_file() or not any(target.iterdir())):
        return
    if target.exists() or target.is_symlink():
        raise MismatchError(
            f"{target} exists and holds no {marker}; it is not replaced: choose another folder or move it away"
        )
