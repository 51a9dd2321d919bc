# SPDX-License-Identifier: Apache-2.0
"""Opening a design again and again leaves no loaded library, open file, thread or temporary file, and no memory."""

from __future__ import annotations

import gc
import os
import resource
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_design import DRIVERS, codes, expected

from ese_host.device import Deadline, poll
from ese_host.device.emulated.engine import EmulatedEngine
from ese_host.device.emulated.faults import Faults, PacketFault
from ese_host.errors import DeviceError, EseError
from ese_host.files.hashing import Contents
from ese_host.protocol.packets import reset_packet
from ese_host.runtime.accelerator import Accelerator

TIMES = [10, pytest.param(1000, marks=[pytest.mark.slow, pytest.mark.timeout(1800)])]
WARM = 10
"""Openings before the first measurement, after which allocators and caches have grown to their size."""
PAGE_MB = resource.getpagesize() / 2**20


def libraries() -> int:
    """Number of mappings of emulated bitstreams that this test has loaded, from its own folder of temporary files."""
    name = f"{tempfile.gettempdir()}/ese4ml-"
    return sum(name in line for line in Path("/proc/self/maps").read_text().splitlines())


def threads() -> int:
    """Number of threads that this test has started and that have not ended."""
    return len(set(threading.enumerate()) - EARLIER)


EARLIER: set[threading.Thread] = set()
"""Threads of earlier tests, whose engines may still hang."""


def held() -> dict[str, int]:
    """What this process holds, once the threads of closed engines have ended."""
    gc.collect()
    poll(lambda: threads() == 0 and libraries() == 0, Deadline(5.0))
    return {
        "libraries": libraries(),
        "threads": threads(),
        "open files": len(os.listdir("/proc/self/fd")),  # noqa: PTH208 - an iterator would hold a descriptor
        "temporary files": len(list(Path(tempfile.gettempdir()).iterdir())),
    }


def check(once: Callable[[], None], times: int) -> None:
    """Check that doing something many times leaves nothing behind and takes no memory."""

    def memory_mb(repeats: int) -> float:
        for number in range(repeats):
            once()
            if number % 10 == 9:  # pynq's overlays are cycles
                gc.collect()
        return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_MB

    first = memory_mb(WARM)
    before = held()
    grown = memory_mb(times) - first
    after = held()
    # Less is no leak: garbage of earlier tests may be collected meanwhile.
    assert all(after[name] <= before[name] for name in before), (before, after)
    assert before["libraries"] == 0 and before["temporary files"] == 0
    # pynq's allocations grow in one step of some 35 MB, whenever that comes; a leak grows with every opening.
    assert grown < 64, f"{grown} MB after {times} times"


@pytest.fixture(autouse=True)
def own_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    EARLIER.clear()
    EARLIER.update(threading.enumerate())


@pytest.fixture(params=DRIVERS)
def driver(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.mark.parametrize("times", TIMES)
def test_accelerators(folder: Path, driver: Any, times: int) -> None:
    inputs = codes(2, 2)

    def once() -> None:
        with Accelerator(folder, driver=driver) as engine:
            result = engine.run(inputs)
        np.testing.assert_array_equal(result.outputs, expected(inputs, result.frac))

    check(once, times)


@pytest.mark.parametrize("times", TIMES)
def test_an_accelerator_configured_again(folder: Path, driver: Any, times: int) -> None:
    faults = Faults()
    damaged = PacketFault(answer=lambda words: words[1:])
    with Accelerator(folder, driver=driver, faults=faults) as engine:

        def once() -> None:
            engine.configure()
            faults.packets = [damaged]
            with pytest.raises(DeviceError, match="damaged in flight"):
                engine.run(codes(1, 1))

        for _ in range(WARM):
            once()
        engine.configure()
        gc.collect()
        poll(lambda: threads() == 1, Deadline(5.0))
        before = libraries()
        for _ in range(times):
            once()
        engine.configure()
        gc.collect()
        assert poll(lambda: threads() == 1 and libraries() == before, Deadline(5.0))
    assert held()["libraries"] == 0


FAILURES: dict[str, Callable[[], Faults]] = {
    "another design": lambda: Faults(registers={0x10: 42}),
    "another protocol": lambda: Faults(registers={0x60: 1}),
    "no memory": lambda: Faults(no_memory=True),
    "hanging engine": lambda: Faults(packets=[PacketFault(hang=60)]),
}


@pytest.mark.parametrize("times", TIMES)
def test_openings_that_fail(folder: Path, driver: Any, times: int) -> None:
    failures = list(FAILURES.values())

    def once() -> None:
        failures.append(failures.pop(0))
        with pytest.raises(EseError):
            Accelerator(folder, driver=driver, faults=failures[0](), timeout=0.01)

    check(once, times)


@pytest.mark.parametrize("times", TIMES)
def test_engines_without_a_board(library: Path, tmp_path: Path, times: int) -> None:
    broken, other = tmp_path / "broken.so", tmp_path / "other.so"
    data = library.read_bytes()
    broken.write_bytes(data[:4] + bytes(4096))
    other.write_bytes(data.replace(b"ese_packet", b"ese_pocket"))

    def once() -> None:
        with EmulatedEngine(Contents.of(library)) as engine:
            engine.packet(reset_packet(), 9)
        EmulatedEngine(Contents.of(library))  # never closed
        for path in (broken, other):
            with pytest.raises(DeviceError, match="cannot be loaded on this machine"):
                EmulatedEngine(Contents.of(path))

    check(once, times)
