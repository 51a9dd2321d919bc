# SPDX-License-Identifier: Apache-2.0
"""The command `ese4ml study` with its subcommands list, measure, run, keep and report."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import click

from benchmarks.study import costs as pricing
from benchmarks.study.cell import StudyCell, with_trunks
from benchmarks.study.grid import SIZES, Question, questions
from benchmarks.study.runner import execute, measure_cell, missing
from benchmarks.study.runner import run as run_cells
from benchmarks.study.store import Store
from ese_host.cli import is_quiet
from ese_host.errors import EseError, ExitCode, MissingError

RESULTS = Path("build/study")


class StudyError(EseError):
    """Raised if cells of the study failed."""

    exit_code = ExitCode.DIFFERS


@dataclass(frozen=True)
class Chosen:
    """Questions of a grid, and the store of their results."""

    questions: tuple[Question, ...]
    store: Store

    @property
    def cells(self) -> list[StudyCell]:
        """Cells of all questions and their trunks, each once."""
        return with_trunks(cell for question in self.questions for cell in question.cells)


def chosen(results: Path, grid: str, question: tuple[int, ...]) -> Chosen:
    """The questions and the store that the options select.

    Args:
        results: folder of results.
        grid: name of the grid.
        question: numbers of the questions; none for all.
    """
    asked = tuple(item for item in questions(grid) if not question or item.number in question)
    return Chosen(asked, Store(results))


@click.group()
def study() -> None:
    """The study of pruning, balance and weight codes: its networks, their cost, and the results."""


def _options(command: Any) -> Any:
    for option in (
        click.option(
            "--results",
            type=click.Path(path_type=Path),
            default=RESULTS,
            show_default=True,
            help="Folder of results: a JSON file and a model for each cell.",
        ),
        click.option(
            "--grid",
            type=click.Choice(list(SIZES)),
            default="full",
            show_default=True,
            help="Size of the study; tiny tries all of its code in a minute.",
        ),
        click.option(
            "--question",
            type=click.IntRange(1, 5),
            multiple=True,
            help="Number of a question to answer; can be repeated.  [default: all]",
        ),
    ):
        command = option(command)
    return command


@study.command("list")
@_options
@click.option(
    "--cores", type=click.IntRange(1), default=2, show_default=True, help="Idle cores for which hours are estimated."
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def list_cells(results: Path, grid: str, question: tuple[int, ...], cores: int, as_json: bool) -> None:
    """List the cells with their cost, and whether they are done."""
    selection = chosen(results, grid, question)
    prices = pricing.estimates(selection.cells, pricing.read(selection.store))
    open_cells = [cell for cell in selection.cells if not selection.store.done(cell)]
    rows = [
        {"key": cell.key, "epochs": cell.epochs, "seconds": prices.get(cell), "done": selection.store.done(cell)}
        for cell in selection.cells
    ]
    unknown = sum(cell not in prices for cell in open_cells)
    total = pricing.hours(open_cells, prices, cores)
    if as_json:
        click.echo(json.dumps({"cells": rows, "hours": total, "cores": cores, "unmeasured": unknown}))
        return
    for row in rows:
        price = "      ?" if row["seconds"] is None else f"{row['seconds']:7.0f}"
        click.echo(f"{'done' if row['done'] else '    '} {price} s  {row['epochs']:3} epochs  {row['key']}")
    click.echo(f"{len(open_cells)} of {len(rows)} cells to do: {total:.1f} hours on {cores} idle cores", nl=False)
    click.echo(f", and {unknown} of unknown cost: run `ese4ml study measure`" if unknown else "")


@study.command()
@_options
def measure(results: Path, grid: str, question: tuple[int, ...]) -> None:
    """Measure an epoch of every kind of cell on a few batches, for `list` and the progress bar."""
    selection = chosen(results, grid, question)
    with _bar("measure", len(pricing.unmeasured(selection.cells, pricing.read(selection.store))), "kind") as bar:

        def trial(cell: StudyCell) -> pricing.StageTime:
            bar.set_postfix_str(pricing.kind(cell), refresh=False)
            cost = measure_cell(cell)
            bar.update()
            return cost

        table = pricing.measure(selection.cells, selection.store, trial)
    for name, cost in sorted(table.items()):
        click.echo(f"{name}: {cost.start:.1f} s and {cost.epoch:.2f} s per epoch")


@study.command()
@_options
@click.option(
    "--only",
    metavar="TEXT",
    multiple=True,
    help="Train only cells whose key contains this text, and what they start from; can be repeated.",
)
@click.option("--jobs", type=click.IntRange(1), help="Number of processes.  [default: one for each core]")
@click.option("--dask", metavar="ADDRESS", help="Dask scheduler to run on, or `local` for a cluster on this machine.")
def run(
    results: Path, grid: str, question: tuple[int, ...], only: tuple[str, ...], jobs: int | None, dask: str | None
) -> None:
    """Train the cells that have no result yet. An interrupted run continues after the last epoch that it finished."""
    selection = chosen(Path(results).resolve(), grid, question)
    cells = [cell for cell in selection.cells if not only or any(text in cell.key for text in only)]
    todo = missing(cells, selection.store)
    prices = pricing.estimates(todo, pricing.read(selection.store))
    typical = sum(prices.values()) / len(prices) if prices else 1.0
    total = sum(prices.get(cell, typical) for cell in todo)
    with _backend(jobs, dask), _bar("study", round(total), "s" if prices else "cell") as bar:

        def progress(cell: StudyCell, done: bool) -> None:
            bar.set_postfix_str(f"{'' if done else 'FAILED '}{cell.key}", refresh=False)
            bar.update(prices.get(cell, typical))

        outcome = run_cells(cells, selection.store, execute, costs=prices, progress=progress)
    click.echo(f"{len(outcome.done)} cells trained, {len(with_trunks(cells)) - len(todo)} were done already")
    if outcome.failed:
        first, error = next(iter(outcome.failed.items()))
        raise StudyError(
            f"{len(outcome.failed)} cells failed and {len(outcome.waiting)} wait for them. The first is {first.key}: "
            f"{error}; see {selection.store.json_path(first).with_suffix('.error.txt')}"
        )


@study.command()
@_options
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("benchmarks/study/ese-speech"),
    show_default=True,
    help="Folder of the copies.",
)
def keep(results: Path, grid: str, question: tuple[int, ...], out: Path) -> None:
    """Copy the small files of finished cells to keep them with the source: records, decoders, quantized networks."""
    from benchmarks.study.outcome import keep as keep_cell

    selection = chosen(results, grid, question)
    for cell in selection.store.found(selection.cells):
        for path in keep_cell(cell, selection.store, Store(out)):
            click.echo(f"{path.stat().st_size:8,} bytes  {path}")


@study.command()
@_options
@click.option(
    "--page",
    type=click.Path(path_type=Path),
    default=Path("docs/results/study.md"),
    show_default=True,
    help="Page to write.",
)
@click.option(
    "--figures",
    type=click.Path(path_type=Path),
    default=Path("docs/figures"),
    show_default=True,
    help="Folder of the charts.",
)
@click.option(
    "--notes",
    type=click.Path(path_type=Path),
    default=Path("docs/results/study-notes.md"),
    show_default=True,
    help="Markdown file that is appended to the page, if it exists.",
)
def report(results: Path, grid: str, question: tuple[int, ...], page: Path, figures: Path, notes: Path) -> None:
    """Write the page and its charts from the results; nothing is trained.

    --results may also name the JSON file beside a page, which holds all that the page needs.
    """
    from benchmarks.study.report import listed, write

    selection = chosen(results, grid, question)
    found = listed(results, selection.cells) if results.is_file() else selection.store.found(selection.cells)
    if not found:
        raise MissingError(f"{results} has no result of grid {grid!r}; make them with `ese4ml study run --grid {grid}`")
    asked = [word for number in question for word in ("--question", str(number))]
    words = ["ese4ml study run", *(["--grid", grid] if grid != "full" else []), *asked]
    command = " ".join(words) if len(words) > 1 else "make study"
    for path in write(selection.questions, found, page, figures, notes, command):
        click.echo(str(path))


@contextmanager
def _backend(jobs: int | None, dask: str | None) -> Iterator[None]:
    """Let joblib run the cells in processes of this machine, or on a Dask cluster."""
    import joblib

    with ExitStack() as stack:
        if dask is None:
            config = partial(joblib.parallel_config, "loky", inner_max_num_threads=1)
            stack.enter_context(config(n_jobs=jobs or joblib.cpu_count()))
        else:
            try:
                import distributed
            except ModuleNotFoundError as error:
                raise MissingError("distributed is not installed; --dask needs `pip install distributed`") from error
            address: Any = dask
            if dask == "local":
                address = stack.enter_context(
                    distributed.LocalCluster(
                        n_workers=jobs or joblib.cpu_count(), threads_per_worker=1, dashboard_address=None
                    )
                )
            stack.enter_context(distributed.Client(address))
            stack.enter_context(joblib.parallel_config("dask"))
        yield


@contextmanager
def _bar(name: str, total: int, unit: str) -> Iterator[Any]:
    from tqdm import tqdm  # type: ignore[import-untyped,unused-ignore]

    pause = 0.1 if sys.stderr.isatty() else 30.0
    form = "{desc} {percentage:3.0f}% {n:.0f}/{total_fmt} {unit} [{elapsed}<{remaining}] {postfix}"
    shown = {"file": sys.stderr, "mininterval": pause, "maxinterval": 600, "bar_format": form, "disable": is_quiet()}
    with tqdm(total=total, desc=name, unit=unit, **shown) as bar:
        yield bar
