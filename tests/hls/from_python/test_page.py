# SPDX-License-Identifier: Apache-2.0
"""Pages of docs/how-to: all Python of a page runs, from top to bottom, and does what the page says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from markdown_it import MarkdownIt

import ese4ml
from ese_host.cli.main import main

PAGES = Path(__file__).parents[3] / "docs" / "how-to"


def names_of(page: str) -> dict[str, Any]:
    """Run a page's blocks of Python; returns the names that they leave."""
    path = PAGES / page
    names: dict[str, Any] = {}
    for token in MarkdownIt("commonmark").parse(path.read_text(encoding="utf-8")):
        if token.type == "fence" and token.info == "python":
            exec(compile(token.content, str(path), "exec"), names)  # noqa: S102 - the page's own examples
    return names


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ese_hls.warnings.ConversionWarning")
def test_the_python_of_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names = names_of("python.md")
    y, several = names["y"], names["several"]
    np.testing.assert_array_equal(names["same"], y)
    np.testing.assert_array_equal(names["now"], y[0])
    np.testing.assert_array_equal(several[-1], y[1])
    assert names["names"] == [["rest", "wave", "push"][number] for number in y.argmax(axis=1)]
    assert np.abs(y - names["sparse"].predict(names["x"], verbose=0)).max() < 0.01
    for model in ("sparse", "pruned", "gradual", "twin", "plain"):
        assert ese4ml.sparsity(names[model], 4).density == pytest.approx(0.3, abs=0.01)
    assert names["frames"][0]["frames"] == 1
    with ese4ml.open("bitstreams/gestures") as engine:
        np.testing.assert_array_equal(engine.predict(names["recorded"]), y)
    text = "".join(",".join(map(repr, row)) + "\n" for row in names["recorded"].reshape(-1, 4).tolist())
    Path("x.csv").write_text(text)
    shown = CliRunner().invoke(main, ["run", "bitstreams/gestures", "--input", "x.csv"])
    assert shown.stdout.split() == names["names"]
    lines = CliRunner().invoke(main, ["live", "bitstreams/gestures"], input="\n".join(text.split("\n")[:20]) + "\n")
    assert lines.stdout.splitlines()[-1] == f"{names['names'][0]} {y[0].max()}"
    printed = CliRunner().invoke(main, ["estimate", "image", "bitstreams/gestures", "--engine", "hls", "--json"])
    assert ese4ml.estimate("bitstreams/gestures") == json.loads(printed.stdout)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ese_hls.warnings.ConversionWarning")
def test_the_page_for_users_of_hls4ml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names = names_of("from-hls4ml.md")
    with ese4ml.open("prj/design") as engine:
        np.testing.assert_array_equal(engine.predict(names["x"]), names["y"])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ese_hls.warnings.ConversionWarning")
def test_the_page_for_users_of_tfmot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names = names_of("from-tfmot.md")
    assert ese4ml.sparsity(names["clustered"], 4).density == pytest.approx(0.3, abs=0.01)
