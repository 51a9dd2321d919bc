# SPDX-License-Identifier: Apache-2.0
"""Atomic writing of files and folders: a reader sees the complete old one or the complete new one."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from ese_host.errors import MismatchError

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""Errors of the operating system that say that there is no room for more."""
Writer = Callable[[Path], object]
"""A function that writes a file; it is given a path with the file's own name in a temporary folder."""


def says_full(text: str) -> bool:
    """Whether the messages of a tool, in English, say that it found no room for what it was to write."""
    return any(reason in text for reason in (*map(os.strerror, FULL), signal.strsignal(signal.SIGXFSZ) or "\0"))


def write_file(path: Path, content: bytes | str) -> None:
    """Write a file, creating its folder if needed.

    Args:
        path: the file, which is replaced if it exists.
        content: the complete content; text is encoded as UTF-8.
    """
    data = content.encode() if isinstance(content, str) else content
    write_by(path, lambda part: part.write_bytes(data))


def write_by(path: Path, write: Writer) -> None:
    """Let a function write a file, then move it to its place; nothing is left behind if the function fails.

    Args:
        path: the file, which is replaced if it exists.
        write: the function.
    """
    write_together({path: write})


def write_together(writers: Mapping[Path, Writer]) -> None:
    """Let functions write files that belong together; if one of them fails, all files stay as they were.

    Args:
        writers: the function for each file; a file that exists is replaced.

    Raises:
        OSError: if a file cannot be written.
    """
    for path in writers:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    with contextlib.ExitStack() as stack:
        parts = {path: stack.enter_context(_temporary_folder(path)) / path.name for path in writers}
        for path, write in writers.items():
            write(parts[path])
        for path, part in parts.items():
            part.replace(path)


@contextlib.contextmanager
def whole_folder(target: Path, marker: str) -> Iterator[Path]:
    """Yield a new folder to be filled, which then replaces `target`; on an error it is deleted instead.

    Args:
        target: path of the folder.
        marker: name of a file that every folder of this kind contains, so that nothing else is replaced by mistake.

    Raises:
        MismatchError: if `target` exists and is neither empty nor a folder of this kind.
    """
    target = target.absolute()
    check_target(target, marker)
    with _temporary_folder(target) as temporary:
        new_folder = temporary / "new"
        new_folder.mkdir()
        yield new_folder
        old_folder = temporary / "old"
        try:
            if target.exists():
                target.rename(old_folder)
            new_folder.rename(target)
        except BaseException:
            if old_folder.exists():
                old_folder.rename(target)
            raise


def check_target(target: Path, marker: str) -> None:
    """Refuse to replace anything but an empty folder or a folder of the same kind.

    Args:
        target: path of the folder that is to be written.
        marker: name of a file that every folder of this kind contains.

    Raises:
        MismatchError: if something else exists there.
    """
    if target.is_dir() and ((target / marker).is_file() or not any(target.iterdir())):
        return
    if target.exists() or target.is_symlink():
        raise MismatchError(
            f"{target} exists and holds no {marker}; it is not replaced: choose another folder or move it away"
        )


@contextlib.contextmanager
def _temporary_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary folder beside a path, and so on the same file system; it is deleted afterwards."""
    path = path.absolute()
    path.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    try:
        folder.chmod(0o755)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
