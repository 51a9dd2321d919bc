# SPDX-License-Identifier: Apache-2.0
"""The table of tasks, and each command on small data sets of every kind."""

import gzip
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import numpy as np
import numpy.typing as npt
import pytest
from click.testing import CliRunner

from ese_host import decoding
from ese_host.errors import FormatError, UnsupportedError
from ese_models import data
from ese_models.cli import commands
from ese_models.data import NO_LABEL, Dataset, Split, digits, fashion_mnist, festvox_ru
from ese_models.networks.builder import Topology, network
from ese_models.networks.inspection import kernels, load
from ese_models.records import provenance
from ese_models.training.tasks import TASKS, resized, task_named
from ese_models.training.train import Recipe, fit
from support.keras_models.topology import topology_of


def test_the_tables_name_the_same_tasks() -> None:
    assert tuple(TASKS) == tuple(data.LOADERS) == commands.TASKS
    assert TASKS["fashion-mnist"].topology == Topology(dense=(300, 100))
    assert TASKS["festvox-ru"].topology.lstm == (256,) and TASKS["festvox-ru"].lower
    with pytest.raises(
        UnsupportedError, match=r"^task is 'timit'; allowed: japanese-vowels, festvox-ru, fashion-mnist, digits$"
    ):
        task_named("timit")


def test_a_task_takes_other_recurrent_layers() -> None:
    task = task_named("festvox-ru")
    assert resized(task, None, None, None, False) is task
    found = resized(task, 1024, 2, 512, False).topology
    assert (found.lstm, found.projection, found.framewise) == ((1024, 1024), 512, True)
    gated = resized(task, None, None, None, False, gru=True).topology
    assert (gated.lstm, gated.gru, gated.framewise) == ((), (256,), True)
    with pytest.raises(UnsupportedError, match=r"^projection needs an LSTM layer"):
        resized(task, None, None, 512, False, gru=True)
    with pytest.raises(UnsupportedError, match=r"^the network of task 'digits' has no recurrent layer; units, layers"):
        resized(task_named("digits"), 8, None, None, False)


def test_digits_are_exact_in_four_fractional_bits() -> None:
    found = digits.load()
    sizes = {name: split.inputs.shape for name, split in found.splits.items()}
    assert sizes == {"train": (1079, 64), "validation": (269, 64), "test": (449, 64)}
    assert (found.train.inputs * 16 == np.rint(found.train.inputs * 16)).all() and found.train.inputs.max() == 1
    assert np.bincount(found.test.labels).min() > 30


def idx(path: Path, array: npt.NDArray[np.uint8], code: bytes = b"\0\0\x08") -> None:
    sizes = np.array(array.shape, ">u4").tobytes()
    path.write_bytes(gzip.compress(code + bytes([array.ndim]) + sizes + array.tobytes()))


@pytest.fixture
def clothes(tmp_path: Path) -> Path:
    """A small Fashion-MNIST in the format of the package."""
    folder = tmp_path / "fashion-mnist"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for split, count in (("train", 20), ("t10k", 6)):
        idx(folder / f"{split}-images-idx3-ubyte.gz", rng.integers(0, 256, (count, 28, 28), dtype=np.uint8))
        idx(folder / f"{split}-labels-idx1-ubyte.gz", (np.arange(count) % 10).astype(np.uint8))
    return folder


def test_pictures_become_vectors_of_exact_fractions(tmp_path: Path, clothes: Path) -> None:
    found = fashion_mnist.load(tmp_path)
    assert found.train.inputs.shape == (18, 784) and found.test.labels.tolist() == list(range(6))
    assert found.validation.labels.tolist() == [8, 9]
    pixels = fashion_mnist.read_idx(clothes / "train-images-idx3-ubyte.gz")
    known = np.concatenate([found.train.inputs, found.validation.inputs])
    assert (known.reshape(20, 28, 28) * 256 == pixels).all()


def test_damaged_pictures_are_refused(clothes: Path) -> None:
    path = clothes / "train-labels-idx1-ubyte.gz"
    whole = gzip.decompress(path.read_bytes())
    for content, message in (
        (gzip.compress(b"\0\0\x0d\1" + whole[4:]), "begins with 00000d01; an IDX file of bytes begins with 000008"),
        (gzip.compress(whole[:-1]), r"holds 19 bytes for an array of shape \(20,\); it is cut short .*"),
        (gzip.compress(whole[:6]), r"holds 0 bytes for an array of shape \(\); it is cut short .*"),
        (b"plain", "is not a gzip file .*: remove the folder .*fashion-mnist and fetch it again"),
    ):
        path.write_bytes(content)
        with pytest.raises(FormatError, match=f"^train-labels-idx1-ubyte.gz {message}$"):
            fashion_mnist.read_idx(path)


def speech() -> Dataset:
    """Ten utterances of three phones; each phone has one value in all six features."""
    rng = np.random.default_rng(3)
    labels = [rng.permutation([3, 7, festvox_ru.PHONES.index("pau")]).repeat(8) for _ in range(10)]
    frames = [(rng.normal(0, 0.1, (24, 6)) + part[:, None] / 10).astype(np.float32) for part in labels]
    return festvox_ru.assembled(frames, labels, chunk=16)


def small_digits() -> Dataset:
    found = digits.load()
    part = slice(0, 256)
    return replace(found, train=found.train.taken(part), test=found.test.taken(part))


def run(command: click.Command, *words: object) -> Any:
    result = CliRunner().invoke(command, [str(word) for word in words])
    if result.exception is not None:
        raise result.exception
    return json.loads(result.stdout.splitlines()[-1])


def test_frame_wise_speech_through_all_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(data.LOADERS, "festvox-ru", speech)
    found = run(commands.data, "--task", "festvox-ru", "--json")
    assert found["remark"] == "one speaker, Russian, machine-aligned labels" and found["classes"] == 51
    first, second = tmp_path / "dense.keras", tmp_path / "int4.keras"
    size = ["--units", 8, "--projection", 6, "--epochs", 2]
    found = run(commands.train, "--task", "festvox-ru", "--out", first, *size, "--json")
    assert found["task"] == "festvox-ru" and found["remark"] == "one speaker, Russian, machine-aligned labels"
    rates = {"accuracy", "non_pause_accuracy", "phone_error_rate", "viterbi_phone_error_rate"}
    assert set(found["figures"]["dense"]) == rates and provenance.decoder_path(first).is_file()
    plan = ["--weights", "int4", "--density", 0.5, "--pes", 2, "--prune-epochs", 2, "--tune-epochs", 1]
    found = run(commands.compress, first, "--out", second, *plan, "--json")
    assert list(found["figures"]) == ["dense", "pruned", "quantized"]
    assert set(found["figures"]["quantized"]) == rates and str(tmp_path / "int4.decoder.json") in found["files"]
    assert decoding.read(provenance.decoder_path(second)).phones == 51
    assert set(found["density"]) == {f"lstm/{name}kernel" for name in ("", "recurrent_", "projection_")} | {
        "dense/kernel"
    }
    task = TASKS["festvox-ru"]
    assert task.tune.dropout is not None
    assert topology_of(load(second)) == replace(task.topology, lstm=(8,), projection=6, dropout=task.tune.dropout)
    with np.load(provenance.testset_path(second), allow_pickle=False) as arrays:
        shapes = {name: arrays[name].shape for name in arrays}
    assert shapes == {
        "inputs": (2, 29, 6),
        "steps": (2,),
        "frame_labels": (2, 29),
        "keras_predictions": (2, 29, 51),
    }


def test_vectors_through_all_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(data.LOADERS, "digits", small_digits)
    first, second = tmp_path / "dense.keras", tmp_path / "ternary.keras"
    provenance.decoder_path(first).write_text("of an earlier model of this name")
    found = run(commands.train, "--task", "digits", "--out", first, "--epochs", 12, "--json")
    assert found["remark"] == "" and found["figures"]["dense"] == {"accuracy": found["accuracy"]["dense"]["test"]}
    assert found["accuracy"]["dense"]["test"] > 0.6 and not provenance.decoder_path(first).exists()
    found = run(
        commands.compress, first, "--out", second, "--density", 0.4, "--prune-epochs", 8, "--tune-epochs", 4, "--json"
    )
    assert found["accuracy"]["quantized"]["test"] > 0.5
    assert provenance.read(second).to_json()["data"]["name"] == "digits"
    with np.load(provenance.testset_path(second), allow_pickle=False) as arrays:
        assert arrays["inputs"].shape == (256, 1, 64) and arrays["keras_predictions"].shape == (256, 10)
        assert set(arrays) == {"inputs", "lengths", "labels", "keras_predictions"}


def test_splits_and_sets_that_do_not_fit_are_refused() -> None:
    values, lengths = np.zeros((2, 3, 4), np.float32), np.array([3, 3])
    with pytest.raises(FormatError, match=r"^labels have shape \(2, 2\); expected \(2,\) or \(2, 3\)$"):
        Split(values, lengths, np.zeros((2, 2), np.int64))
    with pytest.raises(FormatError, match=r"^a split has 2 labels, inputs of shape \(2, 3, 4\) and lengths of"):
        Split(values, np.array([3, 3, 3]), np.zeros(2, np.int64))
    with pytest.raises(FormatError, match=r"^padded is 'both'; 'front' or 'end' is allowed$"):
        Split(values, lengths, np.zeros(2, np.int64), "both")
    plain, frames = (Split(values, lengths, np.full(shape, NO_LABEL)) for shape in ((2,), (2, 3)))
    Dataset("x", frames, frames, frames, ("a",))
    with pytest.raises(FormatError, match=r"^x: labels range from -1 to 0; there are 1 classes$"):
        Dataset("x", frames, frames, plain, ("a",))
    with pytest.raises(UnsupportedError, match=r"^recipe has crop 0\.2, but only sequences with one label each"):
        fit(None, frames, Recipe(1, 1e-3, crop=0.2), np.random.default_rng(0))


def test_a_recipe_says_how_much_a_network_drops() -> None:
    rng = np.random.default_rng(0)
    values = rng.standard_normal((16, 4)).astype(np.float32)
    split = Split(values, np.ones(16, np.int64), np.arange(16) % 2)
    starts = [rng.standard_normal(shape).astype(np.float32) for shape in ((4, 5), (5, 2))]
    own, none = Recipe(2, 1e-2, 8), Recipe(2, 1e-2, 8, dropout=0.0)
    found = []
    for dropout, recipe in ((0.0, own), (0.5, none), (0.5, own)):
        model = network(Topology(dense=(5,), dropout=dropout), features=4, outputs=2)
        for kernel, start in zip(kernels(model).values(), starts, strict=True):
            kernel.assign(start)
        fit(model, split, recipe, np.random.default_rng(0))
        found.append(kernels(model)["dense2/kernel"].numpy())
    assert (found[0] == found[1]).all() and (found[0] != found[2]).any()
    with pytest.raises(UnsupportedError, match=r"^recipe has dropout 1\.0; 0 or more, below 1 is allowed$"):
        Recipe(1, 1e-3, dropout=1.0)


@pytest.mark.network
def test_the_published_pictures() -> None:
    found = fashion_mnist.load()
    sizes = {name: split.inputs.shape for name, split in found.splits.items()}
    assert sizes == {"train": (54000, 784), "validation": (6000, 784), "test": (10000, 784)}
    known = np.concatenate([found.train.labels, found.validation.labels])
    assert np.bincount(known).tolist() == [6000] * 10


@pytest.mark.slow
def test_own_labels_of_frames_get_a_decoder_if_it_is_asked_for(tmp_path: Path) -> None:
    source, model = speech(), tmp_path / "own.keras"
    arrays: dict[str, Any] = {}
    for suffix, split in {"": source.train, "_validation": source.validation, "_test": source.test}.items():
        arrays |= {f"x{suffix}": split.inputs, f"y{suffix}": split.labels}
    np.savez(tmp_path / "own.npz", **arrays)
    words = ["--data", tmp_path / "own.npz", "--units", 4, "--epochs", 1, "--out", model, "--json"]
    found = run(commands.train, *words)
    assert set(found["figures"]["dense"]) == {"accuracy"} and not provenance.decoder_path(model).exists()
    found = run(commands.train, *words, "--decode")
    assert {"phone_error_rate", "viterbi_phone_error_rate"} < set(found["figures"]["dense"])
    decoder = decoding.read(provenance.decoder_path(model))
    pause = festvox_ru.PHONES.index("pau")  # the largest label of the file
    assert (decoder.phones, decoder.delay, decoder.minimum) == (pause + 1, festvox_ru.DELAY, 3)
    del arrays["x_validation"], arrays["y_validation"]
    np.savez(tmp_path / "own.npz", **arrays)
    with pytest.raises(FormatError, match=r"has no x_validation and y_validation; a decoder is tuned on samples that"):
        run(commands.compress, model, "--data", tmp_path / "own.npz", "--out", tmp_path / "c.keras", "--decode")
