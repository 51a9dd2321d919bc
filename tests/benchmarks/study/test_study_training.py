# SPDX-License-Identifier: Apache-2.0
"""Cells really trained, on a tiny data set: stages, masks, load, storage; and the command that runs them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from benchmarks.study import cli, training
from benchmarks.study.cell import StudyCell
from benchmarks.study.outcome import keep, measured, save_posteriors
from benchmarks.study.runner import run
from benchmarks.study.store import Store
from benchmarks.study.training import train_cell, trial
from ese_host.errors import UnsupportedError
from ese_host.image.interleave import Interleave, entries_per_pe
from ese_models.data import Dataset, Split
from ese_models.decoding import LabelCounts, Settings, decoder_of
from ese_models.masking import stored_codes
from ese_models.masking.plan import matrices
from ese_models.networks.inspection import load
from ese_models.pruning import keep_per_pe
from ese_models.training import task_named

PES = 4
DENSE = StudyCell("japanese-vowels", "dense", 4, network="qlstmp-8")
PRUNED = DENSE.then(
    "pruned",
    2,
    family="pe-balanced",
    density=0.2,
    options=(("pes", PES), ("input_emphasis", 1.0), ("last_emphasis", 1.0)),
)
CODED = PRUNED.then("quantized", 1, weights="codebook4", options=PRUNED.options)
TASK = task_named("festvox-ru")
DSD = DENSE.then("dsd", 2, family="magnitude", density=0.6)


@pytest.fixture(scope="module")
def empty(tiny: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    store = Store(tmp_path_factory.mktemp("study"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "data_of", lambda _task: tiny)
        yield store


@pytest.fixture(scope="module")
def store(empty: Store) -> Store:
    outcome = run([CODED, DSD], empty, train_cell)
    assert outcome.failed == {} and len(outcome.done) == 4
    return empty


@pytest.mark.slow
def test_every_stage_is_measured_and_starts_from_its_trunk(store: Store) -> None:
    accuracy = {cell: store.read(cell)["metrics"]["accuracy"] for cell in (DENSE, PRUNED, CODED, DSD)}
    assert all(0 < value <= 1 for value in accuracy.values())
    pruned, coded = (load(store.model_path(cell)) for cell in (PRUNED, CODED))
    for name, weights in matrices(pruned).items():
        assert ((matrices(coded)[name] != 0) == (weights != 0)).all()
    assert all((weights != 0).all() for weights in matrices(load(store.model_path(DSD))).values())
    for cell in (DENSE, PRUNED, CODED, DSD):
        seconds = store.read(cell)["seconds"]
        assert 0 < seconds["epoch"] < seconds["processor"]


@pytest.mark.slow
def test_load_is_counted_on_the_codes(store: Store) -> None:
    counted = store.read(CODED)["load"]
    codes = stored_codes(load(store.model_path(CODED)))
    rows = {name: Interleave(len(array), PES) for name, array in codes.items()}
    entries = {
        name: entries_per_pe(array, rows[name], "codebook4", counted["gap_bits"]) for name, array in codes.items()
    }
    assert {name: kernel["entries_per_pe"] for name, kernel in counted["kernels"].items()} == {
        name: counts.tolist() for name, counts in entries.items()
    }
    whole = np.sum(list(entries.values()), axis=0)
    assert counted["imbalance"] == pytest.approx(whole.max() / whole.mean())
    for name, array in codes.items():
        kept = [int((array[rows[name].rows_of(pe)] != 0).sum()) for pe in range(PES)]
        keep = keep_per_pe(array.size, 0.2, PES)
        assert kept == [min(keep, len(rows[name].rows_of(pe)) * array.shape[1]) for pe in range(PES)], name
    assert counted["density"] == pytest.approx(0.2, abs=0.01) and store.read(DSD)["load"] == {}


@pytest.mark.slow
def test_storage_is_that_of_the_report(store: Store) -> None:
    sizes = {cell: store.read(cell)["storage"] for cell in (DENSE, PRUNED, CODED)}
    weights = sum(array.size for array in matrices(load(store.model_path(DENSE))).values())
    biases = 4 * 8 + 3 * 8 + 3  # gates, peepholes, classes
    assert sizes[DENSE]["original_bits"] == sizes[CODED]["original_bits"] == 32 * (weights + biases)
    assert sizes[DENSE]["rate_quantized"] < 1.1 < sizes[PRUNED]["rate_quantized"] < sizes[CODED]["rate_quantized"]


@pytest.mark.slow
def test_a_trained_cell_is_only_measured(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "train", None)
    again, before = train_cell(PRUNED, store), store.read(PRUNED)
    assert [again[name] for name in ("metrics", "samples", "validation", "load")] == [
        before[name] for name in ("metrics", "samples", "validation", "load")
    ]
    assert again["seconds"] == {} and not list(store.folder.glob("*.checkpoint.*"))


@pytest.mark.slow
def test_kept_copies_have_the_same_codes(store: Store, tmp_path: Path) -> None:
    kept = Store(tmp_path)
    assert keep(DENSE, store, kept) == [kept.json_path(DENSE)]
    assert keep(CODED, store, kept) == [kept.json_path(CODED), kept.model_path(CODED)]
    assert kept.read(CODED) == store.read(CODED)
    models = [load(place.model_path(CODED)) for place in (store, kept)]
    for name, codes in stored_codes(models[0]).items():
        np.testing.assert_array_equal(stored_codes(models[1])[name], codes)


def test_posteriors_can_be_decoded_without_the_network(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    lengths, labels = np.array([9, 12]), np.full((2, 12), -1)
    labels[0, :9], labels[1] = np.repeat([0, 1, 2], 3), np.repeat([2, 0, 1], 4)
    split = Split(np.zeros((2, 12, 1), np.float32), lengths, labels, "end")
    data = Dataset("three", split, split, split, ("a", "b", "c"))
    probabilities = rng.dirichlet(np.ones(3), (2, 12)).astype(np.float32)
    probabilities[0, 0] = (1, 0, 0)
    save_posteriors(tmp_path / "posteriors.npz", data, {"test": probabilities})
    with np.load(tmp_path / "posteriors.npz") as arrays:
        kept, steps = arrays["test"], arrays["test_lengths"]
    assert kept.dtype == np.float16 and np.isfinite(kept).all() and (steps == lengths).all()
    np.testing.assert_allclose(np.exp(kept.astype(np.float64)), probabilities, rtol=0.01, atol=1e-6)
    decoder = decoder_of(LabelCounts.of(split, 3), Settings())
    found = measured(TASK, probabilities, split, decoder)
    assert found["samples"]["phones"] == [3, 3] and len(found["samples"]["viterbi_errors"]) == 2
    assert found["metrics"]["viterbi_phone_error_rate"] == sum(found["samples"]["viterbi_errors"]) / 6


def test_a_trial_says_what_an_epoch_costs(empty: Store) -> None:
    cost = trial(DENSE)
    assert 0 < cost.epoch < cost.start


def test_unknown_networks_and_tasks_are_refused(empty: Store) -> None:
    message = r"^network is 'huge'; allowed: qlstmp-1024, qlstmp-8, or none for the task's$"
    with pytest.raises(UnsupportedError, match=message):
        train_cell(StudyCell("japanese-vowels", "dense", 1, network="huge"), empty)
    with pytest.raises(UnsupportedError, match=r"^task is 'mnist'; allowed: japanese-vowels, festvox-ru, "):
        train_cell(StudyCell("mnist", "dense", 1), empty)


def stand_in(cell: StudyCell, store: Store) -> dict[str, Any]:
    if cell.weights == "codebook4" and cell.seed == 1:
        raise ValueError("no such code")
    store.place(store.model_path(cell), lambda path: path.write_text(""))
    return {"load": {}}


def test_the_command_goes_on_where_it_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "execute", stand_in)
    words = ["run", "--results", str(tmp_path), "--grid", "tiny", "--question", "1", "--jobs", "1"]
    failed = CliRunner().invoke(cli.study, words).exception
    assert isinstance(failed, cli.StudyError)
    assert str(failed).startswith("1 cells failed and 0 wait for them. The first is digits-quantized-")
    assert "ValueError: no such code; see " in str(failed)
    monkeypatch.setattr(cli, "execute", lambda cell, _store: {"again": cell.seed})
    assert CliRunner().invoke(cli.study, words).stdout == "1 cells trained, 5 were done already\n"
    listed = json.loads(CliRunner().invoke(cli.study, ["list", *words[1:-2], "--json"]).stdout)
    assert all(row["done"] for row in listed["cells"]) and len(listed["cells"]) == 6
