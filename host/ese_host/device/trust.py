# SPDX-License-Identifier: Apache-2.0
"""Which emulated bitstreams may be loaded: those in this user's record of builds, and those that the user trusts.

An emulated bitstream is native code that runs in this process, so a folder from somebody else could do anything that
its user may. SECURITY.md says what is checked.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from ese_host.errors import UntrustedError
from ese_host.files import Contents, write_file


def record_folder() -> Path | None:
    """The folder of the record, which has one file for each SHA-256, or None without an absolute path to it.

    It is `ese4ml/builds` in the folder of the environment variable XDG_STATE_HOME, or else in ~/.local/state.
    """
    state = Path(os.environ.get("XDG_STATE_HOME", ""))
    if not state.is_absolute():  # the XDG specification has relative paths ignored
        try:
            state = Path.home() / ".local" / "state"
        except RuntimeError:
            return None
    # A relative path would lead into the working directory, which may be a folder from somebody else.
    return state / "ese4ml" / "builds" if state.is_absolute() else None


def record(sha256: str, design_folder: Path) -> bool:
    """Record that this user built an emulated bitstream.

    Args:
        sha256: SHA-256 of the bitstream.
        design_folder: the design folder that it was built for, as information for people.

    Returns:
        Whether it is in the record now; false if the record cannot be written.
    """
    folder = record_folder()
    if folder is None:
        return False
    try:
        write_file(folder / sha256, os.fsencode(f"{design_folder.absolute()}\n"))
    except OSError:
        return recorded(sha256)
    return recorded(sha256)


def recorded(sha256: str) -> bool:
    """Whether this user built the emulated bitstream with this SHA-256."""
    folder = record_folder()
    if folder is None:
        return False
    try:
        entry, parent = (folder / sha256).lstat(), folder.stat()
    except OSError:
        return False
    # A record that somebody else could have written says nothing, and `record` writes plain files only.
    return stat.S_ISREG(entry.st_mode) and entry.st_uid == parent.st_uid == os.geteuid()


def require(bitstream: Contents) -> None:
    """Check that this user built an emulated bitstream.

    Raises:
        UntrustedError: if it is not in the record of builds.
    """
    if not recorded(bitstream.sha256):
        raise UntrustedError(
            f"{bitstream}: is native code with SHA-256 {bitstream.sha256}, which this user's record of builds "
            f"({record_folder() or 'none, for want of a home directory'}) does not have, so it is not loaded; compile "
            "it from the installed sources with `ese4ml rebuild`, or, if you trust whoever made it, give --trust "
            "(trust=True in Python)"
        )
