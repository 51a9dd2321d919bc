# SPDX-License-Identifier: Apache-2.0
"""The examples (`>>>`) in docstrings and pages give the results that they show."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = {"host": ROOT / "host", "hls": ROOT / "hls", "models": ROOT / "models"}
PROMPT = ">>> "


def with_examples(pattern: str, *folders: Path) -> list[Path]:
    """Files that hold an example."""
    files = (path for folder in folders for path in sorted(folder.rglob(pattern)))
    return [path for path in files if PROMPT in path.read_text(encoding="utf-8")]


def module_name(path: Path) -> str:
    """The name under which a source file is imported."""
    home = next((folder for folder in PACKAGES.values() if path.is_relative_to(folder)), ROOT)
    return ".".join(path.relative_to(home).with_suffix("").parts)


SOURCES = [*PACKAGES.values(), ROOT / "benchmarks", ROOT / "support"]
EXAMPLES = [*with_examples("*.py", *SOURCES), *with_examples("*.md", ROOT / "docs")]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: str(path.relative_to(ROOT)))
def test_examples_show_what_happens(path: Path) -> None:
    if path.suffix == ".md":
        result = doctest.testfile(str(path), module_relative=False)
    else:
        result = doctest.testmod(importlib.import_module(module_name(path)))
    assert result.attempted > 0 and result.failed == 0


def test_a_wrong_example_is_found() -> None:
    test = doctest.DocTestParser().get_doctest(">>> 1 + 1\n3\n", {}, "wrong", None, None)
    assert doctest.DocTestRunner(verbose=False).run(test, out=lambda _: None).failed == 1
