# SPDX-License-Identifier: Apache-2.0
"""Checkpoints: an interrupted training that goes on gives the network of one that was not interrupted."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from ese_host.errors import FormatError
from ese_models.data import Dataset
from ese_models.networks import Topology
from ese_models.training import Plan, Recipe, prune, train_dense

NETWORK = Topology((5,), dropout=0.2)
RECIPE = Recipe(epochs=3, rate=5e-3, batch=8, noise=0.2)


class InterruptionError(Exception):
    """Raised where a training is interrupted."""


def interrupt(epoch: int, _loss: float) -> None:
    if epoch == 2:
        raise InterruptionError


def weights(model: Any) -> list[Any]:
    return [np.asarray(variable) for variable in model.variables]


def interrupted(train: Callable[..., Any], path: Path) -> tuple[Any, Any]:
    """The network of a training, and that of one that was interrupted after two epochs."""
    whole = train()
    with pytest.raises(InterruptionError):
        train(progress=interrupt, checkpoint=path)
    return whole, train(checkpoint=path)


def test_dense_training_goes_on(tiny: Dataset, tmp_path: Path) -> None:
    def train(**options: Any) -> Any:
        return train_dense(tiny, 1, recipe=RECIPE, topology=NETWORK, **options)

    pair = interrupted(train, tmp_path / "dense.checkpoint.npz")
    for mine, theirs in zip(*map(weights, pair), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    with pytest.raises(FormatError, match=r"dense\.checkpoint\.npz is a checkpoint of another network; remove it and"):
        train_dense(tiny, 1, recipe=RECIPE, topology=Topology((4,)), checkpoint=tmp_path / "dense.checkpoint.npz")


@pytest.mark.slow
def test_pruning_goes_on_under_its_masks(tiny: Dataset, tmp_path: Path) -> None:
    dense = train_dense(tiny, 1, recipe=RECIPE, topology=NETWORK)
    plan = Plan(weights="float", density=0.3, pes=2, family="pe-balanced", prune=RECIPE, pruned_at=0.3, updates=2)

    def train(**options: Any) -> Any:
        keras.utils.set_random_seed(1)  # of dropout
        return prune(dense, tiny, plan, **options)[0]

    pair = interrupted(train, tmp_path / "pruned.checkpoint.npz")
    for mine, theirs in zip(*map(weights, pair), strict=True):
        np.testing.assert_array_equal(mine, theirs)
