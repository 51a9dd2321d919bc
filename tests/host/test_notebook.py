# SPDX-License-Identifier: Apache-2.0
"""The notebook for a board, run cell by cell on the emulated device without Jupyter."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from support import notebooks
from support.notebooks import BOARD, NOTEBOOKS, contents, execute, quoted


@pytest.mark.filterwarnings("ignore:No devices found")
def test_every_cell(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("ESE4ML_DESIGN", str(folder))
    names = asyncio.run(execute(BOARD))
    assert names["report"]["bit_exact"]
    printed = capsys.readouterr().out
    for text in (
        "emulated for pynq-z2 at 100 MHz",
        "accuracy 90.00%",
        "40 sequences in packets of 16",
        "bit-exact (2,160",
    ):
        assert text in printed


@pytest.mark.parametrize("name", sorted(NOTEBOOKS))
def test_it_is_stored_without_outputs(name: str) -> None:
    value = contents(name)
    assert (value["nbformat"], value["nbformat_minor"]) == (4, 5)
    assert len({cell["id"] for cell in value["cells"]}) == len(value["cells"])
    assert all(not cell.get("outputs") and cell.get("execution_count") is None for cell in value["cells"])


@pytest.mark.parametrize("name", sorted(NOTEBOOKS))
def test_outputs_are_quoted_right_after_their_cells(name: str) -> None:
    quoted(name)


def notebook(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *cells: tuple[str, str]) -> None:
    """A notebook "made" of these cells, each a type and a text."""
    path = tmp_path / "made.ipynb"
    path.write_text(json.dumps({"cells": [{"cell_type": kind, "source": [text]} for kind, text in cells]}))
    monkeypatch.setitem(notebooks.NOTEBOOKS, "made", path)


def test_a_quoted_output_is_compared(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    quotation = "```output\n3 cycles, ... us\n```\n\nText."
    notebook(monkeypatch, tmp_path, ("code", "print('3 cycles, 0.1 us')"), ("markdown", quotation))
    asyncio.run(execute("made"))
    notebook(monkeypatch, tmp_path, ("code", "print('4 cycles, 0.1 us')"), ("markdown", quotation))
    with pytest.raises(AssertionError, match=r"made: cell 0 prints\n4 cycles, 0.1 us\nbut this is quoted:\n3 cycles"):
        asyncio.run(execute("made"))


def test_a_misplaced_quotation_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    notebook(monkeypatch, tmp_path, ("code", "print(3)"), ("markdown", "Text.\n```output\n3\n```"))
    with pytest.raises(ValueError, match="made: cell 1 quotes an output, but not at its beginning"):
        quoted("made")
    notebook(monkeypatch, tmp_path, ("markdown", "```output\n3\n```"), ("code", "print(3)"))
    with pytest.raises(ValueError, match="made: cell 0 quotes an output"):
        quoted("made")
