# SPDX-License-Identifier: Apache-2.0
"""Schedules, the pruner, DSD and the sensitivity scan on a small fully connected network over digits."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_digits

from ese_host.errors import UnsupportedError
from ese_host.image.interleave import Interleave
from ese_models.masking.pruner import Pruner
from ese_models.networks.mask_constraint import MaskConstraint
from ese_models.pruning import keep_per_pe, magnitude, pe_balanced
from ese_models.pruning.masks import Floats, Mask
from ese_models.pruning.sparsity_schedule import SCHEDULES, Schedule, density_of_round, round_of
from ese_models.records.sensitivity import Sensitivity, scan
from ese_models.training.dsd import DenseSparseDense, dense_sparse_dense
from ese_models.training.train import Recipe

Digits = tuple[
    tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]], tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]
]
Weights = list[npt.NDArray[np.float32]]

PES = 4
TARGETS = st.floats(0.01, 1)


@given(st.sampled_from(SCHEDULES), TARGETS, st.floats(0, 1), st.integers(1, 60), st.floats(0.05, 1))
def test_density_falls_from_the_start_to_the_target_and_never_rises(
    schedule: Schedule, target: float, above: float, rounds: int, finished: float
) -> None:
    start = target + above * (1 - target)
    due = [round_of(done, finished, rounds) for done in np.linspace(0, 1, 200)]
    densities = [density_of_round(schedule, number, rounds, target, start) for number in due]
    assert densities[0] == pytest.approx(start) and densities[-1] == pytest.approx(target)
    assert (np.diff(densities) <= 1e-12).all()
    assert density_of_round(schedule, 0, rounds, target) == 1


def test_every_round_keeps_the_same_share() -> None:
    found = [density_of_round("geometric", number, 5, 0.1) for number in range(6)]
    assert np.allclose(np.divide(found[1:], found[:-1]), 0.1**0.2)


@pytest.fixture(scope="module")
def digits() -> Digits:
    images, labels = load_digits(return_X_y=True)
    images = (images / 16).astype(np.float32)
    return (images[:1500], labels[:1500]), (images[1500:], labels[1500:])


def network(units: int = 32, outputs: int = 10) -> Any:
    keras.utils.set_random_seed(1)
    layers = [
        keras.layers.Dense(
            width, activation=act, kernel_constraint=MaskConstraint(np.ones((inputs, width), bool)), name=name
        )
        for name, inputs, width, act in (("one", 64, units, "relu"), ("two", units, outputs, "softmax"))
    ]
    return keras.Sequential([keras.Input((64,)), *layers])


def kernels(model: Any) -> dict[str, Any]:
    return {layer.name: layer.kernel for layer in model.layers}


def balanced(weights: Mapping[str, Floats], density: float) -> dict[str, Mask]:
    return {name: pe_balanced(matrix, density, Interleave(len(matrix), PES)) for name, matrix in weights.items()}


def fitted(
    model: Any,
    digits: Digits,
    rate: float,
    epochs: int,
    before: Callable[[], None] = lambda: None,
    after: Callable[[], None] = lambda: None,
) -> float:
    model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy")
    steps = keras.callbacks.LambdaCallback(
        on_train_batch_begin=lambda *_, **__: before(), on_train_batch_end=lambda *_, **__: after()
    )
    model.fit(*digits[0], batch_size=100, epochs=epochs, verbose=0, shuffle=False, callbacks=[steps])
    return accuracy(model, digits)


def accuracy(model: Any, digits: Digits) -> float:
    images, labels = digits[1]
    return float((np.asarray(model(images)).argmax(axis=1) == labels).mean())


def shares(masks: Mapping[str, Mask]) -> dict[str, list[int]]:
    return {
        name: [int(mask[Interleave(len(mask), PES).rows_of(pe)].sum()) for pe in range(PES)]
        for name, mask in masks.items()
    }


@pytest.fixture(scope="module")
def trained(digits: Digits) -> Weights:
    model = network()
    assert fitted(model, digits, 5e-3, 6) > 0.85
    weights: Weights = model.get_weights()
    return weights


def test_masks_hold_at_every_step_and_end_exact(digits: Digits, trained: Weights) -> None:
    model = network()
    model.set_weights(trained)
    pruner = Pruner(kernels(model), balanced)
    before_step = pruner.gradual("cubic", 0.2, 0.5, 4)
    step, counts = 0, []

    def before() -> None:
        nonlocal step
        before_step(step / 60)
        step += 1

    def after() -> None:
        masks = pruner.masks
        assert all(((weights != 0) == masks[name]).all() for name, weights in pruner.weights.items())
        counts.append(sum(int(mask.sum()) for mask in masks.values()))

    assert fitted(model, digits, 3e-3, 4, before, after) > 0.7
    assert step == 60 and (np.diff(counts) <= 0).all() and len(set(counts)) == 5
    assert shares(pruner.masks) == {
        "one": [keep_per_pe(2048, 0.2, PES)] * PES,
        "two": [keep_per_pe(320, 0.2, PES)] * PES,
    }


def test_dsd_prunes_holds_releases_and_ends_dense(digits: Digits, trained: Weights) -> None:
    model = network()
    model.set_weights(trained)
    pruner = Pruner(kernels(model), balanced)
    plan = DenseSparseDense(Recipe(epochs=2, rate=2e-3), density=0.5)
    stages = []

    def fit(name: str, recipe: Recipe) -> None:
        zeros = [int((weights == 0).sum()) for weights in pruner.weights.values()]

        def after() -> None:
            if name == "sparse":
                assert all(((pruner.weights[kernel] != 0) == mask).all() for kernel, mask in pruner.masks.items())

        fitted(model, digits, recipe.rate, recipe.epochs, after=after)
        stages.append((name, recipe.rate, zeros))

    masks = dense_sparse_dense(pruner, plan, fit)
    # Both stages begin with half of the weights at zero; the last stage trains these weights again.
    assert stages == [("sparse", 2e-3, [1024, 160]), ("dense", 2e-4, [1024, 160])]
    assert shares(masks) == {"one": [256] * PES, "two": [40] * PES}
    assert all(mask.all() for mask in pruner.masks.values())
    assert all((weights != 0).all() for weights in pruner.weights.values())
    revived = np.abs(pruner.weights["one"][~masks["one"]])
    assert revived.max() > 1e-3 and accuracy(model, digits) > 0.85


def test_sensitivity_prunes_one_kernel_at_a_time_and_puts_it_back(digits: Digits, trained: Weights) -> None:
    model = network()
    model.set_weights(trained)
    seen = []

    def score() -> float:
        seen.append([float((np.asarray(variable) != 0).mean()) for variable in kernels(model).values()])
        return accuracy(model, digits)

    def choose(name: str, weights: Floats, density: float) -> Mask:
        return magnitude(weights, density, Interleave(len(weights), PES))

    found = scan(kernels(model), choose, score, (1.0, 0.25, 0.0))
    assert seen == [[1, 1], [1, 1], [0.25, 1], [0, 1], [1, 1], [1, 0.25], [1, 0]]
    assert all((a == b).all() for a, b in zip(model.get_weights(), trained, strict=True))
    for name in ("one", "two"):
        dense, _, empty = found.kernels[name]
        assert dense == found.dense > empty + 0.5
    assert found.to_json() == json.loads(json.dumps(found.to_json()))


def test_least_density_stops_at_the_first_loss() -> None:
    found = Sensitivity("accuracy", 0.9, (0.1, 1.0, 0.5), {"a": (0.9, 0.9, 0.7), "b": (0.89, 0.9, 0.91)})
    assert found.least_densities(0.05) == {"a": 1.0, "b": 0.1}
    assert found.table().splitlines()[1].split() == ["a", "90.00", "90.00", "70.00"]


def test_unsound_requests_are_refused(digits: Digits) -> None:
    with pytest.raises(UnsupportedError, match=r"^schedule is 'linear'; allowed: cubic, geometric$"):
        density_of_round("linear", 0, 1, 0.5)  # type: ignore[arg-type]
    with pytest.raises(UnsupportedError, match=r"^density of the sparse stage is 1; it must be above 0 and below 1$"):
        DenseSparseDense(Recipe(1, 1e-3), density=1)
    with pytest.raises(UnsupportedError, match=r"^densities are none; one or more from 0 to 1 are needed$"):
        scan({}, lambda _name, weights, _density: weights != 0, lambda: 0.0, ())
    layer = keras.layers.Dense(2, name="free")
    layer.build((None, 3))
    with pytest.raises(
        UnsupportedError, match=r"^kernel 'free' has constraint NoneType; pruning needs a MaskConstraint"
    ):
        Pruner({"free": layer.kernel}, balanced)
