# SPDX-License-Identifier: Apache-2.0
"""Cost of cells: seconds per epoch, measured on a few batches of the real data, times the epochs."""

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
"""Most batches of a measured epoch."""


@dataclass(frozen=True)
class StageTime:
    """Processor seconds of a stage on one core.

    Attributes:
        start: importing, loading, compiling and measuring.
        epoch: each epoch.
    """

    start: float
    epoch: float

    def of(self, cell: StudyCell) -> float:
        """Processor seconds of a cell."""
        return self.start + cell.epochs * self.epoch


def kind(cell: StudyCell) -> str:
    """Kind of a cell; cells of one kind have the same cost per epoch."""
    return "/".join([cell.task, cell.network or "own", cell.stage, cell.weights])


def path(store: Store) -> Path:
    """Path of the file of measured costs."""
    return store.folder / NAME


def read(store: Store) -> dict[str, StageTime]:
    """Measured costs by kind; empty if there is no file.

    Raises:
        FormatError: if the file is not a table of costs.
    """
    if not path(store).is_file():
        return {}
    try:
        table = json.loads(path(store).read_text(encoding="utf-8"))
        return {name: StageTime(**values) for name, values in table.items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise FormatError(
            f"{path(store)} is not a table of costs ({error}); remove it and run `ese4ml study measure`"
        ) from error


def write(store: Store, table: Mapping[str, StageTime]) -> None:
    """Write the file of costs."""
    text = json.dumps({name: vars(cost) for name, cost in sorted(table.items())}, indent=1) + "\n"
    store.place(path(store), lambda part: part.write_text(text, encoding="utf-8"))


def estimates(cells: Iterable[StudyCell], table: Mapping[str, StageTime]) -> dict[StudyCell, float]:
    """Seconds of the cells whose kind has been measured."""
    return {cell: table[kind(cell)].of(cell) for cell in cells if kind(cell) in table}


def unmeasured(cells: Iterable[StudyCell], table: Mapping[str, StageTime]) -> list[StudyCell]:
    """One cell of each kind that has no measured cost, trunks first."""
    by_kind = {kind(cell): cell for cell in reversed(list(cells)) if kind(cell) not in table}
    return sorted(by_kind.values(), key=lambda cell: cell.depth)


def hours(cells: Iterable[StudyCell], costs: Mapping[StudyCell, float], cores: int) -> float:
    """Least hours on idle cores: all work over the cores, or the longest chain of trunks if that is longer.

    Args:
        cells: cells to train.
        costs: seconds of each cell; unknown ones count as 0.
        cores: number of idle cores.
    """
    wanted = list(cells)
    chains: dict[StudyCell, float] = {}
    for cell in sorted(wanted, key=lambda cell: cell.depth):
        chains[cell] = costs.get(cell, 0.0) + (chains.get(cell.trunk, 0.0) if cell.trunk else 0.0)
    work = sum(costs.get(cell, 0.0) for cell in wanted)
    return max(work / cores, max(chains.values(), default=0.0)) / 3600


def measure(cells: Iterable[StudyCell], store: Store, trial: Callable[[StudyCell], StageTime]) -> dict[str, StageTime]:
    """Measure the kinds that have no cost yet, and write their costs to the store.

    Args:
        cells: cells whose kinds are measured.
        store: holds the file of costs.
        trial: measures the kind of a cell.

    Returns:
        Costs by kind.
    """
    table = read(store)
    for cell in unmeasured(cells, table):
        table[kind(cell)] = trial(cell)
        write(store, table)
    return table


def short(cell: StudyCell) -> StudyCell:
    """The cell with two epochs for each compilation: the first compiles, the second is measured."""
    return replace(cell, epochs=4 if cell.trunk is not None and cell.stage in ("dense", "dsd") else 2)
