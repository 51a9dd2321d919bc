# SPDX-License-Identifier: Apache-2.0
"""The page: one HTML file that holds the grid, its style and its script, and loads nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ese_host.files import templates

CODES = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"}
"""How JSON has the characters that could end the element which holds it."""


def html(grid: Mapping[str, Any], command: str, view: Mapping[str, Any], fixed: Mapping[str, str]) -> str:
    """The page.

    Args:
        grid: the estimates, as of `grid_of`.
        command: beginning of the command line that gives each of them: the layer, and the options that all share.
        view: what the page shows at first: `engine`, `units`, `code`, `density`, `pes`, `board`, and `clock` in MHz or
            None for the board's.
        fixed: what all estimates share, by its name, in words.
    """
    text = json.dumps({**grid, "command": command, "view": view}, separators=(",", ":"), allow_nan=False)
    for character, code in CODES.items():
        text = text.replace(character, code)
    environment = templates("ese_host.estimate.explorer")
    return environment.get_template("explorer.html").render(grid=grid, fixed=fixed, data=text)
