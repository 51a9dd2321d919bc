# SPDX-License-Identifier: Apache-2.0
"""Rules of names and prose that no linter has: `python -m benchmarks.prose [PATH ...]` lists the breaches.

A public function with three parameters or more has an `Args:` section, a docstring does not begin with "What", a class
name occurs once in the tree, a source file says its licence by an SPDX line at its top, and a line of a page has at
most 120 characters, except in tables, code, headings and pictures.
"""

from __future__ import annotations

import ast
import sys
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from support.pages.project_files import project_files

WIDTH = 120
"""Most characters of a line of prose."""
MANY = 3
"""A public function with this many parameters or more needs an `Args:` section."""
SOURCES = ("host", "hls", "models", "benchmarks", "support")
"""Folders whose docstrings are checked. Tests need none, because their names say what they show."""

LICENCE = "SPDX-License-Identifier: Apache-2.0"
"""The text of a comment in the first or second line of every source file."""
LICENSED = {".py", ".h", ".cpp", ".v", ".js", ".css"}
"""Endings of source files. Templates are left out, because what they fill belongs to the user."""

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@cache
def parsed(path: Path) -> ast.Module:
    """The syntax tree of a source file."""
    return ast.parse(path.read_text(encoding="utf-8"))


def definitions(tree: ast.AST, public: bool = True) -> Iterator[tuple[Definition, bool]]:
    """Every class and function that is not inside another function, and whether it is public."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node, public and not node.name.startswith("_")
        elif isinstance(node, ast.ClassDef):
            seen = public and not node.name.startswith("_")
            yield node, seen
            yield from definitions(node, seen)


def parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
    """Names of a function's parameters, without `self` and `cls`."""
    given = function.args
    named = [item.arg for item in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
    return [name for name in named if name not in ("self", "cls")]


def docstring_faults(path: Path, tree: ast.Module) -> Iterator[str]:
    """A message for each breach in the docstrings of one module."""
    for node in [tree, *(node for node, _ in definitions(tree))]:
        if (ast.get_docstring(node) or "").startswith("What "):
            yield f"{path}:{getattr(node, 'lineno', 1)}: the docstring begins with 'What'; begin with a noun or a verb"
    for node, public in definitions(tree):
        if isinstance(node, ast.ClassDef) or not public or node.name == "__init__":
            continue
        decorated = {ast.unparse(item).partition("(")[0] for item in node.decorator_list}
        is_command = any(name.endswith(("command", "option", "argument")) for name in decorated)
        if is_command or decorated & {"property", "override", "overload"}:
            continue
        text = ast.get_docstring(node) or ""
        if len(parameters(node)) >= MANY and "Args:" not in text:
            yield f"{path}:{node.lineno}: {node.name} has {len(parameters(node))} parameters and no 'Args:' section"


def page_faults(path: Path, text: str) -> Iterator[str]:
    """A message for each line of prose that is too long; tables, code, headings and pictures may be longer."""
    fenced = False
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("```"):
            fenced = not fenced
        elif not fenced and len(line) > WIDTH and not line.lstrip().startswith(("|", "#", "![")):
            yield f"{path}:{number}: {len(line)} characters; {WIDTH} are allowed"


def faults(paths: list[str]) -> Iterator[str]:
    """A message for each breach below the given paths; class names are compared over the whole tree."""
    places: dict[str, list[str]] = defaultdict(list)
    for path in project_files("*.py"):
        for node, _ in definitions(parsed(path)):
            if isinstance(node, ast.ClassDef):
                places[node.name].append(f"{path}:{node.lineno}")
    for name, found in sorted(places.items()):
        if len(found) > 1:
            yield f"class {name} stands {len(found)} times: {', '.join(found)}; give each a name of its own"
    for path in project_files(*paths):
        if path.suffix in LICENSED and LICENCE not in "".join(path.read_text(encoding="utf-8").splitlines(True)[:2]):
            yield f"{path}:1: there is no line '{LICENCE}'; write it first, in a comment"
        if path.suffix == ".py" and path.parts[0] in SOURCES:
            yield from docstring_faults(path, parsed(path))
        elif path.suffix == ".md":
            yield from page_faults(path, path.read_text(encoding="utf-8"))


def main() -> None:
    """List the breaches, and exit with code 1 if there is one."""
    listed = list(faults(sys.argv[1:]))
    print("\n".join(listed) or "the rules of names and prose hold")
    sys.exit(bool(listed))


if __name__ == "__main__":
    main()
