"""Files and folders that appear whole or not at all: readers see the old one or the new one."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from ese_host.errors import MismatchError


def write_file(path: Path, content: bytes | str) -> None:
    """Write a file, text as UTF-8; its folder is made where there is none.

    Args:
        path: the file; an earlier one there is replaced.
        content: all of it.
    """
    data = content.encode() if isinstance(content, str) else content
    write_by(path, lambda part: part.write_bytes(data))


def write_by(path: Path, write: Callable[[Path], object]) -> None:
    """Let a function write a file, then put it in its place; nothing is left where the function fails.

    Args:
        path: the file; an earlier one there is replaced.
        write: is given a path of the same name, in a folder of its own beside `path`, and makes the file there.
    """
    with _beside(path) as folder:
        write(folder / path.name)
        (folder / path.name).replace(path)


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
    with _beside(target) as beside:
        fresh = beside / "new"
        fresh.mkdir()
        yield fresh
        if target.exists():
            target.rename(beside / "old")
        fresh.rename(target)


def check_target(target: Path, marker: str) -> None:
    """Refuse to replace anything but an empty folder or one of the same sort.

    Args:
        target: where a folder shall be.
        marker: a file that every folder of this sort has.

    Raises:
        MismatchError: something else stands there.
    """
    if target.is_dir() and ((target / marker).is_file() or not any(target.iterdir())):
        return
    if target.exists() or target.is_symlink():
        raise MismatchError(
            f"{target} exists and holds no {marker}; it is not replaced: choose another folder or move it away"
        )


@contextlib.contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """A folder beside a path, on the same file system, for as long as the context lasts."""
    path = path.absolute()
    path.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    try:
        folder.chmod(0o755)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
