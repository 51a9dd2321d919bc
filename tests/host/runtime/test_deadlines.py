# SPDX-License-Identifier: Apache-2.0
"""A packet's deadline follows from its work, and large batches are cut so that no deadline becomes too long."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_design import DRIVERS, codes, expected, image_words, small_design

from ese_host.device.emulated.faults import Faults, PacketFault
from ese_host.errors import DeviceError, FormatError
from ese_host.image import parse
from ese_host.runtime import pace
from ese_host.runtime.accelerator import Accelerator
from ese_host.runtime.pace import Pace
from ese_host.runtime.pool import EnginePool


def test_a_deadline_grows_with_the_work() -> None:
    image = parse(image_words(small_design()), small_design())
    slow, fast = Pace.of_board(image, 1.0, None), Pace.of_board(image, 100.0, None)
    assert slow.step_seconds == pytest.approx(100 * fast.step_seconds)
    assert fast.seconds(0) == pace.BASE_SECONDS < fast.seconds(1000) < fast.seconds(1000, 65535)
    assert fast.seconds(0, 65535) > pace.BASE_SECONDS + 65535 * pace.step_cycles(image) / 100e6
    assert slow.most_steps < fast.most_steps
    assert Pace.of_board(image, 100.0, 0.5).seconds(10**6, 10**6) == 0.5


def test_emulation_is_measured_but_a_held_up_load_does_not_count() -> None:
    design = small_design()
    image = parse(image_words(design), design)
    usual, busy, held_up = (Pace.of_emulation(image, design, seconds, None) for seconds in (1e-4, 2e-3, 60))
    assert usual.step_seconds < busy.step_seconds < held_up.step_seconds <= 10.001 * usual.step_seconds


def test_a_simulated_clock_may_take_longer_than_an_iteration_of_the_cpp() -> None:
    design = small_design()
    image = parse(image_words(design), design)
    simulated, emulated = Pace.of_simulation(image, design, None), Pace.of_emulation(image, design, 1e-4, None)
    assert simulated.step_seconds > emulated.step_seconds
    assert simulated.seconds(1000) > emulated.seconds(1000) > pace.BASE_SECONDS == simulated.seconds(0)
    assert Pace.of_simulation(image, design, 0.5).seconds(10**6, 10**6) == 0.5


def test_a_million_sequences_and_the_longest_one_run_by_default(folder: Path) -> None:
    short, long = np.tile(codes(1000, 1), (1000, 1, 1)), codes(1, 65535)
    with Accelerator(folder, driver="adapter") as engine:
        results = list(engine.stream(short))
        assert max(len(result.steps) for result in results) * 2 <= engine._pace.most_steps
        np.testing.assert_array_equal(results[0].outputs[:1000], expected(short[:1000], results[0].frac))
        assert sum(len(result.steps) for result in results) == len(short)
        found = engine.run(long)
        np.testing.assert_array_equal(found.outputs, expected(long, found.frac))


@pytest.mark.parametrize("driver", DRIVERS)
def test_the_users_timeout_wins_and_the_message_names_it(folder: Path, driver: Any) -> None:
    faults, long = Faults(), codes(1, 65535)
    with (
        Accelerator(folder, driver=driver, faults=faults, timeout=0.15) as own,
        Accelerator(folder, driver="adapter", faults=faults) as other,
        EnginePool([other]) as pool,
    ):
        calls: list[Callable[[], object]] = [
            lambda: own.run(long),
            lambda: other.run(long, timeout=0.15),
            lambda: list(other.stream(long, timeout=0.15)),
            lambda: asyncio.run(other.run_async(long, timeout=0.15)),
            lambda: pool.run(long, timeout=0.15),
        ]
        for call in calls:
            for engine in (own, other):
                engine.reset()
            faults.packets = [PacketFault(swallow=True)]
            begun = time.monotonic()
            with pytest.raises(DeviceError, match=r"within 0\.15 s: .* timeout= in Python or the command's --timeout;"):
                call()
            assert time.monotonic() - begun < 2


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), float("inf"), 1e7, "5", True])
def test_a_timeout_that_is_none_is_refused(folder: Path, timeout: Any) -> None:
    with pytest.raises(FormatError, match=r"the timeout is .*; a number of seconds is expected"):
        Accelerator(folder, driver="adapter", timeout=timeout)
    with Accelerator(folder, driver="adapter") as engine:
        with pytest.raises(FormatError, match="the timeout is"):
            engine.run(codes(1, 1), timeout=timeout)
        engine.run(codes(1, 1), timeout=5)


def test_a_hung_engine_is_not_waited_for_long(folder: Path) -> None:
    """A short packet gets little more than the seconds that every packet gets, whatever the emulation measured."""
    with Accelerator(folder, driver="adapter") as engine:
        slowest = Pace.of_emulation(engine.image, engine.folder.manifest.design, 60.0, None)
        for steps in (1, 30, 100):
            assert slowest.seconds(1000, 2 * steps) < pace.BASE_SECONDS + 2
        assert slowest.seconds(0, slowest.most_steps) <= pace.BASE_SECONDS + pace.PACKET_SECONDS
