# SPDX-License-Identifier: Apache-2.0
"""Links of the pages lead somewhere: to a file of the project, and to a heading that is there."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from support.pages.project_files import project_files

ROOT = Path(__file__).parents[1]


def pages() -> list[Path]:
    """Every page of the project."""
    return [ROOT / name for name in project_files("*.md", folder=ROOT)]


def tokens(text: str) -> list[Token]:
    """The text's Markdown tokens, inline ones included."""
    parsed = MarkdownIt("commonmark").enable("table").parse(text)
    return [inner for token in parsed for inner in (token, *(token.children or []))]


def targets(text: str) -> list[str]:
    """Where the links and pictures of a page point."""
    links = [token.attrGet("href") or token.attrGet("src") for token in tokens(text)]
    return [str(target) for target in links if target]


def anchors(text: str) -> set[str]:
    """The names by which a page's headings are linked: lower case, hyphens for spaces, other signs dropped."""
    parsed = MarkdownIt("commonmark").enable("table").parse(text)
    titles = [after.content for token, after in itertools.pairwise(parsed) if token.type == "heading_open"]
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def broken(page: Path, text: str) -> list[str]:
    """Links of a page that lead nowhere; addresses of the web are not followed."""
    wrong = []
    for target in targets(text):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        if name and not (file.exists() and file.is_relative_to(ROOT)):
            wrong.append(f"{target}: there is no such file in the project")
        elif anchor and anchor not in anchors(text if file == page else file.read_text(encoding="utf-8")):
            wrong.append(f"{target}: {file.name} has no such heading")
    return wrong


@pytest.mark.parametrize("page", pages(), ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    assert broken(page, page.read_text(encoding="utf-8")) == []


def test_broken_links_are_found() -> None:
    text = "# A title, here\n[a](#a-title-here) [b](#elsewhere) [c](README.md) ![d](none.png) [e](../other.md)\n"
    assert [line.partition(":")[0] for line in broken(ROOT / "page.md", text)] == [
        "#elsewhere",
        "none.png",
        "../other.md",
    ]
