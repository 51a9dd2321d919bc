# SPDX-License-Identifier: Apache-2.0
"""The documentation site: built without a warning, self-contained, every page in it, and its search finds pages."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import ese4ml
from support.pages.browser import CHROMIUM, needed

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
ASSET = re.compile(r"""<(?:script|img|link|iframe|source)\b[^>]*?\b(?:src|href)=["'](?:https?:)?//[^"']*""")
"""An element that a browser loads from elsewhere when it shows the page."""
STYLE = re.compile(r"""(?:url\(|@import)\s*["']?(?:https?:)?//[^"')]*""")


def assets_from_elsewhere(name: str, text: str) -> list[str]:
    """What a page or a style sheet makes a browser load from another place."""
    return [f"{name}: {found.group()}" for pattern in (ASSET, STYLE) for found in pattern.finditer(text)]


def test_the_front_door_has_all_public_names() -> None:
    listed = re.findall(
        r"auto(?:class|function):: ese4ml\.(\w+)", (DOCS / "reference" / "api" / "front-door.md").read_text()
    )
    assert sorted([*listed, "EseError"]) == sorted(ese4ml.__all__)


@pytest.mark.parametrize(
    "text",
    [
        '<script async="async" src="https://cdn.example/x.js"></script>',
        "<link rel='stylesheet' href='//fonts.example/a.css'>",
        "@import 'http://fonts.example/a.css'",
        "src: url(https://fonts.example/a.woff2)",
    ],
)
def test_assets_from_elsewhere_are_found(text: str) -> None:
    assert len(assets_from_elsewhere("page", text)) == 1
    assert assets_from_elsewhere("page", '<a href="https://example.org">a link</a> <img src="_images/a.png">') == []


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as `make docs` builds it."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "--fail-on-warning", "--keep-going", "--quiet", str(DOCS), str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.slow
def test_nothing_comes_from_elsewhere(site: Path) -> None:
    pages = [path for ending in ("*.html", "*.css") for path in site.rglob(ending)]
    assert len(pages) > 50
    assert [line for path in pages for line in assets_from_elsewhere(path.name, path.read_text())] == []


@pytest.mark.slow
def test_every_page_is_there(site: Path) -> None:
    sources = {path.relative_to(DOCS) for ending in ("*.md", "*.ipynb") for path in DOCS.rglob(ending)}
    sources -= {Path("results/study-notes.md"), Path("results/study-ese-notes.md")}  # parts of the study's pages
    assert [str(path) for path in sorted(sources) if not (site / path.with_suffix(".html")).is_file()] == []


@needed
@pytest.mark.slow
def test_the_search_finds_a_page_without_a_server(site: Path, tmp_path: Path) -> None:
    command = [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}"]
    command += ["--virtual-time-budget=20000", "--dump-dom", f"{(site / 'search.html').as_uri()}?q=codebook4"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    found = re.findall(r'<a href="([^"?#]+)[^"]*"[^>]*>', done.stdout[done.stdout.index('id="search-results"') :])
    assert "reference/weights.html" in found
