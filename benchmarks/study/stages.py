"""What a worker runs for a cell: quiet, one thread, TensorFlow imported there."""

from __future__ import annotations

import os

from benchmarks.study.cell import Cell
from benchmarks.study.costs import Cost
from benchmarks.study.store import Record, Store
from ese_models.quiet import tensorflow_quietly

THREADS = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")


def execute(cell: Cell, store: Store) -> Record:
    """Train a cell, write its model, and measure it; see `training.train_cell`.

    A process has one thread for TensorFlow, so that a machine runs as many cells as it has cores. What the environment
    says goes before.
    """
    _prepare()
    from benchmarks.study.training import train_cell

    return train_cell(cell, store)


def measure_cell(cell: Cell) -> Cost:
    """Measure what cells of this kind cost; see `training.trial`."""
    _prepare()
    from benchmarks.study.training import trial

    return trial(cell)


def _prepare() -> None:
    for name in THREADS:
        os.environ.setdefault(name, "1")
    with tensorflow_quietly():
        pass
