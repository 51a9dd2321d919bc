"""The tasks: a data set, the network and recipes that suit it, and its figure of merit. One table."""

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
    """What is learned.

    Attributes:
        name: as `--task` takes it.
        topology: layers of the network. formats: its quantizers.
        dense, prune, tune: recipes of the three stages.
        emphasis, pruned_at, teacher: see `compress.Plan`.
        measure: probabilities of a split -> its figures, by name; "accuracy" is one of them.
        samples: the same -> counts of each sample, by name, where the figure that counts is made of them.
        metric: the figure that counts. lower: whether less of it is better.
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
        """Fetch and read the data set."""
        return LOADERS[self.name]()


_PIXELS = Formats(source=(9, 0))
"""Pixels as fractions of 8 bits, exact."""

TASKS = {
    task.name: task
    for task in (
        Task("japanese-vowels", Topology((64,)), DENSE, PRUNE, TUNE),
        Task(
            "festvox-ru",
            Topology((256,), framewise=True, dropout=0.3),
            Recipe(epochs=12, rate=3e-3, batch=64, noise=0.3),
            # less noise and dropout: the best of short pilots, no help over longer stages (docs/study-notes.md)
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
    """A task of the table.

    Raises:
        UnsupportedError: there is none of that name.
    """
    if name not in TASKS:
        raise UnsupportedError(f"task is {name!r}; allowed: {', '.join(TASKS)}")
    return TASKS[name]


def resized(task: Task, units: int | None, layers: int | None, projection: int | None, bidirectional: bool) -> Task:
    """A task with other LSTM layers, where something is given.

    Raises:
        UnsupportedError: its network has no LSTM layer.
    """
    if units is None and layers is None and projection is None and not bidirectional:
        return task
    old = task.topology
    if not old.lstm:
        raise UnsupportedError(f"{task.name} has no LSTM layer; units, layers, projection and directions are for those")
    lstm = (units or old.lstm[0],) * (layers or len(old.lstm))
    return replace(task, topology=replace(old, lstm=lstm, projection=projection or 0, bidirectional=bidirectional))
