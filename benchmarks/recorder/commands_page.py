# SPDX-License-Identifier: Apache-2.0
"""The list of all commands in docs/reference/commands.md, from what `ese4ml` says of itself.

    python -m benchmarks.recorder.commands_page            # write the list again

What stands above the list is written by hand. A test compares the list with the commands.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from ese_host.cli.main import main as ese4ml

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "commands.md"
HEADING = "## All commands\n"
COMMON = {"--help", "--quiet", "--verbose"}
"""Options that every command has; the page tells of them above the list."""
INTRODUCTION = (
    "`-h`, `-q` and `-v` are left out below. This list is what the commands say of themselves, written by\n"
    "`python -m benchmarks.recorder.commands_page`.\n"
)


def commands(group: click.Group, context: click.Context) -> Iterator[tuple[click.Command, click.Context]]:
    """Every command below a group, each with a context that knows its full name; a group comes before its commands.

    Args:
        group: the group.
        context: the group's own context.
    """
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is None or command.hidden:
            continue
        inner = click.Context(command, context, name, **command.context_settings)
        yield command, inner
        if isinstance(command, click.Group):
            yield from commands(command, inner)


def section(command: click.Command, context: click.Context) -> str:
    """The section of one command: usage, purpose, and a table of its options.

    Args:
        command: the command.
        context: its context.
    """
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    parts = [f"### {context.command_path}\n", f"```\n{usage}\n```\n", f"{_help(command)}\n"]
    options = (item for item in command.get_params(context) if isinstance(item, click.Option))
    records = [item.get_help_record(context) for item in options if not COMMON & {*item.opts}]
    rows = [f"| `{_cell(record[0])}` | {_prose(record[1])} |" for record in records if record is not None]
    if rows:
        parts.append("\n".join(["| option | meaning |", "|---|---|", *rows]) + "\n")
    return "\n".join(parts)


def _help(command: click.Command) -> str:
    """The help of a command, each paragraph as lines of at most 120 characters."""
    paragraphs = (command.help or "").replace("\b", "").strip().split("\n\n")
    return "\n\n".join(click.wrap_text(" ".join(text.split()), 120) for text in paragraphs)


def _cell(text: str) -> str:
    return text.replace("|", r"\|")


def _prose(text: str) -> str:
    """A cell that holds no HTML, though its text may have angle brackets."""
    return _cell(text).replace("<", r"\<")


def listed() -> str:
    """The list of all commands, with its heading."""
    root = click.Context(ese4ml, info_name="ese4ml", **ese4ml.context_settings)
    sections = (section(command, context) for command, context in commands(ese4ml, root))
    return "\n".join([HEADING, INTRODUCTION, *sections])


def page() -> str:
    """The whole page: what is written by hand, and the list."""
    return PAGE.read_text(encoding="utf-8").partition(HEADING)[0] + listed()


@click.command()
def main() -> None:
    """Write the list of commands in docs/reference/commands.md again."""
    PAGE.write_text(page(), encoding="utf-8")
    click.echo(f"{PAGE.relative_to(Path.cwd()) if PAGE.is_relative_to(Path.cwd()) else PAGE}: written")


if __name__ == "__main__":
    main()
