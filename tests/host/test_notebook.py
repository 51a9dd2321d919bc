"""The notebook for a board, run cell by cell on the emulated device without Jupyter."""

from __future__ import annotations

import ast
import asyncio
import inspect
import json
from pathlib import Path
from typing import Any

import pytest

NOTEBOOK = Path(__file__).parents[2] / "docs" / "notebooks" / "on-the-board.ipynb"


def cells() -> list[str]:
    value = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    assert (value["nbformat"], value["nbformat_minor"]) == (4, 5)
    assert len({cell["id"] for cell in value["cells"]}) == len(value["cells"])
    return ["".join(cell["source"]) for cell in value["cells"] if cell["cell_type"] == "code"]


async def execute(sources: list[str]) -> dict[str, Any]:
    """Run cells one after the other in one namespace; `await` is allowed at top level, as in Jupyter."""
    names: dict[str, Any] = {"__name__": "__main__"}
    for number, source in enumerate(sources):
        code = compile(source, f"cell {number}", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        value = eval(code, names)  # noqa: S307 - our own notebook
        if inspect.isawaitable(value):
            await value
    return names


@pytest.mark.filterwarnings("ignore:No devices found")
def test_every_cell(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("ESE4ML_DESIGN", str(folder))
    names = asyncio.run(execute(cells()))
    assert names["report"]["bit_exact"]
    printed = capsys.readouterr().out
    for text in (
        "emulated for pynq-z2 at 100 MHz",
        "accuracy 90.00%",
        "40 sequences in packets of 16",
        "bit-exact (2,160",
    ):
        assert text in printed


def test_it_is_stored_without_outputs() -> None:
    value = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    assert all(not cell.get("outputs") and cell.get("execution_count") is None for cell in value["cells"])
