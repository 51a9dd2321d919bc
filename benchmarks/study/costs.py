"""What a cell costs: seconds of an epoch, measured on a few batches of the real data, times its epochs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.study.cell import Cell
from benchmarks.study.store import Store
from ese_host.errors import FormatError

NAME = "epochs.json"
BATCHES = 6
"""Batches of a measured epoch."""


@dataclass(frozen=True)
class Cost:
    """Processor seconds of one core. start: importing, loading, compiling, measuring. epoch: of each epoch."""

    start: float
    epoch: float

    def of(self, cell: Cell) -> float:
        """Seconds of a cell."""
        return self.start + cell.epochs * self.epoch


def kind(cell: Cell) -> str:
    """Cells of one kind cost alike."""
    return "/".join([cell.task, cell.network or "own", cell.stage, cell.weights])


def path(store: Store) -> Path:
    """Where measured costs lie."""
    return store.folder / NAME


def read(store: Store) -> dict[str, Cost]:
    """Measured costs by kind; none where nothing was measured.

    Raises:
        FormatError: the file is no table of costs.
    """
    if not path(store).is_file():
        return {}
    try:
        table = json.loads(path(store).read_text(encoding="utf-8"))
        return {name: Cost(**values) for name, values in table.items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise FormatError(f"{path(store)} is no table of costs ({error}); `ese4ml study measure` makes it") from error


def write(store: Store, table: Mapping[str, Cost]) -> None:
    """Keep costs."""
    text = json.dumps({name: vars(cost) for name, cost in sorted(table.items())}, indent=1) + "\n"
    store.place(path(store), lambda part: part.write_text(text, encoding="utf-8"))


def estimates(cells: Iterable[Cell], table: Mapping[str, Cost]) -> dict[Cell, float]:
    """Seconds of those cells whose kind was measured."""
    return {cell: table[kind(cell)].of(cell) for cell in cells if kind(cell) in table}


def unmeasured(cells: Iterable[Cell], table: Mapping[str, Cost]) -> list[Cell]:
    """One cell of each kind that has no measured cost, trunks first."""
    found = {kind(cell): cell for cell in reversed(list(cells)) if kind(cell) not in table}
    return sorted(found.values(), key=lambda cell: cell.depth)


def hours(cells: Iterable[Cell], costs: Mapping[Cell, float], cores: int) -> float:
    """Hours on idle cores at the least: the work over the cores, or the longest chain of trunks."""
    wanted = list(cells)
    chains: dict[Cell, float] = {}
    for cell in sorted(wanted, key=lambda cell: cell.depth):
        chains[cell] = costs.get(cell, 0.0) + (chains.get(cell.trunk, 0.0) if cell.trunk else 0.0)
    work = sum(costs.get(cell, 0.0) for cell in wanted)
    return max(work / cores, max(chains.values(), default=0.0)) / 3600


def measure(cells: Iterable[Cell], store: Store, trial: Callable[[Cell], Cost]) -> dict[str, Cost]:
    """Measure the kinds that have no cost yet, by `trial`, and keep them."""
    table = read(store)
    for cell in unmeasured(cells, table):
        table[kind(cell)] = trial(cell)
        write(store, table)
    return table


def short(cell: Cell) -> Cell:
    """The cell with two epochs each time that it compiles: the first one does, the second one is measured."""
    return replace(cell, epochs=4 if cell.trunk is not None and cell.stage in ("dense", "dsd") else 2)
