# SPDX-License-Identifier: Apache-2.0
"""The files of the project, in a checkout and in an unpacked source distribution."""

from __future__ import annotations

import subprocess
from pathlib import Path

SOURCE_DISTRIBUTION = "PKG-INFO"
"""A file that only a source distribution has."""


def project_files(*patterns: str, folder: Path = Path()) -> list[Path]:
    """The files below a folder that belong to the project, relative to it and sorted.

    In a checkout they are those under version control and those that are new and not ignored. A source distribution has
    no version control, and holds nothing else, but for what is made in hidden folders and in build/.

    Args:
        patterns: which files, as git's pathspecs: names, folders, or patterns such as "*.md".
        folder: root of the project.
    """
    if (folder / SOURCE_DISTRIBUTION).is_file():
        own = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
        own = (path for path in own if path.parts[0] != "build" and not path.parts[0].startswith("."))
        return sorted(path for path in own if not patterns or any(_matches(path, pattern) for pattern in patterns))
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns]
    listed = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout.split("\n")
    return sorted(Path(name) for name in set(listed) if name and (folder / name).is_file())


def _matches(path: Path, pattern: str) -> bool:
    """Whether a path is, or is below, what a pathspec names."""
    return pattern == "." or path.match(pattern) or path.is_relative_to(pattern)
