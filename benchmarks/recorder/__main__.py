# SPDX-License-Identifier: Apache-2.0
"""Record what users see before and after a change, to show that nothing visible has changed.

    python -m benchmarks.recorder record OLD.json      in the environment of the old tree
    python -m benchmarks.recorder record NEW.json      in that of the new one
    python -m benchmarks.recorder compare OLD.json NEW.json

`record` makes designs, runs them and provokes refusals through interfaces that do not change when modules move: the
command `ese4ml`, the hls4ml plugin, Keras, and the C functions of emulated bitstreams. It takes eight minutes of one
core.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

FORMAT = 1
SOFT = {"help": ("out", "err"), "command": ("err",), "refusal": ("text",)}
"""Fields of an item, by its kind, that hold texts for people. They may differ; differences are only listed."""
SOURCES = ("csrc/", "design.bit", "build_prj.tcl")
"""Beginnings of the names of a project's engine sources and of the files compiled from them. These files may differ,
because the answers of the compiled engines are compared as well."""
FILE = click.Path(dir_okay=False, path_type=Path)


@click.group()
def main() -> None:
    """Record what users of ese4ml see, and compare two records."""


@main.command()
@click.argument("out", type=FILE)
@click.option(
    "--work",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder to work in, which must be empty or new, and is kept.  [default: a temporary folder]",
)
def record(out: Path, work: Path | None) -> None:
    """Make the designs, runs and refusals, and write the record to the file OUT."""
    if work is not None and work.is_dir() and any(work.iterdir()):
        raise click.UsageError(f"{work} is not empty; give an empty or new folder, or leave out --work")
    begun = time.monotonic()
    if work is not None:
        items = _recorded(work.resolve())
    else:
        with tempfile.TemporaryDirectory(prefix="recorder-") as name:
            items = _recorded(Path(name).resolve())
    text = json.dumps({"record": FORMAT, "items": items}, indent=1, ensure_ascii=False) + "\n"
    out.write_text(text, encoding="utf-8")
    kinds = Counter(item["kind"] for item in items.values())
    spent = sum(os.times()[:4])  # processor time of this process and of its children
    click.echo(f"{len(items)} items in {time.monotonic() - begun:.0f} s, {spent:.0f} s of one core: {dict(kinds)}")


def _recorded(work: Path) -> dict[str, Any]:
    """Make all items in a folder and return them by name."""
    from benchmarks.recorder.items import ENVIRONMENT, Recording

    os.environ.update(ENVIRONMENT)  # before TensorFlow is imported
    (work / "tmp").mkdir(parents=True)
    from benchmarks.recorder import commands, damage, designs, refusals

    recording = Recording(work)
    parts: dict[str, Any] = {
        "help": lambda: commands.helps(recording),
        "designs": lambda: designs.all_cases(recording),
        "estimates": lambda: commands.estimates(recording),
        "commands": lambda: commands.design_commands(recording),
        "models": lambda: commands.saved_models(recording),
        "training": lambda: commands.training(recording),
        "refused models": lambda: refusals.models(recording),
        "refused options": lambda: damage.options(recording),
        "refused folders": lambda: damage.folders(recording),
    }
    for name, part in parts.items():
        begun, before = time.monotonic(), len(recording.items)
        recording.attempt(f"the whole part: {name}", part)
        seconds, items = time.monotonic() - begun, len(recording.items) - before
        click.echo(f"{name}: {items} items in {seconds:.0f} s", err=True)
    return recording.items


@main.command()
@click.argument("old", type=FILE)
@click.argument("new", type=FILE)
def compare(old: Path, new: Path) -> None:
    """Compare two records: list differences that are not allowed (then exit with code 1), then changed texts."""
    before, after = (_read(path) for path in (old, new))
    hard: list[str] = []
    soft: list[str] = []
    sources: Counter[str] = Counter()
    for name in [*before, *(name for name in after if name not in before)]:
        if name not in before or name not in after:
            hard.append(f"{name}: only in the {'new' if name in after else 'old'} record")
            continue
        texts = SOFT.get(before[name]["kind"], ())
        for path, one, other in _differences(before[name], after[name]):
            difference = f"{name}: {'.'.join(path)}\n  old: {_shown(one)}\n  new: {_shown(other)}"
            if any(part.startswith(SOURCES) for part in path):
                sources[path[-1]] += 1
            else:
                (soft if path[0] in texts else hard).append(difference)
    if hard:
        click.echo(f"{len(hard)} DIFFERENCES\n\n" + "\n".join(hard) + "\n")
    if soft:
        click.echo(f"{len(soft)} texts changed\n\n" + "\n".join(soft) + "\n")
    if sources:
        listed = "".join(f"  {name}: in {count} items\n" for name, count in sorted(sources.items()))
        click.echo(f"{len(sources)} engine source files, or files compiled from them, changed\n\n{listed}")
    click.echo(f"{len(before)} and {len(after)} items: {len(hard)} differences, {len(soft)} texts changed")
    sys.exit(1 if hard else 0)


def _read(path: Path) -> dict[str, Any]:
    value = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(value, dict) or value.get("record") != FORMAT:
        raise click.UsageError(
            f"{path} is not a record of format {FORMAT}; make it with `python -m benchmarks.recorder record`"
        )
    items: dict[str, Any] = value["items"]
    return items


ABSENT = "<absent>"


def _differences(one: Any, other: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any, Any]]:
    """(place, old, new) of everything that differs; values of different types always differ."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in [*one, *(key for key in other if key not in one)]:
            yield from _differences(one.get(key, ABSENT), other.get(key, ABSENT), (*path, key))
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for number, (first, second) in enumerate(zip(one, other, strict=True)):
            yield from _differences(first, second, (*path, str(number)))
    elif type(one) is not type(other) or one != other:
        yield path, one, other


def _shown(value: Any) -> str:
    """A value as text, with further lines indented."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text.replace("\n", "\n       ")


if __name__ == "__main__":
    main()
