# SPDX-License-Identifier: Apache-2.0
"""docs/reference/commands.md lists every command with all of its options, as `ese4ml` says them itself."""

from __future__ import annotations

import click
import pytest

from benchmarks.recorder import commands_page
from ese_host.cli.main import main


def test_the_page_is_as_the_commands_are() -> None:
    assert commands_page.PAGE.read_text(encoding="utf-8") == commands_page.page(), (
        "the commands have changed: write the list again with `python -m benchmarks.recorder.commands_page`"
    )


def test_a_change_of_an_option_changes_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    before = commands_page.listed()
    check = main.commands["check"]
    monkeypatch.setattr(check, "params", [*check.params, click.Option(["--new"], help="A <new> one | or none.")])
    after = commands_page.listed()
    assert set(after.splitlines()) - set(before.splitlines()) == {r"| `--new TEXT` | A \<new> one \| or none. |"}
