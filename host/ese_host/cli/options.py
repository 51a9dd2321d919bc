# SPDX-License-Identifier: Apache-2.0
"""Parameter types and options that the commands of all packages share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])

FOLDER = click.Path(file_okay=False, path_type=Path)
FILE = click.Path(dir_okay=False, path_type=Path)
AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


def renamed(old: str, new: str) -> Callable[[Command], Command]:
    """A hidden option that accepts the previous name of an option, with a warning.

    Args:
        old: the name that the option had in the last release, such as "--weights".
        new: the name that it has now; given together with the old one, it wins.
    """
    parameter = new.lstrip("-").replace("-", "_")

    def forward(context: click.Context, _option: click.Parameter, value: str | None) -> None:
        if value is not None:
            click.echo(f"warning: {old} is called {new} now; the next release will not know the old name", err=True)
            context.default_map = {**(context.default_map or {}), parameter: value}

    # eager, so that the default of the new option is in place before that option is read
    return click.option(old, hidden=True, expose_value=False, is_eager=True, callback=forward)
