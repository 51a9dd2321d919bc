# SPDX-License-Identifier: Apache-2.0
"""Trains the cells that a study lacks, level by level: dense networks, then pruned ones, then quantized ones.

The cells of a level run through joblib, so that the caller decides where they run:

    with joblib.parallel_config(backend="dask"):
        run(cells, store, execute)

Workers need the results folder, so they run on one machine or share a file system. Only workers import TensorFlow.
"""

from __future__ import annotations

import logging
import os
import time
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import groupby

from benchmarks.study.cell import StudyCell, with_trunks
from benchmarks.study.costs import StageTime
from benchmarks.study.store import Record, Store
from ese_host.tensorflow_startup import quiet_tensorflow

_log = logging.getLogger(__name__)
Execute = Callable[[StudyCell, Store], Record]
"""Trains a cell, writes its model into the store and returns the values of its JSON file. It must be picklable."""
THREADS = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")


@dataclass
class Outcome:
    """Outcome of a run.

    Attributes:
        done: cells that have a result now and had none before.
        failed: last line of the traceback by cell.
        waiting: cells whose trunk failed.
    """

    done: list[StudyCell] = field(default_factory=list)
    failed: dict[StudyCell, str] = field(default_factory=dict)
    waiting: list[StudyCell] = field(default_factory=list)


def missing(cells: Iterable[StudyCell], store: Store) -> list[StudyCell]:
    """Cells without a result, and trunks without a result that they start from; trunks come first."""
    wanted = [cell for cell in cells if not store.done(cell)]
    return [cell for cell in with_trunks(wanted) if not store.done(cell)]


def run(
    cells: Iterable[StudyCell],
    store: Store,
    execute: Execute,
    *,
    costs: Mapping[StudyCell, float] | None = None,
    progress: Callable[[StudyCell, bool], None] = lambda _cell, _done: None,
) -> Outcome:
    """Run the missing cells. A cell that fails leaves a file `<key>.error.txt` and does not stop the others.

    Args:
        cells: cells of the study.
        store: store of the results.
        execute: trains a cell.
        costs: expected seconds; the most expensive cells of a level start first.
        progress: called after each cell with the cell and whether it has a result.
    """
    from joblib import Parallel, delayed

    outcome = Outcome()
    price = dict(costs or {})
    for _, group in groupby(missing(cells, store), key=lambda cell: cell.depth):
        level = list(group)
        ready = [cell for cell in level if cell.trunk is None or store.done(cell.trunk)]
        ready.sort(key=lambda cell: -price.get(cell, 0.0))
        outcome.waiting += [cell for cell in level if cell not in ready]
        work = (delayed(attempt)(cell, store, execute) for cell in ready)
        for cell, error in Parallel(return_as="generator_unordered", pre_dispatch="n_jobs", batch_size=1)(work):
            if error:
                outcome.failed[cell] = error
                _log.error("%s failed: %s", cell.key, error)
            else:
                outcome.done.append(cell)
            progress(cell, not error)
    return outcome


def attempt(cell: StudyCell, store: Store, execute: Execute) -> tuple[StudyCell, str]:
    """Run one cell in a worker.

    Args:
        cell: the cell.
        store: store of the results.
        execute: trains the cell.

    Returns:
        The cell and the last line of its traceback, which is empty if it succeeded.
    """
    start, processor = time.monotonic(), time.process_time()
    report = store.json_path(cell).with_suffix(".error.txt")
    try:
        values = execute(cell, store)
    except Exception as error:  # noqa: BLE001 - the run continues, and the traceback is written to a file
        text = "".join(traceback.format_exception(error))
        store.place(report, lambda path: path.write_text(text, encoding="utf-8"))
        return cell, text.strip().splitlines()[-1]
    seconds = {"elapsed": round(time.monotonic() - start, 2), "processor": round(time.process_time() - processor, 2)}
    store.write(cell, {**values, "seconds": {**values.get("seconds", {}), **seconds}})
    report.unlink(missing_ok=True)
    return cell, ""


def execute(cell: StudyCell, store: Store) -> Record:
    """Train a cell, write its model, and measure it, in a worker; see `training.train_cell`.

    A process has one thread for TensorFlow, so that a machine runs as many cells as it has cores. Environment variables
    that are set already stay as they are.
    """
    _prepare()
    from benchmarks.study.training import train_cell

    return train_cell(cell, store)


def measure_cell(cell: StudyCell) -> StageTime:
    """Measure the cost of cells of this kind; see `training.trial`."""
    _prepare()
    from benchmarks.study.training import trial

    return trial(cell)


def _prepare() -> None:
    for name in THREADS:
        os.environ.setdefault(name, "1")
    with quiet_tensorflow():
        pass
