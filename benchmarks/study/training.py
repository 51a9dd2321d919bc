"""Training and measurement of a cell, by the stages of `ese_models.training`."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from statistics import median
from typing import Any

import numpy as np

from benchmarks.study.cell import StudyCell
from benchmarks.study.costs import BATCHES, StageTime, short
from benchmarks.study.store import Record, Store
from ese_host.errors import UnsupportedError
from ese_models.data import Dataset
from ese_models.decoding import error_of, fitted, phone_rates
from ese_models.masking import by_matrix, gap_bits_of, interleaves, kind_of, matrices, matrix_loads, stored_codes
from ese_models.networks import Topology, load, network
from ese_models.records import compression_report, of_model, versions
from ese_models.training import (
    DenseSparseDense,
    Plan,
    Task,
    dsd,
    fit,
    predict,
    prune,
    quantize,
    shortened,
    task_named,
    train_dense,
)

NETWORKS = {
    "qlstmp-1024": Topology((1024,), projection=512, framewise=True),
    "qlstmp-8": Topology((8,), projection=4),
}
"""Further networks by the names that cells give them: ESE's layer, and a tiny network of the same kind."""
TESTED = 32
"""Number of test samples that a trial predicts."""


class Clock:
    """Measures the processor seconds of each epoch; it is called at the end of each epoch."""

    def __init__(self) -> None:
        self._last, self.epochs = time.process_time(), list[float]()

    def __call__(self, _epoch: int, _loss: float) -> None:
        """Note the end of an epoch."""
        now = time.process_time()
        self.epochs.append(now - self._last)
        self._last = now

    @property
    def epoch(self) -> float:
        """Processor seconds of a typical epoch, without the first, which compiles."""
        return median(self.epochs[1:] or self.epochs)


def train_cell(cell: StudyCell, store: Store) -> Record:
    """Train a cell's network from its trunk's, write it into the store, and measure it on the test split.

    Returns:
        The cell's record: metrics by name and the name of the one that counts, counts for each test sample, number of
        samples of each split, load of each kernel and of the network, size, seconds of an epoch, and versions.

    Raises:
        UnsupportedError: if the task, the network or an option is unknown.
    """
    task = task_named(cell.task)
    data = data_of(cell.task)
    trunk = None if cell.trunk is None else load(store.model_path(cell.trunk))
    teacher = trunk if cell.trunk is None or cell.trunk.stage in ("dense", "dsd") else load(store.model_path(cell.root))
    clock = Clock()
    model = train(cell, task, data, trunk, teacher, clock)
    store.place(store.model_path(cell), model.save)
    return {
        **measured(model, task, data),
        "splits": {name: len(split.labels) for name, split in data.splits.items()},
        "lower": task.lower,
        "remark": data.remark,
        "load": loads(model, cell),
        "storage": stored(model),
        "seconds": {"epoch": round(clock.epoch, 3)},
        "versions": versions(),
    }


def measured(model: Any, task: Task, data: Dataset) -> Record:
    """Metrics of a network on the test split, the name of the one that counts, and counts for each test sample.

    For a task with a label for each frame this is the phone error rate by Viterbi, with a decoder that was fitted and
    tuned without the test split.

    Args:
        model: the network.
        task: gives the metrics.
        data: the task's data.
    """
    probabilities = predict(model, data.test)
    metrics, samples = task.measure(probabilities, data.test), task.samples(probabilities, data.test)
    if not data.test.framewise:
        return {"metrics": metrics, "samples": samples, "metric": task.metric}
    decoder = fitted(model, data)
    errors, _ = error_of(decoder, probabilities, data.test)
    return {
        "metrics": {**metrics, **phone_rates(decoder, probabilities, data.test)},
        "samples": {**samples, "viterbi_errors": errors},
        "metric": "viterbi_phone_error_rate",
        "decoder": decoder.chosen,
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
    cell: StudyCell, task: Task, data: Dataset, trunk: Any, teacher: Any, clock: Callable[[int, float], None]
) -> Any:
    """Train the network of a cell and return it.

    Args:
        cell: the cell.
        task: its task.
        data: the task's data.
        trunk: the trunk's network, which may be changed; None to start from random weights.
        teacher: the dense network whose outputs are targets as well.
        clock: called after each epoch.
    """
    if cell.trunk is None:
        return train_dense(
            data,
            cell.seed,
            recipe=shortened(task.dense, cell.epochs),
            topology=topology_of(cell, task),
            formats=task.formats,
            progress=clock,
        )
    if cell.stage in ("dense", "dsd"):
        return longer(cell, task, data, trunk, clock)
    if cell.stage == "pruned":
        begun = trunk if cell.trunk.stage == "pruned" else None
        return prune(teacher, data, plan_of(cell, task, trunk), clock, begun)[0]
    masks = {name: weights != 0 for name, weights in matrices(trunk).items()}
    return quantize(trunk, teacher, masks, data, plan_of(cell, task, trunk), clock)


def longer(cell: StudyCell, task: Task, data: Dataset, model: Any, clock: Callable[[int, float], None]) -> Any:
    """Train a dense network further, in place: by dense-sparse-dense, or with the same epochs and rates without masks.

    Args:
        cell: the cell, of stage "dsd" or "dense".
        task: its task.
        data: the task's data.
        model: the trunk's network.
        clock: called after each epoch.
    """
    first = replace(task.dense, epochs=-(-cell.epochs // 2))
    last = replace(first, epochs=max(1, cell.epochs // 2), rate=first.rate / 10)
    if cell.stage == "dsd":
        dsd.train(model, data, DenseSparseDense(first, cell.density, last), cell.seed, clock)
        return model
    rng = np.random.default_rng((cell.seed, 3))  # the same order of the data as in dsd.train
    for recipe in (first, last):
        fit(model, data.train, recipe, rng, progress=clock)
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
        prune=replace(task.prune, epochs=cell.epochs, rate=float(cell.option("rate", task.prune.rate))),
        tune=shortened(task.tune, cell.epochs),
        pruned_at=task.pruned_at,
        teacher=task.teacher,
        emphasis=emphasis,
        codebook_bits=int(cell.option("codebook_bits", 4)),
    )


def stored(model: Any) -> Record:
    """Exact size of a network as 32-bit floats, and its compression rates after the stages of Deep Compression.

    Weights are one stream in the paper's order; each kernel's index has the width that costs least.
    """
    size = compression_report.report(of_model(model))[-1]
    return {
        "original_bits": size.original,
        "rate_quantized": size.columns()["P+Q x"],
        "rate_huffman": size.columns()["P+Q+H x"],
    }


def loads(model: Any, cell: StudyCell) -> Record:
    """Load of each kernel and of the network, counted on the codes as the engine counts them, padding included."""
    if cell.family == "none" or cell.stage == "dsd":
        return {}
    pes = int(cell.option("pes", 8))
    codes, rows = stored_codes(model), interleaves(model, pes)
    kind = kind_of(cell.weights)  # type: ignore[arg-type]
    gap_bits = int(cell.option("gap_bits", gap_bits_of(rows, kind)))
    masks = {name: array != 0 for name, array in codes.items()}
    kernel_loads = matrix_loads(codes, masks, rows, dict.fromkeys(codes, kind), gap_bits)
    sizes = {name: array.size for name, array in by_matrix(codes, rows).items()}
    entries = np.sum([item.entries_per_pe for item in kernel_loads.values()], axis=0)
    weights = sum(int((array != 0).sum()) for array in codes.values())
    total = sum(array.size for array in codes.values())
    return {
        "pes": pes,
        "gap_bits": gap_bits,
        "weights": total,
        "density": weights / total,
        "imbalance": float(entries.max() / entries.mean()),
        "worst_kernel_imbalance": max(item.imbalance for item in kernel_loads.values()),
        "padding": sum(item.padding for item in kernel_loads.values()) / max(1, weights),
        "kernels": {name: {"size": sizes[name], **item.to_json()} for name, item in kernel_loads.items()},
    }
