"""Results of slow runs, kept beside the page that shows them, each with the digest of what it was made of."""

from __future__ import annotations

import hashlib
import json
import time
from pathlib import Path
from typing import Any

import click

BENCHES = ("testbench.cpp", "core_testbench.cpp", "vector_file.h")
"""Sources that are no part of an engine."""


class CachedResults:
    """Results by name, in a JSON file; one of other sources than today's is kept until it is replaced."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.results: dict[str, dict[str, Any]] = json.loads(path.read_text()) if path.is_file() else {}

    def current(self, name: str, sources: str) -> bool:
        """Whether there is a result of the very same sources."""
        return name in self.results and self.results[name]["sources"] == sources

    def put(self, name: str, sources: str, result: dict[str, Any]) -> None:
        """Keep a result, in the file at once."""
        self.results[name] = {"sources": sources, **result}
        part = self.path.with_suffix(".part")
        part.write_text(json.dumps(self.results, indent=1, sort_keys=True) + "\n")
        part.replace(self.path)

    def days(self, names: list[str]) -> str:
        """The days of these results, the first to the last.

        Raises:
            ClickException: there is no result.
        """
        if not names:
            raise click.ClickException(f"{self.path} holds no result: make {self.path.stem}, with its tools on PATH")
        days = sorted({self.results[name]["date"] for name in names})
        return days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"

    def said(self, names: list[str], key: str) -> str:
        """What these results name under a key, each once."""
        values = {self.results[name][key] for name in names}
        return ", ".join(sorted(f"{value:g}" if isinstance(value, float) else str(value) for value in values))


def fresh(folder: Path) -> None:
    """An empty folder for a run; one that was there is set aside under a name with the time."""
    if folder.exists():
        folder.rename(folder.with_name(f"{folder.name}.{int(time.time())}"))
    folder.mkdir(parents=True)


def digest(folder: Path, *more: bytes) -> str:
    """The first 16 hexadecimal digits of the SHA-256 of an engine's sources, config.h among them, and of `more`."""
    files = sorted(path for path in folder.glob("*.*") if path.name not in BENCHES)
    text = b"".join(path.name.encode() + path.read_bytes() for path in files)
    return hashlib.sha256(text + b"".join(more)).hexdigest()[:16]
