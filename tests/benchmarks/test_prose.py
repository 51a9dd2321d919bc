# SPDX-License-Identifier: Apache-2.0
"""benchmarks/prose.py: each rule is noticed where it is broken, and nowhere else."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from benchmarks import prose

SOUND = '''# SPDX-License-Identifier: Apache-2.0
"""A module."""


class First:
    """A class."""

    def method(self, one: int, two: int) -> None:
        """Do something."""

    @property
    def value(self) -> int:
        """A value."""
        return 1


def many(one: int, two: int, *, three: int) -> None:
    """Do something.

    Args:
        one: first. two: second.
        three: third.
    """


def _private(one: int, two: int, three: int) -> None:
    pass
'''
WIDE = "word " * 30
PAGE = f"# {WIDE}\n\n| {WIDE} |\n\n```\n{WIDE}\n```\n\nshort\n"


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small tree under version control, without a breach."""
    (tmp_path / "host").mkdir()
    (tmp_path / "host" / "module.py").write_text(SOUND)
    (tmp_path / "page.md").write_text(PAGE)
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    monkeypatch.chdir(tmp_path)
    prose.parsed.cache_clear()
    return tmp_path


def test_a_tree_without_a_breach(tree: Path) -> None:
    assert list(prose.faults([])) == []


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("A class.", "What it is.", "host/module.py:5: the docstring begins with 'What'; begin with a noun or a verb"),
        ("A module.", "What it holds.", "host/module.py:1: the docstring begins with 'What'; begin with a noun or a"),
        ("    Args:\n", "", "host/module.py:17: many has 3 parameters and no 'Args:' section"),
        ("# SPDX-License-Identifier: Apache-2.0\n", "", "host/module.py:1: there is no line 'SPDX-License-"),
        (
            "two: int) -> None",
            "two: int, three: int) -> None",
            "host/module.py:8: method has 3 parameters and no 'Args:'",
        ),
    ],
)
def test_breaches_in_a_source(tree: Path, before: str, after: str, message: str) -> None:
    (tree / "host" / "module.py").write_text(SOUND.replace(before, after, 1))
    (found,) = prose.faults([])
    assert found.startswith(message)


def test_a_class_name_that_stands_twice(tree: Path) -> None:
    (tree / "host" / "other.py").write_text(SOUND)
    (found,) = prose.faults(["page.md"])
    assert found.startswith("class First stands 2 times: host/module.py:5, host/other.py:5; give each a name")


def test_a_line_that_is_too_long(tree: Path) -> None:
    (tree / "page.md").write_text(PAGE + WIDE.rstrip())
    assert list(prose.faults([])) == [f"page.md:10: {len(WIDE.rstrip())} characters; 120 are allowed"]
