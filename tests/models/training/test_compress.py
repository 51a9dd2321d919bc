# SPDX-License-Identifier: Apache-2.0
"""Training and compression on a tiny data set: masks are kept, equal seeds give equal results, files are complete."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import keras
import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from ese_host.bundle.provenance import ProvenanceRecord, beside
from ese_host.errors import FormatError, MissingError, UnsupportedError
from ese_host.image.interleave import entries_per_pe
from ese_host.ir.mask_families import MASK_FAMILIES, MaskFamily
from ese_models import data
from ese_models.cli import commands as cli
from ese_models.data import Dataset
from ese_models.masking.plan import densities, kept_share, masks_for, matrices
from ese_models.masking.rows import interleaves
from ese_models.masking.sparsity import stored_codes
from ese_models.networks.builder import Topology, Weights
from ese_models.networks.inspection import constraints, kernels, load, weight_quantizers
from ese_models.pruning import keep_per_pe
from ese_models.records import provenance
from ese_models.training.compression import (
    Plan,
    compress,
    prune,
    quantize,
)
from ese_models.training.train import Recipe, augmented, shortened, train_dense

Command = Callable[..., Any]

KERNELS = ("lstm/kernel", "lstm/recurrent_kernel", "dense/kernel")
SHORT = Recipe(epochs=3, rate=1e-2, batch=15, noise=0.1, crop=0.2, smoothing=0.1, decay=0.1)


@pytest.fixture(scope="module")
def dense(tiny: Dataset) -> Any:
    return train_dense(tiny, 0, recipe=SHORT, topology=Topology((6,)))


@pytest.mark.parametrize(
    "family",
    ["gap-aware", *(pytest.param(family, marks=pytest.mark.slow) for family in ("magnitude", "column-balanced"))],
)
def test_masks_hold_through_every_stage(tiny: Dataset, dense: Any, family: MaskFamily) -> None:
    plan = Plan(
        weights="int4",
        density=0.3,
        pes=3,
        family=family,
        gap_bits=4,
        prune=SHORT,
        tune=SHORT,
        updates=4,
        emphasis=(1, 1),
    )
    before = matrices(dense)
    result = compress(dense, tiny, plan)
    assert all((matrices(dense)[name] == before[name]).all() for name in KERNELS)
    codes = stored_codes(result.quantized)
    for name, mask in result.masks.items():
        assert ((matrices(result.pruned)[name] != 0) == mask).all()
        assert ((matrices(result.quantized)[name] != 0) == mask).all()
        assert ((codes[name] != 0) == mask).all()
        rows = interleaves(dense, 3)[name][name]
        keep = keep_per_pe(mask.size, 0.3, 3)
        if family == "gap-aware":
            assert entries_per_pe(codes[name], rows, "int4", 4).tolist() == [keep] * 3
        elif family != "magnitude":
            assert [int(mask[rows.rows_of(pe)].sum()) for pe in range(3)] == [keep] * 3


def test_pruning_goes_on_from_a_pruned_network(tiny: Dataset, dense: Any) -> None:
    plan = Plan(density=0.4, pes=3, family="magnitude", prune=SHORT, updates=4, emphasis=(1, 1))
    begun, _ = prune(dense, tiny, plan)
    on = replace(plan, density=0.2, family="pe-balanced", pruned_at=1e-9)  # one round: no weight grows in between
    _, masks = prune(dense, tiny, on, begun=begun)
    for name, weights in matrices(begun).items():
        rows = interleaves(dense, 3)[name][name]
        assert [int(masks[name][rows.rows_of(pe)].sum()) for pe in range(3)] == [keep_per_pe(weights.size, 0.2, 3)] * 3
        if name != "dense/kernel":  # its PEs have fewer non-zero weights than they must keep
            assert not masks[name][weights == 0].any()
    share = kept_share(matrices(begun))
    with pytest.raises(
        UnsupportedError,
        match=rf"^the network to start from keeps {share:.4f} of its weights, but the plan keeps 0.6; start",
    ):
        prune(dense, tiny, replace(on, density=0.6), begun=begun)


LEARN = replace(SHORT, epochs=6, rate=0.2)  # with few steps, only a high rate changes the groups
KINDS = Plan(density=0.3, pes=3, gap_bits=4, prune=SHORT, tune=LEARN, updates=3, emphasis=(1, 1), codebook_bits=3)


@pytest.fixture(scope="module")
def pruned(tiny: Dataset, dense: Any) -> Any:
    return prune(dense, tiny, KINDS)


@pytest.mark.parametrize(
    "weights", ["ttq", *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("twn", "codebook4"))]
)
def test_every_kind_of_weights_stays_balanced_on_its_codes(
    tiny: Dataset, dense: Any, pruned: Any, weights: Weights, tmp_path: Path
) -> None:
    plan = replace(KINDS, weights=weights, per_channel=weights != "ttq")
    model = quantize(pruned[0], dense, pruned[1], tiny, plan)
    masks, codes = {name: held.mask.T for name, held in constraints(model).items()}, stored_codes(model)
    for name, mask in masks.items():
        assert ((codes[name] != 0) == mask).all() and ((matrices(model)[name] != 0) == mask).all()
        rows = interleaves(dense, 3)[name][name]
        assert entries_per_pe(codes[name], rows, "ternary", 4).tolist() == [keep_per_pe(mask.size, 0.3, 3)] * 3
    regrouped = any((pruned[1][name] != mask).any() for name, mask in masks.items())
    assert regrouped == (weights in ("twn", "ttq"))
    quantizer = weight_quantizers(model)["lstm/kernel"]
    if weights == "ttq":
        assert quantizer.positive.shape == (1, 1)
        assert np.asarray(quantizer.positive) != np.asarray(quantizer.negative)
    if weights == "codebook4":
        values = keras.ops.convert_to_numpy(quantizer(kernels(model)["lstm/kernel"]))
        assert (values == matrices(model)["lstm/kernel"].T).all() and quantizer.index.max() <= 7
    model.save(tmp_path / "model.keras")
    again = stored_codes(load(tmp_path / "model.keras"))
    assert all((again[name] == codes[name]).all() for name in KERNELS)


def test_the_same_seed_gives_the_same_network(tiny: Dataset, dense: Any) -> None:
    again, other = (train_dense(tiny, seed, recipe=SHORT, topology=Topology((6,))) for seed in (0, 1))
    assert all((a == b).all() for a, b in zip(dense.get_weights(), again.get_weights(), strict=True))
    assert any((a != b).any() for a, b in zip(dense.get_weights(), other.get_weights(), strict=True))


def test_augmentation_keeps_padding_in_front(tiny: Dataset) -> None:
    recipe = Recipe(epochs=1, rate=1.0, noise=0.5, crop=0.5)
    inputs = augmented(tiny.train, np.arange(30), recipe, np.ones(4, np.float32), np.random.default_rng(0))
    assert inputs.shape == (30, 6, 4) and inputs.dtype == np.float32
    for series, length in zip(inputs, tiny.train.lengths, strict=True):
        real = np.flatnonzero(series.any(axis=1))
        assert real[-1] == 5 and (np.diff(real) == 1).all() and 1 <= len(real) <= length


@given(
    st.integers(1, 500),
    st.integers(1, 5000),
    st.integers(1, 500),
    st.floats(0.001, 1),
    st.tuples(st.floats(1, 10), st.floats(1, 10)),
)
def test_emphasis_moves_density_but_not_the_whole(
    kernel: int, recurrent: int, last: int, density: float, emphasis: tuple[float, float]
) -> None:
    sizes = dict(zip(KERNELS, (kernel, recurrent, last), strict=True))
    found = densities(sizes, density, emphasis)
    assert sum(found[name] * sizes[name] for name in KERNELS) == pytest.approx(density * sum(sizes.values()))
    assert 0 <= found["lstm/recurrent_kernel"] <= density * 1.0001 and max(found.values()) <= 1
    assert found["lstm/recurrent_kernel"] >= 0.499 * density


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"density": 0}, "density is 0; above 0, at most 1"),
        ({"weights": "int5"}, "weights are 'int5'; allowed: float, ternary, twn, ttq, int4, codebook4"),
        ({"family": "random"}, "mask family is 'random'"),
        ({"emphasis": (2, 0.5)}, r"emphasis is \(2, 0\.5\); both factors"),
        ({"pes": 0}, "pes is 0; 1 to 256"),
        ({"schedule": "linear"}, "^schedule is 'linear'; allowed: cubic, geometric$"),
        ({"layers": {"dense/kernel": 0}}, "^density of 'dense/kernel' is 0; above 0, at most 1 is allowed$"),
        ({"gap_bits": 13}, "gap_bits is 13; 2 to 12"),
        ({"codebook_bits": 9}, "codebook_bits is 9; 2 to 8"),
        ({"codebook_start": "k"}, "start of the centroids is 'k'; allowed: linear, density, random"),
    ],
)
def test_unsound_plans_are_refused(config: dict[str, Any], message: str) -> None:
    with pytest.raises(UnsupportedError, match=message):
        Plan(**config)


def test_kernels_can_have_densities_of_their_own(dense: Any) -> None:
    weights, rows = matrices(dense), interleaves(dense, 1)
    plan = Plan(density=0.2, pes=1, family="pe-balanced", emphasis=(1, 1), layers={"dense/kernel": 0.5})
    for density, own in ((1.0, 1.0), (0.6, 0.75), (0.2, 0.5)):
        share = {name: mask.mean() for name, mask in masks_for(weights, rows, plan, density, plan.family).items()}
        expected = {"lstm/kernel": density, "lstm/recurrent_kernel": density, "dense/kernel": own}
        assert share == pytest.approx(expected, abs=0.03)
    with pytest.raises(
        UnsupportedError, match=r"^the plan gives a density to kernel 'last', which the network lacks; "
    ):
        masks_for(weights, rows, Plan(layers={"last": 0.5}), 0.1, "magnitude")


def test_unsound_recipes_and_stages_are_refused(tiny: Dataset, dense: Any) -> None:
    with pytest.raises(UnsupportedError, match="all must be positive"):
        shortened(SHORT, 0)
    with pytest.raises(UnsupportedError, match="weights are 'float'; to quantize, choose"):
        quantize(dense, dense, {}, tiny, Plan(weights="float"))


@pytest.fixture
def commands(tiny: Dataset, monkeypatch: pytest.MonkeyPatch) -> Command:
    monkeypatch.setitem(data.LOADERS, "japanese-vowels", lambda: tiny)

    def run(command: click.Command, *words: object) -> Any:
        result = CliRunner().invoke(command, [str(word) for word in words], catch_exceptions=True)
        if result.exception is not None:
            raise result.exception
        return json.loads(result.stdout.splitlines()[-1])

    return run


def test_commands_write_model_provenance_and_test_set(tmp_path: Path, tiny: Dataset, commands: Command) -> None:
    assert commands(cli.data, "--json")["train"] == [30, 6, 4]
    first, second = tmp_path / "a" / "dense.keras", tmp_path / "b" / "ternary.keras"
    found = commands(cli.train, "--out", first, "--epochs", 2, "--units", 6, "--json")
    assert found["files"] == [str(first), str(beside(first)), str(provenance.testset_path(first))]
    words = ["--out", second, "--density", 0.3, "--pes", 2, "--prune-epochs", 2, "--tune-epochs", 2, "--json"]
    found = commands(cli.compress, first, *words)
    assert list(found["accuracy"]) == ["dense", "pruned", "quantized"]
    record = provenance.read(second).to_json()
    assert record["seeds"] == {"train": 0, "compress": 0} and record["weights"] == "ternary"
    for name, table in record["masks"].items():
        assert set(table) == {"used", *MASK_FAMILIES}
        assert table["used"]["padding"] == 0 and len(set(table["used"]["entries_per_pe"])) == 1
        assert table["used"]["density"] == record["density"][name]
    with np.load(provenance.testset_path(second), allow_pickle=False) as arrays:
        assert {key: arrays[key].dtype.name for key in arrays} == {
            "inputs": "float32",
            "lengths": "int64",
            "labels": "int64",
            "keras_predictions": "float32",
        }
        predictions = load(second).predict(arrays["inputs"], verbose=0, batch_size=24)
        assert (predictions == arrays["keras_predictions"]).all() and predictions.shape == (24, 3)
    assert sorted(path.name for path in second.parent.iterdir()) == [
        "ternary.keras",
        "ternary.provenance.json",
        "ternary.testset.npz",
    ]


def test_dsd_and_sensitivity_start_from_a_trained_network(tmp_path: Path, commands: Command) -> None:
    first, second = tmp_path / "dense.keras", tmp_path / "dsd.keras"
    commands(cli.train, "--out", first, "--epochs", 2, "--units", 6, "--json")
    found = commands(cli.dsd, first, "--out", second, "--density", 0.5, "--epochs", 2, "--rate", 1e-2, "--json")
    assert list(found["accuracy"]) == ["dense", "dsd"] and set(found["density"].values()) == {1.0}
    record = provenance.read(second).to_json()
    assert record["sparse_density"] == dict.fromkeys(KERNELS, 0.5)
    assert record["recipes"]["sparse"]["rate"] == 10 * record["recipes"]["dense_again"]["rate"] == 1e-2
    assert all((matrix != 0).all() for matrix in matrices(load(second)).values())

    folder = tmp_path / "scan"
    found = commands(cli.sensitivity, second, "--densities", "1,0.3,0", "--out", folder, "--json")
    assert found["densities"] == [1, 0.3, 0] and set(found["kernels"]) == set(KERNELS) == set(found["least"])
    assert all(values[0] == found["dense"] for values in found["kernels"].values())
    assert found["dense"] == pytest.approx(record["accuracy"]["dsd"]["train"])
    assert json.loads((folder / "sensitivity.json").read_text())["kernels"] == found["kernels"]
    assert all(name in (folder / "sensitivity.svg").read_text() for name in KERNELS)
    with pytest.raises(UnsupportedError, match=r"^--densities is 'a,b'; numbers separated by commas are expected"):
        commands(cli.sensitivity, second, "--densities", "a,b")


def test_commands_refuse_by_name_and_leave_nothing(
    tmp_path: Path, tiny: Dataset, dense: Any, commands: Command
) -> None:
    with pytest.raises(MissingError, match=r"none\.keras is not there"):
        commands(cli.compress, tmp_path / "none.keras")
    with pytest.raises(FormatError, match=r"model\.h5 does not end in \.keras"):
        provenance.save(dense, tmp_path / "model.h5", ProvenanceRecord(), tiny)
    dense.save(tmp_path / "alone.keras")
    with pytest.raises(MissingError, match=r"alone\.provenance\.json is not there"):
        commands(cli.compress, tmp_path / "alone.keras", "--out", tmp_path / "out.keras")
    (tmp_path / "alone.provenance.json").write_text("{}")
    with pytest.raises(FormatError, match="has format None; expected 1"):
        provenance.read(tmp_path / "alone.keras")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["alone.keras", "alone.provenance.json"]


def test_all_files_of_a_model_are_replaced_or_none(
    tiny: Dataset, dense: Any, tmp_path: Path, largest_file: Any
) -> None:
    """A model beside the test set of another one would be half a result."""
    out = tmp_path / "dense.keras"
    paths = provenance.save(dense, out, ProvenanceRecord(), tiny)
    before = {path: path.read_bytes() for path in paths}
    for limit in (500, max(len(before[path]) for path in paths[1:]) + 100):
        other = replace(tiny, test=replace(tiny.test, inputs=tiny.test.inputs + 1))
        with largest_file(limit), pytest.raises(OSError, match="File too large"):
            provenance.save(dense, out, ProvenanceRecord(), other)
        assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
