# SPDX-License-Identifier: Apache-2.0
"""Mutators of a design folder itself: files that are missing, empty, links, FIFOs, folders or too many."""

from __future__ import annotations

import os
from pathlib import Path

from support.fuzz.mutators.damage import Rng, pick

LAYOUT = "layout"
"""Name of the mutator."""
ODD_NAMES = ("extra.bin", "image-9.bin", ".hidden", "manifest.json.tmp", "a" * 200, "line\nbreak", "\x1b[2J", "é")


def damage_layout(rng: Rng, folder: Path) -> None:
    """Replace one file of a folder by something else, or add things to the folder.

    The files of the folder may be links to those of a sound folder: they are removed, never written.
    """
    path = folder / pick(rng, sorted(item.name for item in folder.iterdir()))
    what = rng.integers(13)
    if what == 12:
        for name in ODD_NAMES:
            (folder / name).write_bytes(b"x")
        (folder / "inner").mkdir()
        return
    data = path.read_bytes()
    path.unlink()
    if what == 1:
        path.write_bytes(b"")
    elif what == 2:
        path.mkdir()
    elif what == 3:
        os.mkfifo(path)
    elif what == 4:
        path.symlink_to(pick(rng, ("/dev/zero", "/dev/null", "/etc/passwd", "/proc/self/mem", "/nowhere", ".", "..")))
    elif what == 5:
        path.symlink_to(path.name)
    elif what == 6:
        (folder.parent / "outside").write_bytes(data)
        path.symlink_to("../outside")
    elif what == 7:
        (folder / "inner").mkdir()
        (folder / "inner" / path.name).write_bytes(data)
        path.symlink_to(f"inner/{path.name}")
    elif what == 8:
        path.write_bytes(data)
        path.chmod(0)
    elif what == 9:
        with path.open("wb") as stream:
            stream.truncate(1 << 40)
    elif what == 10:
        (folder / "inside").write_bytes(data)
        path.symlink_to("inside")
    elif what == 11:
        path.write_bytes(data + b"\n")
