# SPDX-License-Identifier: Apache-2.0
"""Stacked, bidirectional, projected, frame-wise and fully connected networks: sizes, names, saving, other codes."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pytest

from ese_host.errors import UnsupportedError
from ese_models.data import Split
from ese_models.masking.plan import densities, matrices
from ese_models.masking.rows import interleaves
from ese_models.networks.builder import Formats, Topology, Weights, network
from ese_models.networks.inspection import constraints, formats_of, kernels, load, weight_quantizers
from ese_models.networks.twin import quantized_twin
from ese_models.pruning.masks import Mask
from ese_models.training.train import predict
from support.keras_models.topology import topology_of

FEATURES, OUTPUTS, STEPS = 4, 3, 5
STACKED = Topology((6, 5))
PROJECTED = Topology((6, 5), projection=3, framewise=True)
BOTH_WAYS = Topology((5,), bidirectional=True, framewise=True, dropout=0.5)
MIXED = Topology((5,), (6,), bidirectional=True, framewise=True)
DEEP = Topology((5,), dense=(7,), projection=4, peepholes=False, framewise=True)
LENET = Topology(dense=(300, 100))
SHAPES = {
    STACKED: {
        "lstm1/kernel": (4, 24),
        "lstm1/recurrent_kernel": (6, 24),
        "lstm2/kernel": (6, 20),
        "lstm2/recurrent_kernel": (5, 20),
        "dense/kernel": (5, 3),
    },
    PROJECTED: {
        "lstm1/kernel": (4, 24),
        "lstm1/recurrent_kernel": (3, 24),
        "lstm1/projection_kernel": (6, 3),
        "lstm2/kernel": (3, 20),
        "lstm2/recurrent_kernel": (3, 20),
        "lstm2/projection_kernel": (5, 3),
        "dense/kernel": (3, 3),
    },
    BOTH_WAYS: {
        "forward_lstm/kernel": (4, 20),
        "forward_lstm/recurrent_kernel": (5, 20),
        "backward_lstm/kernel": (4, 20),
        "backward_lstm/recurrent_kernel": (5, 20),
        "dense/kernel": (10, 3),
    },
    MIXED: {
        "forward_lstm/kernel": (4, 20),
        "forward_lstm/recurrent_kernel": (5, 20),
        "backward_lstm/kernel": (4, 20),
        "backward_lstm/recurrent_kernel": (5, 20),
        "forward_gru/kernel": (10, 18),
        "forward_gru/recurrent_kernel": (6, 18),
        "backward_gru/kernel": (10, 18),
        "backward_gru/recurrent_kernel": (6, 18),
        "dense/kernel": (12, 3),
    },
    DEEP: {
        "lstm/kernel": (4, 20),
        "lstm/recurrent_kernel": (4, 20),
        "lstm/projection_kernel": (5, 4),
        "dense1/kernel": (4, 7),
        "dense2/kernel": (7, 3),
    },
    LENET: {"dense1/kernel": (4, 300), "dense2/kernel": (300, 100), "dense3/kernel": (100, 3)},
}
CASES = pytest.mark.parametrize("topology", SHAPES, ids=["stacked", "projected", "both-ways", "mixed", "deep", "lenet"])


def built(topology: Topology, weights: Weights = "float", seed: int = 0) -> tuple[Any, dict[str, Mask]]:
    """A network in which random masks have pruned half of each kernel."""
    keras.utils.set_random_seed(seed)
    rng = np.random.default_rng(seed)
    masks = {name: rng.random(shape) < 0.5 for name, shape in SHAPES[topology].items()}
    model = network(topology, features=FEATURES, outputs=OUTPUTS, steps=STEPS, weights=weights, masks=masks)
    for kernel in kernels(model).values():
        kernel.assign(kernel.constraint(kernel))
    return model, masks


def inputs(topology: Topology, count: int = 2) -> npt.NDArray[np.float32]:
    shape = (count, STEPS, FEATURES) if topology.recurrent else (count, FEATURES)
    return np.random.default_rng(1).normal(size=shape).astype(np.float32)


@CASES
def test_sizes_formats_and_masks_survive_saving(topology: Topology, tmp_path: Path) -> None:
    model, masks = built(topology)
    assert {name: kernel.shape for name, kernel in kernels(model).items()} == SHAPES[topology]
    assert topology_of(model) == topology and formats_of(model) == Formats()
    values = inputs(topology)
    found = np.asarray(model(values))
    assert found.shape == ((2, STEPS, OUTPUTS) if topology.framewise else (2, OUTPUTS))
    np.testing.assert_allclose(found.sum(axis=-1), 1, atol=1e-5)
    model.save(tmp_path / "model.keras")
    again = load(tmp_path / "model.keras")
    np.testing.assert_array_equal(again(values), found)
    assert topology_of(again) == topology and list(kernels(again)) == list(SHAPES[topology])
    assert all((held.mask == masks[name]).all() for name, held in constraints(again).items())


@CASES
def test_other_codes_keep_weights_and_masks(topology: Topology) -> None:
    model, masks = built(topology)
    copy = quantized_twin(model, "int4", {name: mask.T for name, mask in masks.items()}, None)
    assert all((matrices(copy)[name] == matrix).all() for name, matrix in matrices(model).items())
    assert topology_of(copy) == topology
    for name, quantizer in weight_quantizers(copy).items():
        codes, _, _ = quantizer.codes_and_scale(np.asarray(kernels(copy)[name]))
        assert ((codes != 0) == masks[name]).all()


@CASES
def test_densities_make_the_whole(topology: Topology) -> None:
    sizes = {name: int(np.prod(shape)) for name, shape in SHAPES[topology].items()}
    found = densities(sizes, 0.1, (2.5, 6.0))
    assert list(found) == list(sizes)
    assert sum(found[name] * sizes[name] for name in sizes) == pytest.approx(0.1 * sum(sizes.values()))
    assert densities({"dense/kernel": 9}, 0.1, (2.5, 6.0)) == {"dense/kernel": 0.1}


def test_rows_lie_in_groups_of_four_gates_but_a_projections() -> None:
    found = interleaves(built(PROJECTED)[0], 2)
    assert {name: list(rows) for name, rows in found.items()} == {name: [name] for name in SHAPES[PROJECTED]}
    assert [rows[name].group for name, rows in found.items()] == [4, 4, 1, 4, 4, 1, 1]


def test_padding_at_the_end_is_not_read_backwards() -> None:
    model, _ = built(BOTH_WAYS)
    values = inputs(BOTH_WAYS, 3)
    lengths = np.array([5, 2, 3])
    for row, length in zip(values, lengths, strict=True):
        row[length:] = 0
    found = predict(model, Split(values, lengths, np.zeros((3, STEPS), dtype=np.int64), "end"))
    for row, length, result in zip(values, lengths, found, strict=True):
        np.testing.assert_allclose(result[:length], model(row[None, :length])[0], atol=1e-6)
        assert (result[length:] == 0).all()


def test_sequences_of_any_length_are_predicted_whole() -> None:
    model = network(PROJECTED, features=FEATURES, outputs=OUTPUTS)
    for count, steps in ((3, 5), (2, 5), (2, 8)):
        values = np.random.default_rng(steps).normal(size=(count, steps, FEATURES)).astype(np.float32)
        split = Split(values, np.full(count, steps), np.zeros((count, steps), dtype=np.int64), "end")
        np.testing.assert_allclose(predict(model, split), model(values), atol=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"gru": (4,), "projection": 2}, "^projection needs an LSTM layer; give the cells of one in lstm"),
        ({"framewise": True}, "^framewise and bidirectional need a recurrent layer; give the cells"),
        ({"lstm": (0,)}, r"^LSTM \(0,\), GRU \(\), dense \(\), projection 0: a layer has at least one unit$"),
        ({"dropout": 1.0}, r"^dropout is 1\.0; 0 or more, below 1 is allowed$"),
    ],
)
def test_topologies_that_are_none_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UnsupportedError, match=message):
        Topology(**options)
