# SPDX-License-Identifier: Apache-2.0
"""The notebook for a board, run cell by cell on the emulated device without Jupyter."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from support.notebooks import BOARD, NOTEBOOKS, contents, execute


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
