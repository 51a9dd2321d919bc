# SPDX-License-Identifier: Apache-2.0
"""No stage of training or compression, no mask, no format and no scan reads the test split."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from ese_models.data import Dataset, Split
from ese_models.masking.rows import interleaves
from ese_models.networks import Topology, prunable
from ese_models.pruning import magnitude
from ese_models.records import sensitivity
from ese_models.training import DenseSparseDense, Plan, Recipe, accuracy, compress, dsd, predict, train_dense
from ese_models.training.calibrate import calibrate

BRIEF = Recipe(epochs=1, rate=1e-2, batch=15)


class Sealed:
    """A test split that fails the test as soon as anything reads it."""

    def __getattr__(self, name: str) -> Any:
        pytest.fail(f"the test split's {name} was read")


@pytest.fixture(scope="module")
def sealed(tiny: Dataset) -> Dataset:
    """The tiny data set with a test split that nobody may read."""
    data = Dataset(tiny.name, tiny.train, tiny.validation, tiny.test, tiny.classes, tiny.mean, tiny.deviation)
    object.__setattr__(data, "test", Sealed())
    return data


@pytest.fixture(scope="module")
def dense(sealed: Dataset) -> Any:
    return train_dense(sealed, 0, recipe=BRIEF, topology=Topology((6,)))


def test_the_seal_notices_a_reader(sealed: Dataset, dense: Any) -> None:
    with pytest.raises(pytest.fail.Exception, match=r"^the test split's \w+ was read$"):
        accuracy(predict(dense, sealed.test), sealed.test)


@pytest.mark.parametrize(
    "weights",
    ["int4", "ttq", *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("codebook4", "ternary", "twn"))],
)
def test_compression_does_not_read_it(sealed: Dataset, dense: Any, weights: Any) -> None:
    compress(dense, sealed, Plan(weights=weights, density=0.3, pes=3, prune=BRIEF, tune=BRIEF, updates=1))


def scan(data: Dataset, model: Any) -> None:
    """A scan of sensitivity as the command makes it on the training split."""
    kernels = {name: kernel.variable for name, kernel in prunable(model).items()}
    rows = {name: parts[name] for name, parts in interleaves(model, 2).items()}
    sensitivity.scan(
        kernels,
        lambda name, weights, density: magnitude(weights, density, rows[name]),
        lambda: accuracy(predict(model, data.train), data.train),
        (1.0, 0.5),
    )


@pytest.mark.parametrize(
    "flow",
    [
        pytest.param(scan, id="sensitivity"),
        pytest.param(lambda data, model: calibrate(model, data.train.inputs), id="calibrate"),
        pytest.param(lambda data, model: dsd.train(model, data, DenseSparseDense(BRIEF), 0), id="dsd"),
    ],
)
def test_what_follows_training_does_not_read_it(
    sealed: Dataset, dense: Any, flow: Callable[[Dataset, Any], Any]
) -> None:
    flow(sealed, dense)


def test_scaling_does_not_depend_on_it(tiny: Dataset) -> None:
    """Recorded values are scaled by the mean and deviation of the training frames alone."""

    def frames(split: Split) -> Any:
        return np.concatenate([row[len(row) - n :] for row, n in zip(split.inputs, split.lengths, strict=True)])

    assert np.allclose(frames(tiny.train).mean(axis=0), 0, atol=1e-6)
    assert np.allclose(frames(tiny.train).std(axis=0), 1, atol=1e-6)
    assert np.abs(frames(tiny.validation).mean(axis=0)).max() > 1e-3
