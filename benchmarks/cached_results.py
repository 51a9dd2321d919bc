# SPDX-License-Identifier: Apache-2.0
"""Results of slow runs, kept in a file beside the page that shows them, each with the digest of its sources."""

from __future__ import annotations

import hashlib
import json
import re
import time
from pathlib import Path
from typing import Any

import click

BENCHES = ("testbench.cpp", "core_testbench.cpp", "vector_file.h")
"""Sources in csrc that are not part of the engine."""

_RAW_STRING = r'R"(?P<mark>[^\s()\\]*)\(.*?\)(?P=mark)"'
_WORD = r"""\d(?:'?[\w.])*|\w+|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])+'"""
"""A number, name, string or character. A quote within a number, as in 1'000 or 4'b0, begins no character."""
_COMMENT = r"//(?:\\\n|[^\n])*|/\*.*?\*/"
_GAP = rf"(?P<gap>(?:\s|\\\n|{_COMMENT})+)"
_LINE = re.compile(rf"{_WORD}|{_GAP}", re.DOTALL)
_CODE = re.compile(rf"{_RAW_STRING}|(?P<directive>[#`](?:{_WORD}|{_COMMENT}|\\\n|[^\n])*\s*)|{_WORD}|{_GAP}", re.DOTALL)
"""The parts of C++ and Verilog that are replaced or kept whole; a directive reaches to the end of its line."""


class CachedResults:
    """Results by name in a JSON file. A result whose sources have changed since is kept until it is replaced."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.results: dict[str, dict[str, Any]] = json.loads(path.read_text()) if path.is_file() else {}

    def current(self, name: str, sources: str) -> bool:
        """Whether there is a result of this name, made from sources with this digest."""
        return name in self.results and self.results[name]["sources"] == sources

    def put(self, name: str, sources: str, result: dict[str, Any]) -> None:
        """Keep a result, and write the file at once.

        Args:
            name: of the result.
            sources: digest of its sources.
            result: plain JSON values.
        """
        self.results[name] = {"sources": sources, **result}
        part = self.path.with_suffix(".part")
        part.write_text(json.dumps(self.results, indent=1, sort_keys=True) + "\n")
        part.replace(self.path)

    def days(self, names: list[str]) -> str:
        """The day on which these results were made, or the first and the last day, as a text.

        Raises:
            ClickException: if there is no name.
        """
        if not names:
            raise click.ClickException(
                f"{self.path} holds no result; run `make {self.path.stem}` with its tools on PATH"
            )
        days = sorted({self.results[name]["date"] for name in names})
        return days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"

    def said(self, names: list[str], key: str) -> str:
        """The different values that these results have under a key, as a text."""
        values = {self.results[name][key] for name in names}
        return ", ".join(sorted(f"{value:g}" if isinstance(value, float) else str(value) for value in values))


def fresh(folder: Path) -> None:
    """Make an empty folder for a run. An existing folder is renamed, with the time in its name."""
    if folder.exists():
        folder.rename(folder.with_name(f"{folder.name}.{int(time.time())}"))
    folder.mkdir(parents=True)


def code_of(text: str) -> str:
    """C++ or Verilog without its comments, and without the white space that separates nothing.

    Strings and characters stay as they are. A preprocessor directive stays on a line of its own, each gap one space.
    """
    return _CODE.sub(_shortened, text).strip()


def _shortened(match: re.Match[str]) -> str:
    """The replacement of one match of `_CODE`: literals as they are, a gap as a space or as nothing."""
    if (directive := match["directive"]) is not None:
        return "\n" + _LINE.sub(lambda part: part[0] if part["gap"] is None else " ", directive).strip() + "\n"
    if match["gap"] is None:
        return match[0]
    before, after = match.string[max(0, match.start() - 1) : match.start()], match.string[match.end() : match.end() + 1]
    return " " if _kind(before) == _kind(after) != "separator" else ""


def _kind(character: str) -> str:
    """The kind of the character on one side of a gap.

    A gap between two characters of the same kind stays as a space, because they could become one token without it;
    separators never do.
    """
    if not character or character.isspace() or character in "()[]{},;#`":
        return "separator"
    return "word" if character.isalnum() or character in "_.\"'" else "operator"


def digest(folder: Path, *more: bytes) -> str:
    """The first 16 hexadecimal digits of the SHA-256 of an engine's sources and of `more`.

    The sources are the files in `folder` and below it, test benches left out, each with its path. Only their code
    counts: a changed comment or indentation changes no digest.
    """
    files = sorted(path for path in folder.rglob("*.*") if path.is_file() and path.name not in BENCHES)
    names = [path.relative_to(folder).as_posix().encode() for path in files]
    codes = [code_of(path.read_text(encoding="utf-8")).encode() for path in files]
    text = b"".join(name + code for name, code in zip(names, codes, strict=True))
    return hashlib.sha256(text + b"".join(more)).hexdigest()[:16]


def digest_of_file(path: Path) -> str:
    """The first 16 hexadecimal digits of the SHA-256 of one source's code, as `digest` takes it, without its name."""
    return hashlib.sha256(code_of(path.read_text(encoding="utf-8")).encode()).hexdigest()[:16]
