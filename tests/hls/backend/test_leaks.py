# SPDX-License-Identifier: Apache-2.0
"""Many conversions in one process leak no memory, open file, loaded library, file or folder."""

from __future__ import annotations

import gc
import resource
import tempfile
from pathlib import Path

import numpy as np
import pytest

from support.keras_models.plugin_models import classifier, convert, inputs

PAGE_MB = resource.getpagesize() / 2**20


def memory_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_MB


def held() -> tuple[set[str], int]:
    """The emulators that are mapped into this process, and the number of files that it has open."""
    gc.collect()
    maps = {line.split()[-1] for line in Path("/proc/self/maps").read_text().splitlines() if "emulator-" in line}
    return maps, len(list(Path("/proc/self/fd").iterdir()))


def convert_and_run(folder: Path, times: int) -> list[float]:
    """Memory in MB after each of some conversions into one folder."""
    model = classifier()
    x = inputs(model, samples=4)
    expected = model.predict(x, verbose=0)
    found = []
    for _ in range(times):
        graph = convert(model, folder / "out", PEs=1)
        graph.compile()
        assert np.abs(graph.predict(x) - expected).max() < 1e-6
        del graph
        gc.collect()
        found.append(memory_mb())
    return found


def check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, times: int) -> list[float]:
    temporary, here = tmp_path / "tmp", tmp_path / "here"
    temporary.mkdir()
    here.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.chdir(here)
    convert_and_run(tmp_path, 1)
    before = held()
    found = convert_and_run(tmp_path, times)
    assert held() == before
    assert Path.cwd() == here
    assert not list(here.iterdir()) and not list(temporary.iterdir())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["here", "out", "tmp"]
    assert len(list((tmp_path / "out").glob("emulator-*.so"))) == 1
    return found


def test_conversions_leave_no_library_file_or_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check(tmp_path, monkeypatch, 1)


@pytest.mark.slow
def test_memory_of_twenty_conversions_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = check(tmp_path, monkeypatch, 20)
    assert found[-1] - found[4] < 15, found


def test_a_graph_compiled_again_runs(tmp_path: Path) -> None:
    model = classifier()
    graph = convert(model, tmp_path / "out", PEs=1)
    x = inputs(model)
    graph.compile()
    first = graph.predict(x)
    graph.compile()
    assert np.array_equal(first, graph.predict(x))
