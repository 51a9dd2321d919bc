# SPDX-License-Identifier: Apache-2.0
"""Settings for all tests: hypothesis without deadlines and with fixed examples, so that a run repeats; order."""

from __future__ import annotations

import gc
import os
import resource
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from importlib.util import find_spec

import pytest
from hypothesis import settings

# Two workers share the cores; more threads in each of them would only wait for each other.
for _name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

settings.register_profile("fixed", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("fixed")

LONGEST = (
    "end2end/test_vowels.py",
    "rtl/count/test_count.py",
    "rtl/engine/test_whole_engine.py",
    "rtl/engine/test_ese_layer_in_rtl.py",
    "rtl/engine/test_skip_in_rtl.py",
    "models/training/test_compress.py",
    "hls/emulate/test_engine.py",
    "cpp/test_headers.py",
    "hls/emulate/test_skip.py",
    "end2end/test_hard_model.py",
    "models/training/test_tasks.py",
    "fuzz/test_folders.py",
    "fuzz/test_images.py",
    "hls/build/test_rtl_flow.py",
    "rtl/simulate/test_simulator.py",
    "rtl/engine/test_mutations.py",
    "hls/lower/test_host_operations.py",
    "hls/lower/test_programs.py",
    "host/device/test_reopening.py",
    "host/bundle/test_budgets.py",
    "hls/lower/test_convert.py",
    "hls/build/test_build.py",
    "hls/build/test_bambu.py",
)
"""Modules of more than 15 seconds. A module runs in one worker, which makes its fixtures and engines once; when the
long ones start first, both workers end at about the same time."""


@pytest.fixture(scope="session", autouse=True)
def engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One folder for the engines that all workers of a run compile (support/compiled_engine.py), and one for state."""
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "engines"
    folder.mkdir(exist_ok=True)
    os.environ["ESE4ML_TEST_ENGINES"] = str(folder)
    # The record of builds, so that a test reads and writes none of the user who runs it.
    os.environ["XDG_STATE_HOME"] = str(folder.parent / "state")
    context: AbstractContextManager[None] = nullcontext()
    if find_spec("hls4ml") is not None:  # the tests of the host run without it, too
        from support import compiling

        context = compiling.installed(folder)
    with context:
        yield


def pytest_collection_finish() -> None:
    """Leave all that importing has made out of the search for garbage: it stays, and is most of what there is."""
    gc.collect()
    gc.freeze()


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
