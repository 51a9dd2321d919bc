# SPDX-License-Identifier: Apache-2.0
"""Packets in flight: double buffering, changes of image, several engines, asyncio with and without interrupts."""

from __future__ import annotations

import asyncio
import gc
import signal
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_design import DRIVERS, codes, expected, image_words, needs_pynq, small_design, write_manifest

from ese_host.bundle import manifest
from ese_host.device.emulated.faults import Faults, PacketFault
from ese_host.errors import DeviceError, FormatError, MismatchError
from ese_host.runtime import transfers
from ese_host.runtime.accelerator import Accelerator
from ese_host.runtime.pool import EnginePool


@pytest.fixture(params=DRIVERS)
def driver(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_the_next_packet_is_in_flight_while_a_result_is_used(folder: Path, driver: Any) -> None:
    """Each answer takes 0.1 s and each result is used for 0.1 s; both overlap, so the total is little over 0.6 s."""
    inputs, faults = codes(6, 3), Faults()
    with Accelerator(folder, driver=driver, faults=faults) as engine:
        faults.packets = [PacketFault(hang=0.1) for _ in range(6)]
        begun, parts = time.monotonic(), []
        for part in engine.stream(inputs, batch=1):
            time.sleep(0.1)
            parts.append(part.outputs)
        seconds = time.monotonic() - begun
    np.testing.assert_array_equal(np.concatenate(parts), expected(inputs, part.frac))
    assert 0.6 < seconds < 1.1


def test_streams_may_be_interleaved_and_left(folder: Path, driver: Any) -> None:
    inputs = codes(8, 4)
    with Accelerator(folder, driver=driver) as engine:
        first, second = engine.stream(inputs, batch=2), engine.stream(inputs[::-1], batch=3)
        found, other = [next(first)], [next(second)]
        engine.reset()
        alone = engine.run(inputs[:1])
        found += list(first)
        other += list(second)
        left = engine.stream(inputs, batch=1)
        next(left)
        del left
        gc.collect()
        again = engine.run(inputs)
    want = expected(inputs, alone.frac)
    np.testing.assert_array_equal(np.concatenate([part.outputs for part in found]), want)
    np.testing.assert_array_equal(np.concatenate([part.outputs for part in other]), want[::-1])
    np.testing.assert_array_equal(alone.outputs, want[:1])
    np.testing.assert_array_equal(again.outputs, want)


def test_a_failure_in_flight_is_raised_by_the_stream_that_sent_the_packet(folder: Path, driver: Any) -> None:
    inputs, faults = codes(4, 2), Faults()
    with Accelerator(folder, driver=driver, faults=faults, timeout=0.2) as engine:
        stream = engine.stream(inputs, batch=1)
        faults.packets = [None, PacketFault(swallow=True)]
        next(stream)
        other = engine.run(inputs)
        with pytest.raises(DeviceError, match="the answer did not end within"):
            next(stream)
    np.testing.assert_array_equal(other.outputs, expected(inputs, other.frac))


def test_an_interrupted_wait_leaves_a_working_accelerator(folder: Path, driver: Any) -> None:
    inputs, faults = codes(2, 2), Faults()
    with Accelerator(folder, driver=driver, faults=faults) as engine:
        faults.packets = [PacketFault(hang=30)]
        main = threading.get_ident()

        # Background jobs of a shell ignore SIGINT unless a handler is set.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        timer = threading.Timer(0.2, signal.pthread_kill, (main, signal.SIGINT))
        timer.start()
        try:
            with pytest.raises(KeyboardInterrupt):
                engine.run(inputs)
        finally:
            signal.signal(signal.SIGINT, before)
        result = engine.run(inputs)
    np.testing.assert_array_equal(result.outputs, expected(inputs, result.frac))


def test_closing_with_a_packet_in_flight(folder: Path, driver: Any) -> None:
    faults = Faults()
    engine = Accelerator(folder, driver=driver, faults=faults)
    faults.packets = [None, PacketFault(hang=30)]
    stream = engine.stream(codes(3, 2), batch=1)
    next(stream)
    begun = time.monotonic()
    engine.close()
    assert time.monotonic() - begun < 2
    with pytest.raises(DeviceError):
        next(stream)


def test_a_state_that_is_lost_is_not_continued(folder: Path, driver: Any) -> None:
    """Only a run whose answer was read, or a reset, leaves a state that `keep` may start from."""
    inputs, faults = codes(2, 4), Faults()
    other = second_image(folder)
    with Accelerator(folder, driver=driver, faults=faults, timeout=0.2) as engine:

        def fails() -> None:
            faults.packets = [PacketFault(swallow=True)]
            with pytest.raises(DeviceError, match="did not end within"):
                engine.run(inputs)

        def fails_and_is_reset() -> None:
            fails()
            engine.configure()

        def leaves_a_stream() -> None:
            next(engine.stream(inputs, batch=1))

        def selects() -> None:
            engine._loaded = engine.parts[0].__class__(**vars(engine.parts[0]))
            assert not engine.select(engine.parts[0].chain)

        losses = [
            (fails, "the device failed"),
            (fails_and_is_reset, "an image was loaded"),
            (engine.configure, "an image was loaded"),
            (lambda: engine.load(folder), "an image was loaded"),
            (lambda: engine.load(other), "an image was loaded"),
            (leaves_a_stream, "another packet was sent"),
            (selects, "another chain was selected"),
        ]
        for lose, event in losses:
            engine.run(inputs)
            engine.run(inputs, keep=True)
            lose()
            with pytest.raises(MismatchError, match=f"that state is lost, because {event}"):
                engine.run(inputs, keep=True)
            with pytest.raises(MismatchError, match="that state is lost"):
                asyncio.run(engine.run_async(inputs, keep=True))
        engine.reset()
        engine.run(inputs, keep=True)
        kept = engine.stream(codes(3, 4), keep=True, batch=1)
        next(kept)
        engine.run(inputs)
        with pytest.raises(MismatchError, match="another packet was sent"):
            list(kept)
    with (
        Accelerator(folder, driver=driver) as engine,
        pytest.raises(MismatchError, match="an image was loaded"),
    ):
        engine.run(inputs, keep=True)


def second_image(folder: Path, **changes: object) -> Path:
    """A folder of the same design whose image has another id, because a word that the stand-in engine ignores differs.

    With `changes` the folder is of another design.
    """
    other = folder.parent / "other"
    other.mkdir()
    for path in folder.iterdir():
        (other / path.name).write_bytes(path.read_bytes())
    words = image_words(small_design(**changes))
    if not changes:
        import zlib

        words[20] ^= 1
        words[-1] = zlib.crc32(words[:-1].astype("<u4").tobytes())
    words.astype("<u4").tofile(other / manifest.IMAGE)
    write_manifest(other, design=small_design(**changes), image_id=int(words[-1]))
    return other


def test_several_images_on_one_engine(folder: Path, driver: Any) -> None:
    other, inputs = second_image(folder), codes(3, 2)
    with Accelerator(folder, driver=driver, timeout=0.3) as engine:
        first = engine.image.image_id
        stream = engine.stream(inputs, batch=1)
        next(stream)
        for path in (other, folder, other):
            engine.load(path)
            assert engine.folder.path == path
            assert engine._control.register("image_id") == engine.image.image_id
            result = engine.run(inputs)
            np.testing.assert_array_equal(result.outputs, expected(inputs, result.frac))
        assert engine.image.image_id != first
        with pytest.raises(DeviceError, match="another image was loaded in the middle of a stream"):
            list(stream)
        engine.configure()
        assert engine._control.register("image_id") == engine.image.image_id != first


def test_an_image_of_another_design_is_refused(folder: Path, driver: Any) -> None:
    other = second_image(folder, pes=3)
    with Accelerator(folder, driver=driver) as engine:
        with pytest.raises(MismatchError, match=r"is for design .*; expected"):
            engine.load(other)
        assert engine.run(codes(1, 1)).steps.tolist() == [1]


def test_several_engines(folder: Path, driver: Any) -> None:
    lengths = [3, 1, 5, 2, 2, 4, 1, 6, 3]
    inputs = [codes(1, n, seed=n)[0] for n in lengths]
    with Accelerator(folder, driver=driver) as one:
        want = one.run(inputs)
    with EnginePool([Accelerator(folder, driver=driver) for _ in range(3)]) as engines:
        for count in (1, 2, 9):
            found = engines.run(inputs[:count])
            width = found.outputs.shape[1]
            np.testing.assert_array_equal(found.outputs, want.outputs[:count, :width])
            assert found.steps.tolist() == lengths[:count]
        with pytest.raises(FormatError):
            engines.run([])


def test_engines_want_one_model(folder: Path) -> None:
    other = second_image(folder)
    with pytest.raises(FormatError, match="at least one"):
        EnginePool([])
    with (
        Accelerator(folder, driver="adapter") as a,
        Accelerator(other, driver="adapter") as b,
        pytest.raises(MismatchError, match=r"hold different models, of .*load the same folder"),
    ):
        EnginePool([a, b])


def test_asyncio(folder: Path, driver: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other tasks run while the engine works; with pynq the DMA's interrupt wakes the waiting task."""
    monkeypatch.setattr(transfers, "BUFFER_WORDS", 200)
    inputs, faults = codes(40, 7), Faults()
    with Accelerator(folder, driver=driver, faults=faults) as engine:
        assert engine.interrupts == (driver == "pynq")

        async def both() -> tuple[Any, int]:
            ticks, running = 0, True

            async def tick() -> None:
                nonlocal ticks
                while running:
                    ticks += 1
                    await asyncio.sleep(0.005)

            task = asyncio.ensure_future(tick())
            result = await engine.run_async(inputs)
            running = False
            await task
            return result, ticks

        for _ in range(2):
            faults.packets = [PacketFault(hang=0.05) for _ in range(3)]
            result, ticks = asyncio.run(both())
            np.testing.assert_array_equal(result.outputs, expected(inputs, result.frac))
            assert ticks > 5
        assert engine.run(inputs).steps.tolist() == [7] * 40


@needs_pynq
def test_it_is_the_interrupt_that_wakes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ese_host.device.dma_control.INTERRUPT_SLICE", 5.0)
    faults = Faults()
    with Accelerator(folder, driver="pynq", faults=faults) as engine:
        faults.packets = [PacketFault(hang=0.1)]
        begun = time.monotonic()
        asyncio.run(engine.run_async(codes(2, 2)))
        assert 0.1 <= time.monotonic() - begun < 1.5


def test_asyncio_has_a_deadline_too(folder: Path, driver: Any) -> None:
    faults = Faults()
    with Accelerator(folder, driver=driver, faults=faults, timeout=0.2) as engine:
        for fault in (PacketFault(swallow=True), PacketFault(hang=30), PacketFault(lose_last=True)):
            faults.packets = [fault]
            begun = time.monotonic()
            with pytest.raises(DeviceError, match="the answer did not end within"):
                asyncio.run(engine.run_async(codes(2, 2)))
            assert time.monotonic() - begun < 2.2
        assert asyncio.run(engine.run_async(codes(1, 1))).steps.tolist() == [1]
