# SPDX-License-Identifier: Apache-2.0
"""Verilog and compiled engines that are kept for the next build, in the user's cache folder."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

from ese_host.files import write_by

MOST_BYTES = 1 << 29
"""Most bytes that the cache keeps; those used longest ago are removed first."""


def cache_folder() -> Path | None:
    """The folder of the cache, or None without an absolute path to it.

    It is `ese4ml/engines` in the folder of the environment variable XDG_CACHE_HOME, or else in ~/.cache.
    """
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if not base.is_absolute():  # the XDG specification has relative paths ignored
        try:
            base = Path.home() / ".cache"
        except RuntimeError:
            return None
    return base / "ese4ml" / "engines" if base.is_absolute() else None


def cached(name: str, target: Path, make: Callable[[Path], object]) -> None:
    """Write a file from the cache, or make it and keep it there.

    A cache that cannot be read or written is done without.

    Args:
        name: name of the file in the cache, with a digest of all that it is made from.
        target: the file to write.
        make: writes the file to a given path.
    """
    folder = cache_folder()
    kept = None if folder is None else folder / name
    if kept is not None and _is_ours(kept):
        with contextlib.suppress(OSError):
            shutil.copyfile(kept, target)
            os.utime(kept)
            return
    make(target)
    if kept is not None:
        with contextlib.suppress(OSError):
            kept.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_by(kept, lambda part: shutil.copyfile(target, part).chmod(0o600))
            _shrink(kept.parent)


def _is_ours(kept: Path) -> bool:
    """Whether only this user can have written a file, which is or becomes native code that will be run."""
    try:
        entry, folder = kept.lstat(), kept.parent.stat()
    except OSError:
        return False
    others = stat.S_IWGRP | stat.S_IWOTH
    ours = entry.st_uid == folder.st_uid == os.geteuid()
    return ours and stat.S_ISREG(entry.st_mode) and not (entry.st_mode | folder.st_mode) & others


def _shrink(folder: Path) -> None:
    """Remove the files that were used longest ago until at most `MOST_BYTES` are left."""
    left = MOST_BYTES
    found = [(path, path.stat()) for path in folder.iterdir() if path.is_file()]
    for path, status in sorted(found, key=lambda item: -item[1].st_mtime):
        left -= status.st_size
        if left < 0:
            path.unlink(missing_ok=True)
