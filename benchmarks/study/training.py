# SPDX-License-Identifier: Apache-2.0
"""Training and measurement of a cell, by the stages of `ese_models.training`."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.study.cell import StudyCell
from benchmarks.study.costs import BATCHES, StageTime, short
from benchmarks.study.outcome import loads, measured, save_posteriors, stored
from benchmarks.study.store import Record, Store
from ese_host import decoding
from ese_host.errors import UnsupportedError
from ese_models.data import Dataset
from ese_models.decoding import LabelCounts, log_outputs, tuned
from ese_models.masking import gap_bits_of, interleaves, kind_of, matrices
from ese_models.networks import Topology, load, network
from ese_models.records import versions
from ese_models.records.provenance import decoder_path
from ese_models.training import (
    DenseSparseDense,
    Plan,
    Recipe,
    Task,
    dsd,
    fit,
    predict,
    prune,
    quantize,
    task_named,
    train_dense,
)

_log = logging.getLogger(__name__)
NETWORKS = {
    "qlstmp-1024": Topology((1024,), projection=512, framewise=True, dropout=0.3),
    "qlstmp-8": Topology((8,), projection=4),
}
"""Further networks by the names that cells give them: ESE's layer, and a tiny network of the same kind."""
TESTED = 32
"""Number of test samples that a trial predicts."""


class Clock:
    """Measures the processor seconds and the elapsed ones of each epoch; it is called at the end of each epoch."""

    def __init__(self) -> None:
        self._last, self.epochs, self.elapsed = self._now(), list[float](), list[float]()

    def __call__(self, epoch: int, loss: float) -> None:
        """Note the end of an epoch."""
        now = self._now()
        for seconds, start, end in zip((self.epochs, self.elapsed), self._last, now, strict=True):
            seconds.append(end - start)
        self._last = now
        _log.info("epoch %d: loss %.4f, %.1f s", epoch, loss, self.elapsed[-1])

    def to_json(self) -> dict[str, float]:
        """Processor seconds and elapsed seconds of a typical epoch; nothing if there was none."""
        if not self.epochs:
            return {}
        return {"epoch": round(self.epoch, 3), "epoch_elapsed": round(_typical(self.elapsed), 3)}

    @property
    def epoch(self) -> float:
        """Processor seconds of a typical epoch."""
        return _typical(self.epochs)

    @staticmethod
    def _now() -> tuple[float, float]:
        return time.process_time(), time.perf_counter()


def _typical(seconds: list[float]) -> float:
    """The median without the first, which compiles."""
    return median(seconds[1:] or seconds)


def train_cell(cell: StudyCell, store: Store) -> Record:
    """Train a cell's network from its trunk's, write it into the store, and measure it on the test split.

    Returns:
        The cell's record: metrics by name and the name of the one that counts, counts for each test sample, both for
        the validation split too, number of samples of each split, load of each kernel and of the network, size,
        seconds of an epoch, and versions.

    Raises:
        UnsupportedError: if the task, the network or an option is unknown.
    """
    task = task_named(cell.task)
    data = data_of(cell.task)
    trunk = None if cell.trunk is None else load(store.model_path(cell.trunk))
    teacher = trunk if cell.trunk is None or cell.trunk.stage in ("dense", "dsd") else load(store.model_path(cell.root))
    clock = Clock()
    if store.model_path(cell).is_file():  # it was trained, but not measured to the end
        model = load(store.model_path(cell))
    else:
        model = train(cell, task, data, trunk, teacher, clock, store.checkpoint_path(cell))
        store.place(store.model_path(cell), model.save)
        store.drop_checkpoints(cell)
    outputs = {name: predict(model, data.splits[name]) for name in ("validation", "test")}
    decoder = None
    if data.test.framewise:
        store.place(store.posteriors_path(cell), lambda path: save_posteriors(path, data, outputs))
        counts = LabelCounts.of(data.train, len(data.classes))
        decoder = tuned(counts, log_outputs(outputs["validation"]), data.validation)
        store.place(decoder_path(store.model_path(cell)), lambda path: decoding.write(path, decoder))
    return {
        **measured(task, outputs["test"], data.test, decoder),
        "metric": task.metric if decoder is None else "viterbi_phone_error_rate",
        "decoder": {} if decoder is None else decoder.chosen,
        "validation": measured(task, outputs["validation"], data.validation, decoder),
        "splits": {name: len(split.labels) for name, split in data.splits.items()},
        "lower": task.lower,
        "remark": data.remark,
        "load": loads(model, cell),
        "storage": stored(model),
        "seconds": clock.to_json(),
        "versions": versions(),
    }


def trial(cell: StudyCell) -> StageTime:
    """Measure the cost of a cell's kind by two epochs of a few batches, from random weights, and a few test samples."""
    task, data = task_named(cell.task), data_of(cell.task)
    start = time.process_time()
    recipe = task.dense if cell.trunk is None else task.tune if cell.stage == "quantized" else task.prune
    whole = len(data.train.labels) // min(recipe.batch, len(data.train.labels))
    batches = min(BATCHES, whole)
    few = replace(
        data,
        train=data.train.taken(slice(0, batches * recipe.batch)),
        test=data.test.taken(slice(0, TESTED)),
    )
    trunk = None if cell.trunk is None else untrained(cell, task, data)
    clock = Clock()
    model = train(short(cell), task, few, trunk, trunk, clock)
    trained = time.process_time()
    predict(model, few.test)
    compiled = time.process_time()
    task.measure(predict(model, few.test), few.test)
    tested = compiled - trained + (time.process_time() - compiled) / len(few.test.labels) * len(data.test.labels)
    return StageTime(
        start=trained - start - len(clock.epochs) * clock.epoch + tested, epoch=clock.epoch * whole / batches
    )


def untrained(cell: StudyCell, task: Task, data: Dataset) -> Any:
    """A dense network with random weights.

    Args:
        cell: names the network.
        task: the cell's task, which gives formats and layers.
        data: gives the sizes of input and output.
    """
    inputs = data.train.inputs
    return network(
        topology_of(cell, task),
        features=inputs.shape[-1],
        outputs=len(data.classes),
        steps=None if data.train.framewise or inputs.ndim == 2 else inputs.shape[1],
        formats=task.formats,
    )


def topology_of(cell: StudyCell, task: Task) -> Topology:
    """Layers of a cell's network.

    Raises:
        UnsupportedError: if there is no network of the cell's name.
    """
    if cell.network and cell.network not in NETWORKS:
        raise UnsupportedError(f"network is {cell.network!r}; allowed: {', '.join(NETWORKS)}, or none for the task's")
    return NETWORKS.get(cell.network, task.topology)


@lru_cache(maxsize=1)
def data_of(task: str) -> Dataset:
    """A task's data, which is read once in each process."""
    return task_named(task).load()


def train(
    cell: StudyCell,
    task: Task,
    data: Dataset,
    trunk: Any,
    teacher: Any,
    clock: Callable[[int, float], None],
    checkpoint: Path | None = None,
) -> Any:
    """Train the network of a cell and return it.

    Args:
        cell: the cell.
        task: its task.
        data: the task's data.
        trunk: the trunk's network, which may be changed; None to start from random weights.
        teacher: the dense network whose outputs are targets as well.
        clock: called after each epoch.
        checkpoint: file of the state after each epoch; training goes on from it if it exists.
    """
    if cell.trunk is None:
        return train_dense(
            data,
            cell.seed,
            recipe=recipe_of(cell, task.dense),
            topology=topology_of(cell, task),
            formats=task.formats,
            progress=clock,
            checkpoint=checkpoint,
        )
    if cell.stage in ("dense", "dsd"):
        return longer(cell, task, data, trunk, clock, checkpoint)
    if cell.stage == "pruned":
        begun = trunk if cell.trunk.stage == "pruned" else None
        return prune(teacher, data, plan_of(cell, task, trunk), clock, begun, checkpoint)[0]
    masks = {name: weights != 0 for name, weights in matrices(trunk).items()}
    return quantize(trunk, teacher, masks, data, plan_of(cell, task, trunk), clock, checkpoint)


def recipe_of(cell: StudyCell, recipe: Recipe) -> Recipe:
    """A task's recipe with the cell's epochs and what the cell's options change."""
    names = {"rate", "noise", "dropout", "products"} & dict(cell.options).keys()
    return replace(recipe, epochs=cell.epochs, **{name: cell.option(name, 0) for name in names})  # type: ignore[arg-type]


def longer(
    cell: StudyCell,
    task: Task,
    data: Dataset,
    model: Any,
    clock: Callable[[int, float], None],
    checkpoint: Path | None = None,
) -> Any:
    """Train a dense network further, in place: by dense-sparse-dense, or with the same epochs and rates without masks.

    Args:
        cell: the cell, of stage "dsd" or "dense".
        task: its task.
        data: the task's data.
        model: the trunk's network.
        clock: called after each epoch.
        checkpoint: file beside which the state of both stages is written; training goes on from there.
    """
    first = replace(recipe_of(cell, task.dense), epochs=-(-cell.epochs // 2))
    last = replace(first, epochs=max(1, cell.epochs // 2), rate=first.rate / 10)
    if cell.stage == "dsd":
        dsd.train(model, data, DenseSparseDense(first, cell.density, last), cell.seed, clock)
        return model
    rng = np.random.default_rng((cell.seed, 3))  # the same order of the data as in dsd.train
    for number, recipe in enumerate((first, last)):
        state = None if checkpoint is None else checkpoint.with_suffix(f".{number}.npz")
        fit(model, data.train, recipe, rng, progress=clock, checkpoint=state)
    return model


def plan_of(cell: StudyCell, task: Task, model: Any) -> Plan:
    """Compression plan of a pruned or quantized cell.

    Args:
        cell: the cell.
        task: its task, which gives the recipes.
        model: the network, whose kernels decide the default of the gap bits.
    """
    pes = int(cell.option("pes", 8))
    gap_bits = gap_bits_of(interleaves(model, pes), kind_of(cell.weights))  # type: ignore[arg-type]
    emphasis = (
        float(cell.option("input_emphasis", task.emphasis[0])),
        float(cell.option("last_emphasis", task.emphasis[1])),
    )
    return Plan(
        weights=cell.weights,  # type: ignore[arg-type]
        density=cell.density,
        pes=pes,
        family=cell.family,  # type: ignore[arg-type]
        gap_bits=int(cell.option("gap_bits", gap_bits)),
        seed=cell.seed,
        prune=recipe_of(cell, task.prune),
        tune=recipe_of(cell, task.tune),
        pruned_at=task.pruned_at,
        teacher=float(cell.option("teacher", task.teacher)),
        emphasis=emphasis,
        codebook_bits=int(cell.option("codebook_bits", 4)),
    )
