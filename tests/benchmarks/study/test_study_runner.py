# SPDX-License-Identifier: Apache-2.0
"""Cells, their store and the runner: stable keys, whole files, resumption, failures, and three joblib back ends."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import joblib
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.study.cell import STAGES, StudyCell, with_trunks
from benchmarks.study.runner import missing, run
from benchmarks.study.store import Store
from ese_host.errors import FormatError, MissingError, UnsupportedError

DENSE = StudyCell("digits", "dense", 3)
PRUNED = DENSE.then("pruned", 2, family="pe-balanced", density=0.1)
INT4 = PRUNED.then("quantized", 1, weights="int4")
TERNARY = PRUNED.then("quantized", 1, weights="ternary")


def execute(cell: StudyCell, store: Store) -> dict[str, Any]:
    """Stands for training: what a cell is made of, from what its trunk's file says."""
    made_of = [] if cell.trunk is None else store.model_path(cell.trunk).read_text().split()
    store.place(store.model_path(cell), lambda path: path.write_text(" ".join([*made_of, cell.stage])))
    if cell.option("fail", 0):
        raise ValueError("no such weight")
    return {"made_of": made_of, "seconds": {"epoch": 0.5}}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "study")


def cells() -> st.SearchStrategy[StudyCell]:
    return st.builds(
        lambda stage, task, epochs, seed, density, options: (
            StudyCell(task, "dense", epochs, seed)
            if stage == "dense"
            else StudyCell(task, "dense", 1).then(stage, epochs, seed=seed, density=density, options=options)
        ),
        st.sampled_from(STAGES),
        st.sampled_from(["digits", "festvox-ru"]),
        st.integers(1, 3),
        st.integers(0, 3),
        st.sampled_from([0.05, 0.1, 1.0]),
        st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 2)), unique_by=lambda o: o[0]).map(tuple),
    )


@given(cells(), cells())
def test_keys_tell_cells_apart_and_json_brings_them_back(first: StudyCell, second: StudyCell) -> None:
    assert (first.key == second.key) == (first == second)
    assert StudyCell.from_json(json.loads(json.dumps(first.to_json()))) == first


def test_keys_are_stable() -> None:
    # a changed key would throw away hours of training
    assert DENSE.key == "digits-dense-float-seed0-68197754bf"
    assert INT4.key == "digits-quantized-pe-balanced-0.1-int4-seed0-242d734232"


def test_trunks_come_first_and_once() -> None:
    assert with_trunks([INT4, TERNARY, DENSE])[:2] == [DENSE, PRUNED]
    assert sorted(cell.key for cell in with_trunks([INT4, TERNARY])) == sorted(
        cell.key for cell in (DENSE, PRUNED, INT4, TERNARY)
    )


def test_a_run_shares_trunks_and_a_second_one_does_nothing(store: Store) -> None:
    seen = []
    outcome = run([INT4, TERNARY], store, execute, progress=lambda cell, done: seen.append((cell, done)))
    assert outcome.done == [DENSE, PRUNED, INT4, TERNARY] and not outcome.failed and not outcome.waiting
    assert seen == [(cell, True) for cell in outcome.done]
    record = store.read(INT4)
    assert record["made_of"] == ["dense", "pruned"] and record["cell"] == INT4.to_json()
    assert set(record["seconds"]) == {"epoch", "elapsed", "processor"}
    assert run([INT4, TERNARY], store, execute).done == []
    assert sorted(path.suffix for path in store.folder.iterdir()) == [".json"] * 4 + [".keras"] * 4


def test_only_what_is_missing_runs_again(store: Store) -> None:
    run([INT4, TERNARY], store, execute)
    store.json_path(TERNARY).unlink()
    assert missing([INT4, TERNARY], store) == [TERNARY]
    store.json_path(DENSE).unlink()  # the finished cells do not need their trunk again
    assert missing([INT4, TERNARY], store) == [DENSE, TERNARY]


def test_the_dearest_cells_of_a_level_start_first(store: Store) -> None:
    others = [replace(DENSE, seed=seed) for seed in range(4)]
    costs = dict(zip(others, (1.0, 4.0, 2.0, 3.0), strict=True))
    assert run(others, store, execute, costs=costs).done == [others[i] for i in (1, 3, 2, 0)]


def test_a_failed_cell_stops_its_children_alone_and_is_tried_again(store: Store) -> None:
    assert PRUNED.trunk is not None
    bad = PRUNED.trunk.then("pruned", 2, family="magnitude", density=0.1, options=(("fail", 1),))
    child = bad.then("quantized", 1, weights="int4")
    outcome = run([child, INT4], store, execute)
    assert outcome.failed == {bad: "ValueError: no such weight"} and outcome.waiting == [child]
    assert outcome.done == [DENSE, PRUNED, INT4]
    text = (store.folder / f"{bad.key}.error.txt").read_text()
    assert text.startswith("Traceback") and text.strip().endswith("ValueError: no such weight")
    assert missing([child], store) == [bad, child]


@pytest.mark.parametrize("backend", ["loky", "dask"])
def test_cells_run_in_other_processes(store: Store, backend: str) -> None:
    cells = [replace(DENSE, seed=seed).then("pruned", 1, family="magnitude", density=0.5) for seed in range(3)]
    if backend == "loky":
        with joblib.parallel_config(backend="loky", n_jobs=2, inner_max_num_threads=1):
            outcome = run(cells, store, execute)
    else:
        distributed = pytest.importorskip("distributed")
        with (
            distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
            distributed.Client(cluster),
            joblib.parallel_config(backend="dask"),
        ):
            outcome = run(cells, store, execute)
    assert len(outcome.done) == 6 and not outcome.failed
    assert {cell.depth for cell in outcome.done[:3]} == {0}
    assert all(store.read(cell)["made_of"] == ["dense"] for cell in cells)


def test_files_that_are_not_the_cell_s_are_refused(store: Store) -> None:
    with pytest.raises(
        MissingError, match=r"^digits-dense-float-seed0-\w+\.json is not in .*study; `ese4ml study run`"
    ):
        store.read(DENSE)
    store.write(DENSE, {})
    store.json_path(DENSE).rename(store.json_path(INT4))
    with pytest.raises(FormatError, match=r"is the result of another cell; remove it and run the study again$"):
        store.read(INT4)
    store.json_path(INT4).write_text("{")
    with pytest.raises(FormatError, match=r"json is not JSON: .*; remove it and run the study again$"):
        store.read(INT4)
    store.json_path(INT4).write_text("[]")
    with pytest.raises(FormatError, match=r"json has format \[\]; expected 1: remove it and run the study again$"):
        store.read(INT4)


def test_an_interrupted_write_leaves_nothing(store: Store) -> None:
    def half(path: Path) -> None:
        path.write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.place(store.json_path(DENSE), half)
    assert list(store.folder.iterdir()) == []


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: StudyCell("digits", cast(Any, "frozen"), 1),
            r"^stage is 'frozen'; allowed: dense, dsd, pruned, quantized$",
        ),
        (lambda: StudyCell("digits", "dense", 0), r"^dense cell: epochs 0, seed 0, density 1\.0; epochs must "),
        (
            lambda: StudyCell("digits", "pruned", 1),
            r"^a pruned cell has no trunk; only a dense one starts from random ",
        ),
        (
            lambda: DENSE.then("pruned", 1, network="wide"),
            r"^cell of digits 'wide' starts from digits ''; both must have the same layers$",
        ),
    ],
)
def test_unsound_cells_are_refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises(UnsupportedError, match=message):
        make()
    with pytest.raises(
        FormatError, match=r"^\{'task': 1\} does not describe a cell of the study \('trunk'\); train it again$"
    ):
        StudyCell.from_json({"task": 1})
