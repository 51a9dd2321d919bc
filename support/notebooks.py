# SPDX-License-Identifier: Apache-2.0
"""Runs a notebook cell by cell without Jupyter; as a script, the one for a board with the installed package.

Notebooks are stored without outputs. What a code cell prints may stand in the Markdown cell after it instead, quoted in
a block "```output" at its beginning, and must then be printed exactly; "..." stands for what differs between machines.

It needs the standard library only, so that `make plain` runs it where nothing but the wheel is installed.
"""

from __future__ import annotations

import ast
import asyncio
import contextlib
import doctest
import inspect
import io
import json
import re
import sys
from pathlib import Path
from typing import Any

NOTEBOOKS = {path.stem: path for path in sorted((Path(__file__).parents[1] / "docs").glob("*/*.ipynb"))}
"""Every notebook of the documentation, by its name."""
BOARD = "on-the-board"
QUOTATION = re.compile(r"```output\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def contents(name: str) -> dict[str, Any]:
    """A notebook as plain values."""
    value: dict[str, Any] = json.loads(NOTEBOOKS[name].read_text(encoding="utf-8"))
    return value


def quoted(name: str) -> dict[int, str]:
    """Number of each code cell whose output is quoted after it -> that output.

    Raises:
        ValueError: if an output is quoted elsewhere.
    """
    found = {}
    before = None
    for number, cell in enumerate(contents(name)["cells"]):
        text = "".join(cell["source"])
        block = QUOTATION.match(text) if before == "code" else None
        if text.count("```output") != bool(block):
            raise ValueError(f"{name}: cell {number} quotes an output, but not at its beginning, after a code cell")
        if block:
            found[number - 1] = block[1]
        before = cell["cell_type"]
    return found


async def execute(name: str) -> dict[str, Any]:
    """Run the code cells one after the other, and return their names; `await` is allowed at top level, as in Jupyter.

    The design folder of the notebook for a board is that of the environment variable ESE4ML_DESIGN.

    Raises:
        AssertionError: if a cell prints something else than the notebook quotes.
    """
    names: dict[str, Any] = {"__name__": "__main__"}
    expected = quoted(name)
    for number, cell in enumerate(contents(name)["cells"]):
        if cell["cell_type"] != "code":
            continue
        code = compile("".join(cell["source"]), f"cell {number}", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            value = eval(code, names)  # noqa: S307 - our own notebook
            if inspect.isawaitable(value):
                await value
        sys.stdout.write(printed.getvalue())
        if number in expected and not same(expected[number], printed.getvalue()):
            raise AssertionError(
                f"{name}: cell {number} prints\n{printed.getvalue()}but this is quoted:\n{expected[number]}"
            )
    return names


def same(expected: str, printed: str) -> bool:
    """Whether a text is printed as it is quoted; "..." in the quotation stands for any text."""
    return doctest.OutputChecker().check_output(expected, printed, doctest.ELLIPSIS)


if __name__ == "__main__" and not asyncio.run(execute(BOARD))["report"]["bit_exact"]:
    raise SystemExit("the notebook's check found values that differ")
