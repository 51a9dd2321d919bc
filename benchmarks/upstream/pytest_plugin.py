# SPDX-License-Identifier: Apache-2.0
"""A pytest plugin that runs hls4ml's own tests with another backend in place of Vitis.

own_tests.py loads it with `-p benchmarks.upstream.pytest_plugin`. The test files are not changed: the value of their
parameter `backend` is replaced when they are collected, and one line of JSON is written for each test.
"""

from __future__ import annotations

import json
import random
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from ese_host.errors import CapacityError, UnsupportedError

REPLACED = ("Vitis", "Vivado")
"""Backends that are replaced: of each test function, the first of these that it has."""
BACKENDS = (*REPLACED, "Quartus", "oneAPI", "Catapult")
DETAILS = ("Mismatched elements", "Max absolute difference")


class StandIn(str):
    """A backend's name that also equals the name it stands for, so that tests take the branch of that backend."""

    stands_for: str

    def __new__(cls, name: str, stands_for: str) -> StandIn:
        stand_in = super().__new__(cls, name)
        stand_in.stands_for = stands_for
        return stand_in

    def __eq__(self, other: object) -> bool:
        return str(self) == other or self.stands_for == other

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(self.stands_for)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the plugin's options."""
    group = parser.getgroup("own tests")
    group.addoption("--own-backend", default="", help="backend to use instead; without it the tests keep theirs")
    group.addoption("--own-record", help="file to which one line of JSON is added for each test")
    group.addoption("--own-only", help="file of test ids, one in each line: run only these")
    group.addoption("--own-done", help="file of test ids, one in each line: leave these out")
    group.addoption(
        "--own-sample", type=int, default=0, help="most tests of each function, chosen at random; 0 for all"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Start recording, if a file is given."""
    if config.getoption("--own-record"):
        _add_missing_layers()
        config.pluginmanager.register(Recorder(config), "own-tests-recorder")


def _add_missing_layers() -> None:
    """Add layers of Keras 2 that Keras 3 lacks and that test files import, which could not be collected otherwise."""
    import keras

    if not hasattr(keras.layers, "ThresholdedReLU"):

        class ThresholdedReLU(keras.layers.Layer):  # type: ignore[misc]
            def __init__(self, theta: float = 1.0, **kwargs: Any) -> None:
                super().__init__(**kwargs)
                self.theta = theta

            def call(self, x: Any) -> Any:
                return x * keras.ops.cast(x > self.theta, x.dtype)

        keras.layers.ThresholdedReLU = ThresholdedReLU
        keras._tf_keras.keras.layers.ThresholdedReLU = ThresholdedReLU


def chosen_backend(items: list[Any], like: Any) -> str | None:
    """The backend to replace in the tests of one function; None if there is none."""
    same = [item for item in items if (item.path, item.originalname) == (like.path, like.originalname)]
    values = {backend_of(item) for item in same}
    return next((name for name in REPLACED if name in values), None)


def backend_of(item: Any) -> Any:
    """The backend among a test's parameters: `backend`, or part of a fixture's tuple; None if there is none."""
    params = item.callspec.params if hasattr(item, "callspec") else {}
    tuples = [value for value in params.values() if isinstance(value, tuple)]
    return params.get("backend", next((part for value in tuples for part in value if part in BACKENDS), None))


def replace_backend(item: Any, name: str) -> None:
    """Replace the backend of a test."""
    params, stands_for = item.callspec.params, backend_of(item)
    for key, value in params.items():
        if key == "backend":
            params[key] = StandIn(name, stands_for)
        elif "backend" not in params and isinstance(value, tuple) and stands_for in value:
            params[key] = tuple(StandIn(name, stands_for) if part == stands_for else part for part in value)


def sampled(items: list[Any], size: int) -> list[Any]:
    """At most `size` tests of each function, the same on every call; all of them if `size` is 0."""
    functions: dict[str, list[Any]] = {}
    for item in items:
        functions.setdefault(f"{item.path.name}::{item.originalname}", []).append(item)
    taken: list[Any] = []
    for name, group in functions.items():
        few = random.Random(name).sample(group, min(size, len(group))) if size else group  # noqa: S311
        taken += [item for item in group if item in few]
    return taken


class Recorder:
    """Chooses tests, replaces their backends, and writes their results."""

    def __init__(self, config: pytest.Config) -> None:
        self.backend: str = config.getoption("--own-backend")
        self.path = Path(config.getoption("--own-record"))
        self.sample: int = config.getoption("--own-sample")
        only, done = config.getoption("--own-only"), config.getoption("--own-done")
        self.only = set(Path(only).read_text(encoding="utf-8").splitlines()) if only else None
        self.converted = False
        self.done = set(Path(done).read_text(encoding="utf-8").splitlines()) if done else set()

    def write(self, item: Any, outcome: str, message: str = "", seconds: float = 0.0) -> None:
        """Add the result of a test to the record.

        Args:
            item: the test.
            outcome: one of own_tests.OUTCOMES.
            message: first line of the error or reason.
            seconds: time of the test.
        """
        record = {"file": item.path.name, "function": item.originalname, "id": item.nodeid, "backend": self.backend}
        record |= {"outcome": outcome, "message": message, "seconds": round(seconds, 2)}
        with self.path.open("a", encoding="utf-8") as out:
            out.write(json.dumps(record) + "\n")

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[Any]) -> None:
        """Keep the tests to run, with the backend replaced; record the others."""
        asked = [item for item in items if item.nodeid not in self.done]
        if self.only is not None:
            asked = [item for item in asked if item.nodeid in self.only]
        choice = {(item.path, item.originalname): chosen_backend(items, item) for item in asked}
        run = []
        for item in asked:
            wanted = choice[item.path, item.originalname]
            if backend_of(item) is None:
                self.write(item, "not applicable", "no parameter named backend")
            elif wanted is None:
                self.write(item, "not applicable", "for other backends than Vitis and Vivado")
            elif backend_of(item) == wanted:
                run.append(item)
        kept = sampled(run, self.sample)
        for item in run:
            if item not in kept:
                self.write(item, "not run", f"outside a random choice of {self.sample} of each function")
        if self.backend:
            for item in kept:
                replace_backend(item, self.backend)
        config.hook.pytest_deselected(items=[item for item in items if item not in kept])
        items[:] = kept

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Record a file that cannot be imported, or that skips all its tests, as one result."""
        if report.skipped and report.nodeid.endswith(".py") and report.nodeid not in self.done:
            assert isinstance(report.longrepr, tuple)
            self._write_file(report.nodeid, f"skipped by the file: {report.longrepr[2].removeprefix('Skipped: ')}")
        if report.failed and report.nodeid not in self.done:
            lines = [line[1:].strip() for line in report.longreprtext.splitlines() if line.startswith("E ")]
            self._write_file(report.nodeid, lines[-1] if lines else "import failed")

    def _write_file(self, name: str, message: str) -> None:
        record: dict[str, Any] = {"file": name, "function": "(import)", "id": name, "backend": self.backend}
        record |= {"outcome": "not applicable", "message": message, "seconds": 0.0}
        with self.path.open("a", encoding="utf-8") as out:
            out.write(json.dumps(record) + "\n")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self) -> None:
        """Seed the random numbers, and note whether the test converts with the backend."""
        import keras
        from hls4ml.backends import get_backend

        keras.utils.set_random_seed(0)
        self.converted = False
        if self.backend:
            backend = get_backend(self.backend)
            original = type(backend).create_initial_config

            def create_initial_config(*args: Any, **kwargs: Any) -> Any:
                self.converted = True
                return original(backend, *args, **kwargs)

            backend.create_initial_config = create_initial_config

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: Any, call: Any) -> Generator[None, Any, Any]:
        """Record the result of a test."""
        report = yield
        if report.skipped:
            self.write(item, "not applicable", f"skipped by the test: {call.excinfo.value}")
        elif report.failed and call.when != "teardown":
            error = call.excinfo.value
            refused = isinstance(error, (UnsupportedError, CapacityError))
            self.write(item, "refused" if refused else "failed", first_line(error), report.duration)
        elif report.passed and call.when == "call":
            if self.backend and not self.converted:
                self.write(item, "not applicable", "its conversion does not use its parameter backend")
            else:
                self.write(item, "passed", "", report.duration)
        return report


def first_line(error: BaseException) -> str:
    """An error in one line; for numpy's comparisons, the counts of mismatches."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [""]
    details = [line for line in lines if line.startswith(DETAILS)]
    text = "; ".join(details) if details else lines[0]
    return text if isinstance(error, (UnsupportedError, CapacityError)) else f"{type(error).__name__}: {text}"
