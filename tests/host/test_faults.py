"""Faults of the board: every one is reported by name, nothing hangs, and the next call works."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_accelerator import DRIVERS, codes, expected

from ese_host.accelerator import Accelerator
from ese_host.device import axi_dma
from ese_host.device.faults import Faults, PacketFault
from ese_host.errors import DeviceError, EseError, MismatchError

TIMEOUT = 0.2


def flip(word: int, bits: int = 1) -> Any:
    def alter(words: np.ndarray) -> np.ndarray:
        words[word] ^= bits
        return words

    return alter


PACKET_FAULTS = {
    "swallowed": (PacketFault(swallow=True), "the answer did not end within 0.2 s"),
    "no TLAST": (PacketFault(lose_last=True), "the answer did not end within 0.2 s"),
    "short answer": (PacketFault(answer=lambda words: words[:-3]), "a trailer starts with 0x45534544"),
    "empty answer": (PacketFault(answer=lambda words: words[:4]), "answer has 4 words"),
    "outputs missing": (PacketFault(answer=lambda words: words[6:]), "sequences here make"),
    "long answer": (PacketFault(answer=lambda words: np.append(words, words)), "the DMA failed to transfer the answer"),
    "short packet": (PacketFault(packet=lambda words: words[:-2]), "RUN answered with error 9 (SHORT_PACKET)"),
    "long packet": (PacketFault(packet=lambda words: np.append(words, 0)), "RUN answered with error 10 (LONG_PACKET)"),
    "garbled operation": (PacketFault(packet=flip(0)), "the answer is to"),
    "garbled image id": (PacketFault(packet=flip(2)), "RUN answered with error 7 (WRONG_IMAGE)"),
    "garbled trailer": (PacketFault(answer=flip(-8)), "answer ends in 0x45534545"),
    "other image": (PacketFault(answer=flip(-5)), "the engine's answer names image"),
    "steps missing": (PacketFault(answer=flip(-3)), "the engine did 2 sequences and 7 steps; 2 and 6 were sent"),
    "unknown error": (PacketFault(answer=lambda words: np.put(words, -6, 99) or words), "error 99"),
}


@pytest.fixture(params=DRIVERS)
def driver(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def survives(engine: Accelerator) -> None:
    """The next call works, as if nothing had been."""
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


@pytest.mark.parametrize("bit", [axi_dma.INTERNAL, axi_dma.SLAVE, axi_dma.DECODE])
@pytest.mark.parametrize("channel", ["send_errors", "receive_errors"])
def test_dma_errors(folder: Path, driver: Any, bit: int, channel: str) -> None:
    faults = Faults()
    with Accelerator(folder, driver=driver, faults=faults, timeout=TIMEOUT) as engine:
        setattr(faults, channel, bit)
        with pytest.raises(DeviceError):
            engine.run(codes(2, 3))
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


def test_wrong_image_register(folder: Path, driver: Any) -> None:
    with pytest.raises(MismatchError, match="the engine's register names image 0x0000002a"):
        Accelerator(folder, driver=driver, faults=Faults(registers={0x20: 42}), timeout=TIMEOUT)


def test_image_damaged_in_flight(folder: Path, driver: Any) -> None:
    with pytest.raises(EseError, match="LOAD answered with error 9"):
        Accelerator(folder, driver=driver, faults=Faults(packets=[PacketFault(packet=lambda words: words[:-1])]))
