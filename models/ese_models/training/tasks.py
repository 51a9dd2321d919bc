# SPDX-License-Identifier: Apache-2.0
"""Table of the tasks: each is a data set, a network and recipes for it, and its figure of merit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial

from ese_host.errors import UnsupportedError
from ese_models.data import LOADERS, Dataset, Split, festvox_ru
from ese_models.networks import Formats, Topology
from ese_models.training import metrics
from ese_models.training.compression import PRUNE, TUNE
from ese_models.training.metrics import Floats
from ese_models.training.train import DENSE, Recipe


@dataclass(frozen=True)
class Task:
    """A task for which a network is trained.

    Attributes:
        name: value of the option `--task`.
        topology: layers of the network.
        dense: recipe of the dense stage.
        prune: recipe of the pruning stage.
        tune: recipe of the quantized stage.
        formats: quantizers of the network.
        emphasis: factors on the density of recurrent input kernels and of the last kernel; see `compression.Plan`.
        pruned_at: share of the pruning stage's steps at which the target density is reached.
        teacher: share of the dense network's probabilities in the training targets.
        measure: function from the probabilities of a split and the split to figures by name, "accuracy" among them.
        samples: function of the same arguments to counts per sample by name, from which the main figure is computed;
            empty if it is not computed from such counts.
        metric: name of the main figure.
        lower: whether a lower main figure is better.
    """

    name: str
    topology: Topology
    dense: Recipe
    prune: Recipe
    tune: Recipe
    formats: Formats = field(default_factory=Formats)
    emphasis: tuple[float, float] = (2.5, 6.0)
    pruned_at: float = 0.6
    teacher: float = 1.0
    measure: Callable[[Floats, Split], dict[str, float]] = metrics.classification
    samples: Callable[[Floats, Split], dict[str, list[int]]] = lambda _probabilities, _split: {}
    metric: str = "accuracy"
    lower: bool = False

    def load(self) -> Dataset:
        """Read the data set of the task; the first call fetches it."""
        return LOADERS[self.name]()


_PIXELS = Formats(source=(9, 0))
"""Formats for inputs that are pixels, fractions of 8 bits, which the input quantizer represents exactly."""

TASKS = {
    task.name: task
    for task in (
        Task("japanese-vowels", Topology((64,)), DENSE, PRUNE, TUNE),
        Task(
            "festvox-ru",
            Topology((256,), framewise=True, dropout=0.3),
            Recipe(epochs=12, rate=3e-3, batch=64, noise=0.3),
            # Less noise and dropout was best in short trials, but did not help over longer stages
            # (docs/results/study-notes.md).
            Recipe(epochs=12, rate=6e-3, batch=64, noise=0.1, dropout=0.1),
            Recipe(epochs=6, rate=3e-3, batch=64, noise=0.1, dropout=0.1),
            emphasis=(1.0, 4.0),
            pruned_at=0.3,
            measure=partial(metrics.phones, pause=festvox_ru.PHONES.index(festvox_ru.PAUSE)),
            samples=metrics.utterances,
            metric="phone_error_rate",
            lower=True,
        ),
        Task(
            "fashion-mnist",
            Topology(dense=(300, 100)),
            Recipe(epochs=20, rate=2e-3, batch=128, smoothing=0.05),
            Recipe(epochs=60, rate=5e-3, batch=128, noise=0.3),
            Recipe(epochs=10, rate=1e-3, batch=128),
            formats=_PIXELS,
            teacher=0.6,
        ),
        Task(
            "digits",
            Topology(dense=(64, 32)),
            Recipe(epochs=60, rate=5e-3, batch=64, noise=0.2),
            Recipe(epochs=60, rate=5e-3, batch=64, noise=0.2),
            Recipe(epochs=40, rate=2e-3, batch=64, noise=0.2),
            formats=_PIXELS,
        ),
    )
}


def task_named(name: str) -> Task:
    """The task of a name.

    Raises:
        UnsupportedError: if there is no task of this name.
    """
    if name not in TASKS:
        raise UnsupportedError(f"task is {name!r}; allowed: {', '.join(TASKS)}")
    return TASKS[name]


def resized(
    task: Task, units: int | None, layers: int | None, projection: int | None, bidirectional: bool, gru: bool = False
) -> Task:
    """The task with other recurrent layers; without any change given, the task itself.

    Args:
        task: to change.
        units: cells of each recurrent layer; None keeps those of the task's first layer.
        layers: number of recurrent layers; None keeps the task's.
        projection: width of the recurrent projection (QLSTMP); None for no projection.
        bidirectional: whether recurrent layers run in both directions.
        gru: whether they are GRU layers in place of LSTM layers.

    Raises:
        UnsupportedError: if a change is given and the network of the task has no recurrent layer, or a projection is
            asked of GRU layers.
    """
    if units is None and layers is None and projection is None and not bidirectional and not gru:
        return task
    old = task.topology
    if not old.lstm:
        raise UnsupportedError(
            f"the network of task {task.name!r} has no recurrent layer; units, layers, projection, bidirectional and "
            "gru need one: leave them out"
        )
    cells = (units or old.lstm[0],) * (layers or len(old.lstm))
    changed = replace(old, projection=projection or 0, bidirectional=bidirectional)
    return replace(task, topology=replace(changed, lstm=(), gru=cells) if gru else replace(changed, lstm=cells))
