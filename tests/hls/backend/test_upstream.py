# SPDX-License-Identifier: Apache-2.0
"""The examples of docs/results/upstream.md print what the page says; if one fails, hls4ml has changed."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

import keras
import pytest

PAGE = Path(__file__).resolve().parents[3] / "docs" / "results" / "upstream.md"
FOUND = re.findall(r"^## \d+\. (.*?)\n+```python\n(.*?)```\n\n```\n(.*?)\n```", PAGE.read_text("utf-8"), re.S | re.M)


def test_every_finding_has_an_example() -> None:
    assert len(FOUND) == PAGE.read_text("utf-8").count("\n## ") == 6


@pytest.mark.parametrize(("example", "says"), [found[1:] for found in FOUND], ids=[found[0] for found in FOUND])
def test_an_example_says_what_the_page_says(example: str, says: str) -> None:
    keras.backend.clear_session()  # restarts the numbers in names of layers
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        try:
            exec(compile(example, PAGE.name, "exec"), {})  # noqa: S102 - our own page
        except Exception as error:  # noqa: BLE001 - the page may name any error
            out.write(f"{type(error).__name__}: {error}")
    assert out.getvalue().strip().splitlines()[-1] == says
