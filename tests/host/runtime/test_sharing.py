# SPDX-License-Identifier: Apache-2.0
"""Threads, asyncio tasks and forked children that share one accelerator: right answers, or a refusal by name."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_design import DRIVERS, codes, expected, make_twins

from ese_host.device.emulated.faults import Faults, PacketFault
from ese_host.errors import DeviceError, MismatchError
from ese_host.ir import program
from ese_host.runtime.accelerator import Accelerator
from ese_host.runtime.pool import EnginePool
from ese_host.runtime.runner import run_program


@pytest.fixture(params=DRIVERS)
def driver(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def use(engine: Accelerator, number: int) -> bool:
    """Run other sequences in each way; whether every answer is right."""
    inputs = codes(2 + number % 5, 1 + number % 4, seed=number)
    result = engine.run(inputs)
    parts = [part.outputs for part in engine.stream(inputs, batch=1)]
    kept = engine.run(inputs, trace=True)
    if number % 4 == 0:
        engine.reset()
    later = asyncio.run(engine.run_async(inputs, batch=2))
    want = expected(inputs, result.frac)
    return all(
        np.array_equal(found, want) for found in (result.outputs, np.concatenate(parts), kept.outputs, later.outputs)
    )


def test_threads_share_an_accelerator(folder: Path, driver: Any) -> None:
    with Accelerator(folder, driver=driver) as engine, ThreadPoolExecutor(6) as threads:
        assert all(threads.map(use, [engine] * 60, range(60), timeout=60))


def test_threads_run_programs_of_several_chains(folder: Path) -> None:
    make_twins(folder)
    with Accelerator(folder, driver="adapter") as engine, ThreadPoolExecutor(4) as threads:

        def run_it(number: int) -> bool:
            inputs = codes(2, 3, seed=number)
            found, want = run_program(engine, inputs), program.run(engine.program, inputs)
            return np.array_equal(found.run.output().codes, want.output().codes)

        assert all(threads.map(run_it, range(20), timeout=60))
        # Calls that belong together: no other thread selects a chain between them.
        with engine.exclusive():
            waiting = threads.submit(engine.select, "two")
            engine.select("one")
            engine.run(codes(1, 1))
            assert not waiting.done()
        assert waiting.result(timeout=10)


def test_tasks_share_an_accelerator(folder: Path, driver: Any) -> None:
    inputs = [codes(count, 3, seed=count) for count in (1, 7, 2, 5)]

    async def together(engine: Accelerator) -> list[Any]:
        return list(await asyncio.gather(*(engine.run_async(item, batch=2) for item in inputs)))

    with Accelerator(folder, driver=driver) as engine:
        for item, result in zip(inputs, asyncio.run(together(engine)), strict=True):
            np.testing.assert_array_equal(result.outputs, expected(item, result.frac))


def test_what_would_wait_for_itself_is_refused(folder: Path, driver: Any) -> None:
    faults, inputs = Faults(), codes(2, 2)

    async def mixed(engine: Accelerator, use: Callable[[], Any]) -> None:
        task = asyncio.ensure_future(engine.run_async(inputs))
        await asyncio.sleep(0.02)
        with pytest.raises(DeviceError, match="a run_async of this thread has not ended"):
            use()
        result = await task
        np.testing.assert_array_equal(result.outputs, expected(inputs, result.frac))

    with Accelerator(folder, driver=driver, faults=faults) as engine:
        uses = [
            lambda: engine.run(inputs), engine.reset, engine.configure, lambda: engine.load(folder),
            lambda: next(engine.stream(inputs)), lambda: run_program(engine, inputs),
        ]  # fmt: skip
        for use in uses:
            faults.packets = [PacketFault(hang=0.1)]
            asyncio.run(mixed(engine, use))
        with engine.exclusive(), pytest.raises(DeviceError, match="call run there"):
            asyncio.run(engine.run_async(inputs))
        assert engine.run(inputs).steps.tolist() == [2, 2]


def test_a_failure_of_one_thread_is_not_an_answer_of_another(folder: Path, driver: Any) -> None:
    faults, inputs = Faults(), codes(3, 2)
    with Accelerator(folder, driver=driver, faults=faults, timeout=0.3) as engine, ThreadPoolExecutor(4) as threads:
        faults.packets = [PacketFault(swallow=True), None, PacketFault(lose_last=True)]
        errors = 0
        for future in [threads.submit(engine.run, inputs) for _ in range(12)]:
            try:
                result = future.result(timeout=20)
            except DeviceError:
                errors += 1
            else:
                np.testing.assert_array_equal(result.outputs, expected(inputs, result.frac))
    assert 1 <= errors <= 2


def test_closing_waits_for_the_calls_of_other_threads(folder: Path, driver: Any) -> None:
    faults, inputs = Faults(), codes(1, 2)
    with ThreadPoolExecutor(1) as threads:
        engine = Accelerator(folder, driver=driver, faults=faults)
        faults.packets = [PacketFault(hang=0.2)]
        running = threads.submit(engine.run, inputs)
        while faults.packets:
            threading.Event().wait(0.005)
        engine.close()
        np.testing.assert_array_equal(running.result(timeout=5).outputs, expected(inputs, running.result().frac))
    with pytest.raises(DeviceError, match="the accelerator is closed"):
        engine.run(inputs)


def in_a_child(act: Callable[[], Any]) -> str:
    """What `act` raises in a forked child, or what it returns."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            text = f"returned {act()}"
        except BaseException as error:  # noqa: BLE001 - the child must not run on as the test
            text = f"{type(error).__name__}: {error}"
        os.write(writing, text.encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as stream:
        text = stream.read()
    os.waitpid(child, 0)
    return text


@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
def test_a_forked_child_does_not_touch_its_parents_device(folder: Path, driver: Any) -> None:
    inputs = codes(3, 2)
    with Accelerator(folder, driver=driver) as engine, Accelerator(folder, driver=driver) as other:
        pool, stream = EnginePool([engine, other]), engine.stream(inputs, batch=1)
        next(stream)
        uses = [
            lambda: engine.run(inputs), lambda: asyncio.run(engine.run_async(inputs)), lambda: next(stream),
            engine.reset, engine.configure, lambda: pool.run(inputs), lambda: run_program(engine, inputs),
        ]  # fmt: skip
        for use in uses:
            text = in_a_child(use)
            assert f"process {os.getpid()} opened this accelerator, and its forked child" in text, text

        def leave() -> Any:
            engine.__exit__()
            engine.close()
            return engine._lock.path.exists()

        assert in_a_child(leave) == "returned True"
        assert engine._lock.path.exists()
        rest = list(stream)
        np.testing.assert_array_equal(rest[-1].outputs, expected(inputs[2:], rest[-1].frac))
        # A child may open a device of its own.
        assert in_a_child(lambda: Accelerator(folder, driver=driver).run(inputs).steps.tolist()) == "returned [2, 2, 2]"
        pool.close()
    assert not engine._lock.path.exists()


@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
def test_a_fork_in_the_middle_of_a_load_leaves_the_child_able_to_load(folder: Path, driver: Any) -> None:
    inputs, ended = codes(3, 2), threading.Event()

    def open_another() -> Any:
        signal.alarm(20)  # a child that waits for its parent's lock would wait for ever
        return Accelerator(folder, driver=driver).run(inputs).steps.tolist()

    with Accelerator(folder, driver=driver) as engine, ThreadPoolExecutor(1) as threads:

        def configure() -> None:
            while not ended.is_set():
                engine.configure()

        configuring = threads.submit(configure)
        try:
            assert [in_a_child(open_another) for _ in range(3)] == ["returned [2, 2, 2]"] * 3
        finally:
            ended.set()
        configuring.result(timeout=20)


def test_a_state_is_kept_only_for_the_thread_that_left_it(folder: Path, driver: Any) -> None:
    inputs = codes(1, 6)
    with Accelerator(folder, driver=driver) as engine, ThreadPoolExecutor(1) as other:
        for use in (lambda: engine.run(codes(1, 2, seed=1)), engine.reset):
            engine.run(inputs[:, :3])
            other.submit(use).result(timeout=20)
            with pytest.raises(MismatchError, match="another thread used the accelerator since then"):
                engine.run(inputs[:, 3:], keep=True)
        engine.reset()
        found = engine.run(inputs, keep=True)
        np.testing.assert_array_equal(found.outputs, expected(inputs, found.frac))
