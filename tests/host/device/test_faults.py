# SPDX-License-Identifier: Apache-2.0
"""Faults of the board: each is reported by name, nothing hangs, and the next call works."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_design import DRIVERS, codes, expected, needs_pynq

from ese_host.device.emulated.faults import Faults, PacketFault
from ese_host.errors import DeviceError, EseError, MismatchError
from ese_host.files.words import Words
from ese_host.image.design import SUM_FRAC
from ese_host.protocol import TRAILER_WORDS, Operation, reset_packet
from ese_host.protocol.registers import DmaBit
from ese_host.runtime import transfers
from ese_host.runtime.accelerator import Accelerator

with contextlib.suppress(ImportError):  # without pynq, the tests that need it are skipped
    from ese_host.device.emulated.pynq_device import EmulatedDevice

TIMEOUT = 0.2


def flip(word: int, bits: int = 1) -> Any:
    def alter(words: Words) -> Words:
        words[word] ^= bits
        return words

    return alter


def unknown_error(words: Words) -> Words:
    words[-7] = 99
    return words


DAMAGED = "the answer was damaged in flight: run it again"


PACKET_FAULTS = {
    "swallowed": (PacketFault(swallow=True), "the answer did not end within 0.2 s"),
    "hanging engine": (PacketFault(hang=60), "the answer did not end within 0.2 s"),
    "no TLAST": (PacketFault(lose_last=True), "the answer did not end within 0.2 s"),
    "short answer": (PacketFault(answer=lambda words: words[:-3]), DAMAGED),
    "empty answer": (PacketFault(answer=lambda words: words[:4]), "answer has 4 words"),
    "outputs missing": (PacketFault(computed=lambda words: words[6:]), "are expected for these"),
    "long answer": (PacketFault(answer=lambda words: np.append(words, words)), "the DMA failed to transfer the answer"),
    "short packet": (PacketFault(packet=lambda words: words[:-2]), "RUN answered with error 9 (SHORT_PACKET)"),
    "long packet": (PacketFault(packet=lambda words: np.append(words, 0)), "RUN answered with error 10 (LONG_PACKET)"),
    "garbled operation": (PacketFault(packet=flip(0)), "the answer is to"),
    "hanging core": (PacketFault(packet=flip(0, 1 << 16)), "the simulated engine failed: it stands still"),
    "garbled image id": (PacketFault(packet=flip(2)), "RUN answered with error 7 (WRONG_IMAGE)"),
    "garbled trailer": (PacketFault(computed=flip(-9)), "words of the answer start with 0x45534545"),
    "other image": (PacketFault(computed=flip(-6)), "the engine's answer names image"),
    "steps missing": (PacketFault(computed=flip(-4)), "the engine ran 2 sequences and 7 steps; 2 and 6 were sent"),
    "unknown error": (PacketFault(computed=unknown_error), "error 99"),
    "damaged output": (PacketFault(answer=flip(0, 1 << 17)), DAMAGED),
    "damaged error code": (PacketFault(answer=flip(-7)), DAMAGED),
    "damaged CRC": (PacketFault(answer=flip(-1)), DAMAGED),
    "words swapped": (PacketFault(answer=lambda words: np.append(words[:2][::-1], words[2:])), DAMAGED),
}


@pytest.fixture(params=DRIVERS)
def driver(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def survives(engine: Accelerator) -> None:
    """Check that the next call works as if nothing had happened."""
    inputs = codes(3, 4)
    result = engine.run(inputs)
    np.testing.assert_array_equal(result.outputs, expected(inputs, result.frac))


@pytest.mark.parametrize("name", PACKET_FAULTS)
def test_packet_faults(folder: Path, driver: Any, name: str) -> None:
    fault, message = PACKET_FAULTS[name]
    faults = Faults()
    with Accelerator(folder, driver=driver, faults=faults, timeout=TIMEOUT) as engine:
        survives(engine)
        faults.packets = [fault]
        begun = time.monotonic()
        with pytest.raises(EseError) as error:
            engine.run(codes(2, 3))
        assert time.monotonic() - begun < TIMEOUT + 2
        assert message in str(error.value)
        survives(engine)


@pytest.mark.parametrize("bit", [DmaBit.INTERNAL, DmaBit.SLAVE, DmaBit.DECODE])
@pytest.mark.parametrize("channel", ["send_errors", "receive_errors"])
def test_dma_errors(folder: Path, driver: Any, bit: int, channel: str) -> None:
    faults = Faults()
    with Accelerator(folder, driver=driver, faults=faults, timeout=TIMEOUT) as engine:
        setattr(faults, channel, bit)
        begun = time.monotonic()
        with pytest.raises(DeviceError):
            engine.run(codes(2, 3))
        assert time.monotonic() - begun < TIMEOUT + 2
        survives(engine)


def test_unplugged_and_plugged_in_again(folder: Path, driver: Any) -> None:
    faults = Faults()
    with Accelerator(folder, driver=driver, faults=faults, timeout=TIMEOUT) as engine:
        faults.unplugged = True
        for _ in range(2):
            begun = time.monotonic()
            with pytest.raises(DeviceError):
                engine.run(codes(1, 2))
            assert time.monotonic() - begun < TIMEOUT + 2
        faults.unplugged = False
        survives(engine)


def test_no_memory(folder: Path, driver: Any) -> None:
    with pytest.raises(DeviceError, match="no memory for the packet"):
        Accelerator(folder, driver=driver, faults=Faults(no_memory=True))


def test_wrong_design_on_the_device(folder: Path, driver: Any) -> None:
    with pytest.raises(MismatchError, match="the engine on the device is for design 0x0000002a; expected"):
        Accelerator(folder, driver=driver, faults=Faults(registers={0x10: 42}), timeout=TIMEOUT)


@pytest.mark.parametrize(
    ("version", "speaks"),
    [(0, "tells no protocol version, so it is from before version 2"), (1, "speaks .* 1")],
)
def test_another_protocol_on_the_device(folder: Path, driver: Any, version: int, speaks: str) -> None:
    message = f"the engine on the device {speaks}; this host speaks 2: build the bitstream again with this version"
    with pytest.raises(MismatchError, match=message):
        Accelerator(folder, driver=driver, faults=Faults(registers={0x60: version}), timeout=TIMEOUT)


@pytest.mark.parametrize("trace", [False, True], ids=["outputs", "trace"])
def test_a_flipped_bit_of_any_word_of_an_answer_is_an_error(folder: Path, driver: Any, trace: bool) -> None:
    inputs, faults = codes(2, 2), Faults()
    with Accelerator(folder, driver=driver, faults=faults) as engine:
        words = engine.shape.words([2, 2], trace)
        for word in range(words):
            fault = PacketFault(answer=flip(word, 1 << word % 32))
            faults.packets = [None, fault] if word else [fault]  # after a failure LOAD is sent first
            with pytest.raises(DeviceError, match=DAMAGED):
                engine.run(inputs, trace=trace)
            assert not faults.packets
        np.testing.assert_array_equal(engine.run(inputs, trace=trace).outputs, expected(inputs, SUM_FRAC))


def test_a_damaged_answer_to_load_or_reset_is_an_error(folder: Path, driver: Any) -> None:
    fault = PacketFault(answer=flip(-2, 1 << 31))
    with pytest.raises(DeviceError, match=DAMAGED):
        Accelerator(folder, driver=driver, faults=Faults(packets=[fault]))
    faults = Faults()
    with Accelerator(folder, driver=driver, faults=faults) as engine:
        faults.packets = [fault]
        with pytest.raises(DeviceError, match=DAMAGED):
            engine.reset()
        with pytest.raises(MismatchError, match="that state is lost, because the device failed"):
            engine.run(codes(1, 2), keep=True)
        survives(engine)


def test_wrong_image_register(folder: Path, driver: Any) -> None:
    with pytest.raises(MismatchError, match="the engine's register names image 0x0000002a"):
        Accelerator(folder, driver=driver, faults=Faults(registers={0x20: 42}), timeout=TIMEOUT)


@pytest.mark.parametrize("word", [0, 2, 3, 12, 40, -1])
def test_image_damaged_in_flight(folder: Path, driver: Any, word: int) -> None:
    faults = Faults(packets=[PacketFault(packet=flip(word, 1 << 9))])
    message = "the answer is to UNREADABLE|BAD_OPERATION" if word == 0 else r"error 5 \(BAD_CRC\)"
    with pytest.raises(EseError, match=message):
        Accelerator(folder, driver=driver, faults=faults)


def test_image_damaged_in_flight_when_it_is_loaded_again(folder: Path, driver: Any) -> None:
    faults = Faults()
    with Accelerator(folder, driver=driver, faults=faults) as engine:
        faults.packets = [PacketFault(packet=flip(12, 1 << 9))]
        with pytest.raises(EseError, match=r"error 5 \(BAD_CRC\)"):
            engine.load(folder)
        survives(engine)


@pytest.mark.parametrize(
    ("alter", "error"), [(lambda words: words[:-1], "SHORT_PACKET"), (lambda words: np.append(words, 0), "LONG_PACKET")]
)
def test_image_of_another_length_in_flight(folder: Path, driver: Any, alter: Any, error: str) -> None:
    with pytest.raises(EseError, match=rf"LOAD answered with error \d+ \({error}\)"):
        Accelerator(folder, driver=driver, faults=Faults(packets=[PacketFault(packet=alter)]))


def test_an_engine_that_hangs_from_the_start(folder: Path, driver: Any) -> None:
    begun = time.monotonic()
    with pytest.raises(DeviceError, match="the answer did not end within"):
        Accelerator(folder, driver=driver, faults=Faults(packets=[PacketFault(hang=60)]), timeout=TIMEOUT)
    assert time.monotonic() - begun < TIMEOUT + 2
    Accelerator(folder, driver=driver).close()


def test_unplugged_in_mid_transfer(folder: Path, driver: Any) -> None:
    faults = Faults()
    with Accelerator(folder, driver=driver, faults=faults, timeout=1.0) as engine:
        faults.packets = [PacketFault(hang=60)]
        timer = threading.Timer(0.2, setattr, (faults, "unplugged", True))
        timer.start()
        begun = time.monotonic()
        with pytest.raises(DeviceError):
            engine.run(codes(2, 3))
        assert time.monotonic() - begun < 3
        timer.join()
        faults.unplugged = False
        survives(engine)


def test_no_memory_in_mid_stream(folder: Path, driver: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfers, "BUFFER_WORDS", 100)
    faults = Faults()
    with Accelerator(folder, driver=driver, faults=faults) as engine:
        survives(engine)
        faults.no_memory = True
        with pytest.raises(DeviceError, match=r"no memory for the packet: .*; close other users"):
            engine.run(codes(1, 500))
        faults.no_memory = False
        survives(engine)


def test_a_packet_without_memory_leaves_the_one_in_flight_alone(folder: Path, driver: Any) -> None:
    faults = Faults()
    with Accelerator(folder, driver=driver, faults=faults) as engine:
        sending, image_id = engine._transfers, engine.image.image_id

        def fill(words: int) -> transfers.Transfer:
            return sending.fill(Operation.RESET, reset_packet(), words, image_id, 5.0)

        flying = fill(TRAILER_WORDS)
        faults.packets = [PacketFault(hang=0.1)]
        sending.start(flying)
        faults.no_memory = True
        with pytest.raises(DeviceError, match="no memory for the answer"):
            fill(transfers.BUFFER_WORDS + 1)
        faults.no_memory = False
        later = fill(TRAILER_WORDS)
        assert later.send.whole is not flying.send.whole and later.receive.whole is not flying.receive.whole
        sending.drain()
        flying.result()
        survives(engine)


def test_a_dma_that_did_not_end_is_stopped_before_its_buffers_are_freed(
    folder: Path, driver: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    halted: list[Any] = []
    monkeypatch.setattr(transfers, "halt", halted.append)
    faults = Faults()
    with Accelerator(folder, driver=driver, faults=faults) as engine:
        faults.packets = [PacketFault(swallow=True)]
        with pytest.raises(DeviceError, match="did not end within"):
            engine.run(codes(1, 1), timeout=0.05)
    assert len(halted) == 1


@needs_pynq
def test_a_process_killed_in_mid_transfer_and_restarted(folder: Path) -> None:
    code = (
        "import sys\n"
        "from ese_host.runtime.accelerator import Accelerator\n"
        "from ese_host.device.emulated.pynq_device import EmulatedDevice\n"
        "from ese_host.device.emulated.faults import Faults, PacketFault\n"
        "faults = Faults()\n"
        "engine = Accelerator(sys.argv[1], device=EmulatedDevice('pynq-z2', tag='test killed', faults=faults))\n"
        "faults.packets = [PacketFault(hang=60)]\n"
        "print('ready', flush=True)\n"
        "import numpy as np\n"
        "engine.run(np.zeros((1, 1, engine.shape.inputs), np.int64))\n"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(folder)], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None and other.stdout.readline() == "ready\n"
        time.sleep(0.2)
        other.kill()
    with Accelerator(folder, device=EmulatedDevice("pynq-z2", tag="test killed")) as engine:
        survives(engine)


@needs_pynq
def test_a_board_in_mid_transfer_is_taken_over(folder: Path) -> None:
    """A board whose last user vanished: no lock is held, a transfer is in flight, and the engine hangs."""
    faults = Faults()
    device = EmulatedDevice("pynq-z2", tag="test vanished", faults=faults)
    lost = Accelerator(folder, device=device)
    faults.packets = [None, PacketFault(hang=60)]
    stream = lost.stream(codes(3, 2), batch=1)
    next(stream)
    lost._lock.release()
    with Accelerator(folder, device=device) as engine:
        survives(engine)
