"""Options and answers that several commands have in common."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from ese_host.bundle import USED, ProvenanceRecord
from ese_host.cli import say

as_json = click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON object.")
seed_option = click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of all random numbers of the training."
)


def summary_of(paths: list[Path], record: ProvenanceRecord) -> dict[str, Any]:
    """The result of a training command: the files that it wrote, and the main fields of the provenance."""
    named = {name: getattr(record, name) for name in ("task", "remark", "accuracy", "figures", "density")}
    summary = {"files": [str(path) for path in paths], **named}
    if record.masks:
        summary["entries_per_pe"] = {name: table[USED].entries_per_pe for name, table in record.masks.items()}
    return {**summary, "seconds": record.seconds}


def answer(as_json: bool, result: dict[str, Any]) -> None:
    """Print a result as one JSON object, or one line per field."""
    if as_json:
        say(json.dumps(result))
        return
    for key, value in result.items():
        say(f"{key}: {value if isinstance(value, str) else json.dumps(value)}")


def command_line() -> list[str]:
    """The command line as given, without the program's folder."""
    return [Path(sys.argv[0]).name, *sys.argv[1:]]
