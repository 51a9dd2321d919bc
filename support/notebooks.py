# SPDX-License-Identifier: Apache-2.0
"""Runs a notebook cell by cell without Jupyter; as a script, the one for a board with the installed package.

It needs the standard library only, so that `make plain` runs it where nothing but the wheel is installed.
"""

from __future__ import annotations

import ast
import asyncio
import inspect
import json
from pathlib import Path
from typing import Any

NOTEBOOKS = {path.stem: path for path in sorted((Path(__file__).parents[1] / "docs").glob("*/*.ipynb"))}
"""Every notebook of the documentation, by its name."""
BOARD = "on-the-board"


def contents(name: str) -> dict[str, Any]:
    """A notebook as plain values."""
    value: dict[str, Any] = json.loads(NOTEBOOKS[name].read_text(encoding="utf-8"))
    return value


async def execute(name: str) -> dict[str, Any]:
    """Run the code cells one after the other, and return their names; `await` is allowed at top level, as in Jupyter.

    The design folder of the notebook for a board is that of the environment variable ESE4ML_DESIGN.
    """
    names: dict[str, Any] = {"__name__": "__main__"}
    sources = ["".join(cell["source"]) for cell in contents(name)["cells"] if cell["cell_type"] == "code"]
    for number, source in enumerate(sources):
        code = compile(source, f"cell {number}", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        value = eval(code, names)  # noqa: S307 - our own notebook
        if inspect.isawaitable(value):
            await value
    return names


if __name__ == "__main__" and not asyncio.run(execute(BOARD))["report"]["bit_exact"]:
    raise SystemExit("the notebook's check found values that differ")
