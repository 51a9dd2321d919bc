# SPDX-License-Identifier: Apache-2.0
"""PYNQ.remote from a PC: pynq's RemoteDevice against a fake board on loopback that speaks its gRPC."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from calls import call
from small_design import codes, expected, small_design, write_manifest

from ese_host.boards import hwh
from ese_host.bundle import manifest
from ese_host.check.checker import check
from ese_host.device.emulated.faults import Faults, PacketFault
from ese_host.errors import DeviceError, EseError
from ese_host.runtime.accelerator import Accelerator

pytest.importorskip("pynq.remote")
pytest.importorskip("grpc")
from fake_remote_board import FakeRemoteBoard, as_bitstream

from ese_host.device import remote

BOARD = "zcu104"
pytestmark = [
    pytest.mark.filterwarnings("ignore:Interrupt .* not created"),
    pytest.mark.filterwarnings("ignore:Interrupts are not yet implemented"),
]


@pytest.fixture
def board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeRemoteBoard]:
    """A running board. pynq's metadata cache stays off, because pynq writes it into its own package folder."""
    monkeypatch.setattr("pynq.pl_server.remote_device.RemoteDevice.gen_cache", lambda *_: None)
    (tmp_path / "firmware").mkdir()
    server = FakeRemoteBoard(BOARD, tmp_path / "firmware", Faults())
    yield server
    server.stop()


@pytest.fixture
def bits(folder: Path) -> Path:
    """The folder as a build with Vivado leaves it: a .bit file with a header, for the remote board."""
    path = folder / manifest.BIT
    path.write_bytes(as_bitstream(path.read_bytes(), "xczu7ev-ffvc1156-2-e"))
    (folder / manifest.HWH).write_text(hwh.render(BOARD, small_design()))
    write_manifest(folder, kind="bitstream", board=BOARD, part="xczu7ev-ffvc1156-2-e")
    return folder


def connect(board: FakeRemoteBoard, **options: Any) -> Any:
    return remote.connect(f"127.0.0.1:{board.port}", **options)


def test_runs_like_the_golden_model(bits: Path, board: FakeRemoteBoard) -> None:
    inputs, lengths = codes(9, 4), [4, 1, 2, 3, 4, 4, 4, 2, 1]
    with Accelerator(bits, device=connect(board)) as engine:
        assert (engine.driver, engine.emulated) == ("pynq", False)
        for trace in (False, True):
            result = engine.run(inputs, trace=trace)
            np.testing.assert_array_equal(result.outputs, expected(inputs, result.frac))
        ragged = engine.run(inputs, lengths)
        for i, n in enumerate(lengths):
            np.testing.assert_array_equal(ragged.outputs[i, :n], result.outputs[i, :n])
        parts = [part.outputs for part in engine.stream(inputs, batch=4)]
        np.testing.assert_array_equal(np.concatenate(parts), result.outputs)
    assert len(board.buffers.regions) == 0


def test_check(bits: Path, board: FakeRemoteBoard) -> None:
    report = check(bits, device=connect(board))
    assert report["bit_exact"] and report["kind"] == "bitstream"


def test_from_the_command_line(bits: Path, board: FakeRemoteBoard, tmp_path: Path) -> None:
    done = call("run", str(bits), "--remote", f"127.0.0.1:{board.port}", "--json")
    assert done.exit_code == 0, done.output
    assert len(json.loads(done.stdout)["classes"]) == 40


def test_another_bitstream_of_the_same_name_reaches_the_board(bits: Path, board: FakeRemoteBoard) -> None:
    """pynq does not send a file whose name the board knows already, and all our bitstreams are called design.bit."""
    Accelerator(bits, device=connect(board)).close()
    data = (bits / manifest.BIT).read_bytes()
    (bits / manifest.BIT).write_bytes(data.replace(small_design().design_id.to_bytes(4, "little"), b"\x11\x22\x33\x44"))
    write_manifest(bits, kind="bitstream", board=BOARD, part="xczu7ev-ffvc1156-2-e")
    with pytest.raises(EseError, match="the engine on the device is for design 0x44332211"):
        Accelerator(bits, device=connect(board), timeout=0.5)
    assert len(set(board.files.loaded)) == 2


@pytest.mark.parametrize(
    "fault", [PacketFault(swallow=True), PacketFault(hang=60), PacketFault(answer=lambda words: words[:4])]
)
def test_faults(bits: Path, board: FakeRemoteBoard, fault: PacketFault) -> None:
    inputs = codes(2, 2)
    with Accelerator(bits, device=connect(board), timeout=0.3) as engine:
        board.board.faults.packets = [fault]
        begun = time.monotonic()
        with pytest.raises(DeviceError):
            engine.run(inputs)
        assert time.monotonic() - begun < 2.3
        result = engine.run(inputs)
    np.testing.assert_array_equal(result.outputs, expected(inputs, result.frac))


def test_a_board_that_goes_away(bits: Path, board: FakeRemoteBoard) -> None:
    with Accelerator(bits, device=connect(board, seconds=0.5), timeout=0.5) as engine:
        board.stop()
        for _ in range(2):
            begun = time.monotonic()
            with pytest.raises(DeviceError):
                engine.run(codes(1, 2))
            assert time.monotonic() - begun < 2.5


def test_no_board(board: FakeRemoteBoard, monkeypatch: pytest.MonkeyPatch) -> None:
    board.stop()
    channel = "pynq.pl_server.remote_device.GrpcChannel.__init__"

    def refuse(*_: Any) -> None:
        raise RuntimeError("Failed to connect to remote device")

    monkeypatch.setattr(channel, refuse)
    with pytest.raises(DeviceError, match=r"no PYNQ\.remote board answers at 127\.0\.0\.1:\d+ \(Failed to connect"):
        connect(board)


def test_a_user_killed_in_mid_transfer(bits: Path, board: FakeRemoteBoard) -> None:
    """The board stays as its user left it, with a transfer in flight and a hanging engine; the next user takes over."""
    code = (
        "import sys, numpy as np\n"
        "from ese_host.runtime.accelerator import Accelerator\n"
        "from ese_host.device import remote\n"
        "remote.RemoteDevice.gen_cache = lambda *_: None\n"
        "engine = Accelerator(sys.argv[1], device=remote.connect(sys.argv[2]))\n"
        "print('ready', flush=True)\n"
        "sys.stdin.readline()\n"
        "engine.run(np.zeros((1, 1, engine.shape.inputs), np.int64))\n"
    )
    command = [sys.executable, "-W", "ignore", "-c", code, str(bits), f"127.0.0.1:{board.port}"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None and other.stdin is not None
        assert other.stdout.readline() == "ready\n"
        with pytest.raises(DeviceError, match="is in use"):
            Accelerator(bits, device=connect(board))
        board.board.faults.packets = [PacketFault(hang=60)]
        other.stdin.write("go\n")
        other.stdin.flush()
        deadline = time.monotonic() + 20
        while board.board.faults.packets and time.monotonic() < deadline:
            time.sleep(0.02)
        other.kill()
    inputs = codes(2, 2)
    with Accelerator(bits, device=connect(board)) as engine:
        result = engine.run(inputs)
    np.testing.assert_array_equal(result.outputs, expected(inputs, result.frac))
