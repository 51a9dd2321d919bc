# SPDX-License-Identifier: Apache-2.0
"""Tests of the harness around a simulated core, with a core that answers every packet with a trailer."""

from __future__ import annotations

import ctypes
import os
import re
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ese_host.device.emulated import EmulatedEngine
from ese_host.errors import DeviceError, MissingError
from ese_host.image import Design
from ese_host.protocol import PROTOCOL_VERSION, REGISTERS, Operation, Words, packets
from ese_rtl import simulate
from ese_rtl.simulate import cache, verilator
from support.core_stand_in import CHANGES, DROPS, HANGS, RETRACTS, installed
from support.rtl import CASES

IMAGE = np.arange(1, 41, dtype=np.uint32)


@pytest.fixture(scope="module")
def design() -> Design:
    return CASES["lstm"].make()[1]


@pytest.fixture(scope="module", autouse=True)
def stand_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with installed(), pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def library(design: Design, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("simulated")
    said: list[str] = []
    source = simulate.verilog(design)
    made = simulate.verilate(source, folder / "design.bit", 2000, say=said.append)
    assert said[0] == "running Verilator" and re.fullmatch(r"compiled (\d+) of \1 files", said[-1])
    assert (folder / "build.log").is_file()
    return made


@pytest.fixture
def loaded(library: Path) -> ctypes.CDLL:
    opened = ctypes.CDLL(str(library))
    opened.ese_stall.argtypes = [ctypes.c_void_p, *[ctypes.c_uint32] * 3]
    opened.ese_clocks.restype, opened.ese_clocks.argtypes = ctypes.c_uint64, [ctypes.c_void_p]
    return opened


@pytest.fixture
def engine(loaded: ctypes.CDLL) -> Iterator[EmulatedEngine]:
    with EmulatedEngine(loaded) as opened:
        yield opened


def packet(operation: int) -> Words:
    return np.array([operation, 1, 2], dtype=np.uint32)


def test_registers_are_there_before_the_first_packet(engine: EmulatedEngine, design: Design) -> None:
    assert engine.register(REGISTERS["design_id"].offset) == design.design_id
    assert engine.register(REGISTERS["version"].offset) == PROTOCOL_VERSION
    assert engine.register(REGISTERS["image_id"].offset) == 0 == engine.register(0x7C)


def test_a_packet_goes_in_and_its_answer_comes_out(engine: EmulatedEngine) -> None:
    trailer = packets.read_trailer(engine.packet(packets.load_packet(IMAGE), packets.TRAILER_WORDS))
    trailer.require(Operation.LOAD)
    assert trailer.image_id == 40 == engine.register(REGISTERS["image_id"].offset)
    assert engine.packet_into(np.zeros(0, dtype=np.uint32), np.zeros(1, dtype=np.uint32)) == 0


def test_an_answer_is_cut_to_the_room_that_there_is(engine: EmulatedEngine) -> None:
    answer = np.zeros(6, dtype=np.uint32)
    assert engine.packet_into(packet(1), answer[:3]) == packets.TRAILER_WORDS
    assert answer[0] == packets.TRAILER_MAGIC and not answer[3:].any()


def test_stalls_change_the_clocks_and_nothing_else(engine: EmulatedEngine, loaded: ctypes.CDLL) -> None:
    handle = engine._engine
    words = packets.load_packet(np.arange(3000, dtype=np.uint32))
    plain = engine.packet(words, packets.TRAILER_WORDS)
    clocks = [loaded.ese_clocks(handle)]
    for stalls in ((7, 512, 0), (7, 0, 512), (8, 900, 900), (7, 0xFFFFFFFF, 0), (0, 0, 0)):
        loaded.ese_stall(handle, *stalls)
        answer = engine.packet(words[:300] if stalls[1] > 1024 else words, packets.TRAILER_WORDS)
        packets.read_trailer(answer)
        assert np.array_equal(answer[:3], plain[:3])
        clocks.append(loaded.ese_clocks(handle))
    took = np.diff(clocks)
    assert took[0] > 5500 and took[2] > 20000 and took[3] > 20000, took
    assert packets.TRAILER_WORDS < took[1] - len(words) < 60 and took[4] < len(words) + 20, took


@pytest.mark.parametrize(
    ("operation", "message"),
    [
        (HANGS, "it took no word and gave none for longer than any of its steps lasts"),
        (RETRACTS, r"it took back a word .* \(out_r_TVALID fell before out_r_TREADY rose\)"),
        (CHANGES, r"it changed a word that had not been taken \(out_r_TDATA or out_r_TLAST\)"),
        (DROPS, r"it sent a word without some of its bytes \(out_r_TKEEP or out_r_TSTRB\)"),
    ],
)
def test_what_a_core_does_wrong_is_said(
    operation: int, message: str, engine: EmulatedEngine, loaded: ctypes.CDLL
) -> None:
    loaded.ese_stall(engine._engine, 3, 0, 512)
    for _ in range(2):  # a core that failed once is not trusted again
        with pytest.raises(DeviceError, match=f"^the simulated engine failed: {message}; open it again"):
            engine.packet(packet(operation), packets.TRAILER_WORDS)
    with EmulatedEngine(loaded) as another:
        assert len(another.packet(packet(1), packets.TRAILER_WORDS)) == packets.TRAILER_WORDS


def test_registers_are_read_while_a_packet_runs(engine: EmulatedEngine, design: Design) -> None:
    words, answers = packets.load_packet(np.arange(400_000, dtype=np.uint32)), []
    thread = threading.Thread(target=lambda: answers.append(engine.packet(words, packets.TRAILER_WORDS)))
    thread.start()
    read = 0
    while thread.is_alive():
        assert engine.register(REGISTERS["design_id"].offset) == design.design_id
        read += 1
    assert read > 3 and packets.read_trailer(answers[0]).image_id == 399_999


def test_the_same_library_comes_from_the_cache(
    library: Path, design: Design, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object) -> None:
        raise AssertionError("compiled again")

    monkeypatch.setattr(verilator, "Compilation", never)
    source = simulate.verilog(design)
    again = simulate.verilate(source, tmp_path / "again.bit", 2000)
    monkeypatch.setattr(verilator, "patience", lambda _: 2000)
    for number in range(2):  # the Verilog comes from the cache too
        simulate.simulator(design, tmp_path / "from design.bit")
        if number == 0:
            monkeypatch.setattr(verilator, "verilog", never)
    assert (tmp_path / "from design.bit").read_bytes() == library.read_bytes()
    assert again.read_bytes() == library.read_bytes()
    assert "taken from the cache" in (tmp_path / "build.log").read_text()
    with pytest.raises(AssertionError, match="compiled again"):
        simulate.verilate(source, tmp_path / "other.bit", 2001)
    assert not (tmp_path / "other.bit").exists()
    folder = cache.cache_folder()
    assert folder is not None
    folder.chmod(0o777)  # what somebody else could have written is not taken
    with pytest.raises(AssertionError, match="compiled again"):
        simulate.verilate(source, tmp_path / "other.bit", 2000)
    folder.chmod(0o700)


def test_patience_covers_the_longest_step(design: Design) -> None:
    assert simulate.patience(replace(design, entry_depth=4096)) > 9 * 4096 + simulate.patience(design) - 10_000


def test_without_a_compiler(design: Design, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingError, match=r"^g\+\+ is not on PATH; what Verilator writes is compiled with it"):
        simulate.simulator(design, tmp_path / "design.bit")
    assert list(tmp_path.iterdir()) == []


def test_the_cache_keeps_what_was_used_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(cache, "MOST_BYTES", 250)
    for number, name in enumerate("abc"):
        cache.cached(name, tmp_path / "made", lambda path: path.write_bytes(bytes(100)))
        kept = tmp_path / "ese4ml" / "engines" / name
        os.utime(kept, (number, number))
    cache._shrink(tmp_path / "ese4ml" / "engines")
    assert sorted(path.name for path in (tmp_path / "ese4ml" / "engines").iterdir()) == ["b", "c"]
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "made" / "no folder"))
    cache.cached("d", tmp_path / "without", lambda path: path.write_bytes(b"1"))
    assert (tmp_path / "without").read_bytes() == b"1"
