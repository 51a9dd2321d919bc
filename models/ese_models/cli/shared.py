# SPDX-License-Identifier: Apache-2.0
"""Options and answers that several commands have in common."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from ese_host.bundle import USED, MatrixLoad, ProvenanceRecord
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
        used = {name: table[USED] for name, table in record.masks.items()}
        summary["kept_weights"] = {name: _counted(load, record.density[name]) for name, load in used.items()}
        summary["entries_per_pe"] = {name: load.entries_per_pe for name, load in used.items()}
    return {**summary, "seconds": record.seconds}


def _counted(load: MatrixLoad, density: float) -> tuple[int, int]:
    """The number of weights that a kernel keeps, and of all its weights."""
    kept = sum(load.entries_per_pe) - load.further["padding"]
    return kept, round(kept / density)


def answer(as_json: bool, result: dict[str, Any]) -> None:
    """Print a result as one JSON object with exact values, or as lines for people."""
    say(json.dumps(result) if as_json else "\n".join(lines_of(result)))


def lines_of(result: dict[str, Any]) -> Iterator[str]:
    """A result as lines for people, with shares in percent; fields that say nothing are left out."""
    accuracy = result.get("accuracy", {})
    for key, value in result.items():
        if key == "accuracy":
            yield from (f"accuracy, {stage}: {_shares(splits)}" for stage, splits in value.items())
        elif key == "figures":
            for stage, figures in value.items():
                shown = {name: item for name, item in figures.items() if name != "accuracy" or stage not in accuracy}
                yield from (f"{name}, {stage}: {item:.4g}" for name, item in shown.items())
        elif key == "density":
            yield from (f"weights kept, {name}: {_kept(share, result, name)}" for name, share in value.items())
        elif key == "entries_per_pe":
            yield from (f"entries per PE, {name}: {_spread(counts)}" for name, counts in value.items())
        elif key == "seconds":
            yield "seconds: " + ", ".join(f"{stage} {seconds:.1f}" for stage, seconds in value.items())
        elif key == "kept_weights":
            continue  # they stand beside the shares
        elif key in ("train", "validation", "test"):
            yield f"{key}: {' x '.join(map(str, value))}"
        elif value not in ("", [], None):
            yield f"{key}: {', '.join(value) if isinstance(value, list) else value}"


def _shares(splits: Mapping[str, float]) -> str:
    return ", ".join(f"{split} {100 * share:.2f}%" for split, share in splits.items())


def _kept(share: float, result: dict[str, Any], name: str) -> str:
    """The share of weights that a kernel keeps, and their number where the result has it."""
    counts = result.get("kept_weights", {}).get(name)
    return f"{100 * share:.1f}%" if counts is None else f"{counts[0]:,} of {counts[1]:,} ({100 * share:.1f}%)"


def _spread(counts: list[int]) -> str:
    """The least, the mean and the largest number; one number if all are equal."""
    least, most = min(counts), max(counts)
    if least == most:
        return f"{most:,} in each of {len(counts)}"
    return f"{least:,} to {most:,}, mean {sum(counts) / len(counts):,.1f}, over {len(counts)}"


def command_line() -> list[str]:
    """The command line as given, without the program's folder."""
    return [Path(sys.argv[0]).name, *sys.argv[1:]]
