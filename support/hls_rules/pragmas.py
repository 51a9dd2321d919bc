# SPDX-License-Identifier: Apache-2.0
"""The pragmas of HLS in a source, whether written out or by macros whose definitions hold them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from clang.cindex import Cursor, CursorKind, TranslationUnit


@dataclass(frozen=True)
class Pragma:
    """A pragma of HLS.

    Attributes:
        file: its file.
        line: its line.
        offset: its place in the file.
        text: what follows `HLS`, in lower case but for names, with single spaces and none around `=`.
    """

    file: Path
    line: int
    offset: int
    text: str

    @property
    def kind(self) -> str:
        """Its first word, such as `pipeline`."""
        return self.text.split(" ", 1)[0].lower()

    def option(self, name: str) -> str | None:
        """The value of an option, or None if it has none."""
        found = re.search(rf"\b{name}=(\S+)", self.text, re.IGNORECASE)
        return found.group(1) if found else None


def pragmas(unit: TranslationUnit, files: Iterable[Path]) -> list[Pragma]:
    """All pragmas of HLS in the files of a parsed source."""
    wanted = set(files)
    found = []
    macros: dict[str, tuple[list[str], str]] = {}
    for cursor in unit.cursor.get_children():
        if cursor.kind == CursorKind.MACRO_DEFINITION and cursor.location.file is not None:
            macros[cursor.spelling] = _definition(cursor)
        elif cursor.kind == CursorKind.MACRO_INSTANTIATION and file_of(cursor) in wanted:
            place = cursor.location
            for text in _held(macros, cursor.spelling, _arguments(cursor)):
                found.append(Pragma(file_of(cursor), place.line, place.offset, _normal(text)))
    for file in wanted:
        content = file.read_text(encoding="utf-8")
        for match in re.finditer(r"^[ \t]*#[ \t]*pragma[ \t]+HLS[ \t]+(.*)$", content, re.MULTILINE):
            line = content.count("\n", 0, match.start()) + 1
            offset = len(content[: match.start()].encode())
            found.append(Pragma(file, line, offset, _normal(match.group(1))))
    return found


def file_of(cursor: Cursor) -> Path:
    """The file of a node, without the way on which it was included."""
    return _plain(str(cursor.location.file))


@cache
def _plain(name: str) -> Path:
    return Path(os.path.normpath(name))


def _definition(cursor: Cursor) -> tuple[list[str], str]:
    """The parameters and the body of a macro."""
    name, *rest = cursor.get_tokens()
    tokens = [token.spelling for token in rest]
    if not rest or tokens[0] != "(" or rest[0].extent.start.offset != name.extent.end.offset:
        return [], " ".join(tokens)
    close = tokens.index(")")
    return [word for word in tokens[1:close] if word != ","], " ".join(tokens[close + 1 :])


def _held(macros: dict[str, tuple[list[str], str]], name: str, arguments: list[str]) -> Iterator[str]:
    """The pragmas that a macro stands for: as an argument of a macro, in `_Pragma`, or by macros in its body."""
    parameters, body = macros.get(name, ([], ""))
    body = _substituted(body, parameters, arguments)
    if (one := re.fullmatch(r'\w+ \( "?HLS (.*?)"? \)', body)) is not None:
        yield one.group(1)
        return
    for inner in re.finditer(r"(\w+) \( ([^()]*) \)", body):
        if inner.group(1) in macros and inner.group(1) != name:
            yield from _held(macros, inner.group(1), [part.strip() for part in inner.group(2).split(",")])


def _arguments(cursor: Cursor) -> list[str]:
    text = "".join(token.spelling for token in list(cursor.get_tokens())[1:])
    return text[1:-1].split(",") if text else []


def _substituted(text: str, parameters: list[str], arguments: list[str]) -> str:
    values = dict(zip(parameters, arguments, strict=False))
    return re.sub(r"\w+", lambda word: values.get(word.group(), word.group()), text)


def _normal(text: str) -> str:
    return re.sub(r"\s*([=.])\s*", r"\1", " ".join(text.split()))
