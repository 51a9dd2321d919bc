"""Settings for all tests: hypothesis without deadlines and with fixed examples, so that a run repeats; order."""

from __future__ import annotations

import os
import resource
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
from hypothesis import settings

settings.register_profile("fixed", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("fixed")

LONGEST = (
    "end2end/test_vowels.py",
    "rtl/count/test_count.py",
    "rtl/engine/test_whole_engine.py",
    "rtl/engine/test_ese_layer_in_rtl.py",
    "models/training/test_compress.py",
    "hls/emulate/test_engine.py",
    "cpp/test_headers.py",
    "hls/emulate/test_skip.py",
    "benchmarks/study/test_study_training.py",
    "end2end/test_hard_model.py",
    "models/quantizers/test_learned_quantizers.py",
    "models/training/test_tasks.py",
    "fuzz/test_folders.py",
    "fuzz/test_images.py",
    "hls/build/test_rtl_flow.py",
    "rtl/simulate/test_simulator.py",
    "rtl/engine/test_mutations.py",
)
"""Modules of more than 15 seconds. A module runs in one worker, which makes its fixtures and engines once; when the
long ones start first, both workers end at about the same time."""


@pytest.fixture(scope="session", autouse=True)
def engines(tmp_path_factory: pytest.TempPathFactory) -> None:
    """One folder for the engines that all workers of a run compile (support/compiled_engine.py), and one for state."""
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "engines"
    folder.mkdir(exist_ok=True)
    os.environ["ESE4ML_TEST_ENGINES"] = str(folder)
    # The record of builds, so that a test reads and writes none of the user who runs it.
    os.environ["XDG_STATE_HOME"] = str(folder.parent / "state")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest modules first."""

    def rank(item: pytest.Item) -> int:
        path = item.path.as_posix()
        return next((place for place, name in enumerate(LONGEST) if path.endswith(f"/tests/{name}")), len(LONGEST))

    items.sort(key=rank)


@contextmanager
def _largest_file(size: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
def largest_file() -> Callable[[int], AbstractContextManager[None]]:
    """Context in which no file can grow beyond a number of bytes, here or in a child process: as on a full disk."""
    return _largest_file
