"""What a cell costs: seconds of an epoch, measured on a few batches of the real data, times its epochs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.study.cell import StudyCell
from benchmarks.study.store import Store
from ese_host.errors import FormatError

NAME = "epochs.json"
BATCHES = 6
"""Batches of a measured epoch."""


@dataclass(frozen=True)
class StageTime:
    """Processor seconds of one core. start: importing, loading, compiling, measuring. epoch: of each epoch."""

    start: float
    epoch: float

    def of(self, cell: StudyCell) -> float:
        """Seconds of a cell."""
        return self.start + cell.epochs * self.epoch


def kind(cell: StudyCell) -> str:
    """Cells of one kind cost alike."""
    return "/".join([cell.task, cell.network or "own", cell.stage, cell.weights])


def path(store: Store) -> Path:
    """Where measured costs lie."""
    return store.folder / NAME


def read(store: Store) -> dict[str, StageTime]:
    """Measured costs by kind; none where nothing was measured.

    Raises:
        FormatError: the file is no table of costs.
    """
    if not path(store).is_file():
        return {}
    try:
        table = json.loads(path(store).read_text(encoding="utf-8"))
        return {name: StageTime(**values) for name, values in table.items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise FormatError(f"{path(store)} is no table of costs ({error}); `ese4ml study measure` makes it") from error


def write(store: Store, table: Mapping[str, StageTime]) -> None:
    """Keep costs."""
    text = json.dumps({name: vars(cost) for name, cost in sorted(table.items())}, indent=1) + "\n"
    store.place(path(store), lambda part: part.write_text(text, encoding="utf-8"))


def estimates(cells: Iterable[StudyCell], table: Mapping[str, StageTime]) -> dict[StudyCell, float]:
    """Seconds of those cells whose kind was measured."""
    return {cell: table[kind(cell)].of(cell) for cell in cells if kind(cell) in table}


def unmeasured(cells: Iterable[StudyCell], table: Mapping[str, StageTime]) -> list[StudyCell]:
    """One cell of each kind that has no measured cost, trunks first."""
    found = {kind(cell): cell for cell in reversed(list(cells)) if kind(cell) not in table}
    return sorted(found.values(), key=lambda cell: cell.depth)


def hours(cells: Iterable[StudyCell], costs: Mapping[StudyCell, float], cores: int) -> float:
    """Hours on idle cores at the least: the work over the cores, or the longest chain of trunks."""
    wanted = list(cells)
    chains: dict[StudyCell, float] = {}
    for cell in sorted(wanted, key=lambda cell: cell.depth):
        chains[cell] = costs.get(cell, 0.0) + (chains.get(cell.trunk, 0.0) if cell.trunk else 0.0)
    work = sum(costs.get(cell, 0.0) for cell in wanted)
    return max(work / cores, max(chains.values(), default=0.0)) / 3600


def measure(cells: Iterable[StudyCell], store: Store, trial: Callable[[StudyCell], StageTime]) -> dict[str, StageTime]:
    """Measure the kinds that have no cost yet, by `trial`, and keep them."""
    table = read(store)
    for cell in unmeasured(cells, table):
        table[kind(cell)] = trial(cell)
        write(store, table)
    return table


def short(cell: StudyCell) -> StudyCell:
    """The cell with two epochs each time that it compiles: the first one does, the second one is measured."""
    return replace(cell, epochs=4 if cell.trunk is not None and cell.stage in ("dense", "dsd") else 2)
