# SPDX-License-Identifier: Apache-2.0
"""The accelerator on an emulated board, driven by the real pynq library and by the adapter."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from small_design import (
    DRIVERS,
    INPUTS,
    codes,
    expected,
    image_words,
    needs_pynq,
    small_design,
    write_manifest,
)

from ese_host.boards import hwh, processor
from ese_host.boards.board import board_names, load_board
from ese_host.bundle import manifest
from ese_host.errors import CapacityError, DeviceError, EseError, FormatError, MismatchError
from ese_host.runtime import transfers
from ese_host.runtime.accelerator import Accelerator


@pytest.fixture(params=DRIVERS)
def driver(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_runs_like_the_golden_model(folder: Path, driver: Any) -> None:
    inputs = codes(9, 4)
    with Accelerator(folder, driver=driver) as engine:
        assert engine.driver == driver and engine.emulated
        for trace in (False, True):
            result = engine.run(inputs, trace=trace)
            np.testing.assert_array_equal(result.outputs, expected(inputs, result.frac))
            assert result.cycles == 9 * 4 * 15
            assert len(result.traces) == trace
        np.testing.assert_array_equal(result.classes(), result.outputs[:, -1].argmax(axis=1))
        engine.reset()
        np.testing.assert_array_equal(engine.run(inputs).outputs, result.outputs)


@pytest.mark.parametrize("board", board_names())
def test_every_board(folder: Path, driver: Any, board: str) -> None:
    (folder / manifest.HWH).write_text(hwh.render(board, small_design()), encoding="utf-8")
    write_manifest(folder, board=board, part=load_board(board).part)
    inputs = codes(3, 2)
    with Accelerator(folder, driver=driver) as engine:
        result = engine.run(inputs)
        assert engine.interrupts == (driver == "pynq")
    np.testing.assert_array_equal(result.outputs, expected(inputs, result.frac))


def test_lengths_and_lists_mean_the_same(folder: Path, driver: Any) -> None:
    inputs, lengths = codes(5, 6), [6, 1, 3, 2, 6]
    with Accelerator(folder, driver=driver) as engine:
        padded = engine.run(inputs, lengths)
        listed = engine.run([inputs[i, :n] for i, n in enumerate(lengths)])
    np.testing.assert_array_equal(padded.outputs, listed.outputs)
    for i, n in enumerate(lengths):
        np.testing.assert_array_equal(padded.outputs[i, :n], expected(inputs[i : i + 1, :n], padded.frac)[0])
        assert not padded.outputs[i, n:].any()


def test_what_a_buffer_does_not_hold_goes_in_several_packets(
    folder: Path, driver: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfers, "BUFFER_WORDS", 200)
    inputs = codes(40, 7)
    with Accelerator(folder, driver=driver) as engine:
        parts = list(engine.stream(inputs, trace=True))
        joined = engine.run(inputs, trace=True)
        long = engine.run(codes(1, 300))
    assert len(parts) > 1 and sum(len(part.steps) for part in parts) == 40
    np.testing.assert_array_equal(joined.outputs, expected(inputs, joined.frac))
    np.testing.assert_array_equal(joined.traces[0].exact, joined.outputs)
    np.testing.assert_array_equal(long.outputs, expected(codes(1, 300), long.frac))


def test_results_are_copies(folder: Path, driver: Any) -> None:
    with Accelerator(folder, driver=driver) as engine:
        first = engine.run(codes(2, 3)).outputs
        kept = first.copy()
        engine.run(codes(2, 3, seed=1))
        np.testing.assert_array_equal(first, kept)


@pytest.mark.parametrize(
    ("inputs", "lengths", "message"),
    [
        (np.zeros((2, 3, INPUTS + 1), np.int64), None, f"expected integer codes (N, T, {INPUTS})"),
        (np.zeros((2, 3, INPUTS)), None, f"expected integer codes (N, T, {INPUTS})"),
        (np.zeros((0, 3, INPUTS), np.int64), None, "expected 1 to T steps for each of 0 sequences"),
        (np.zeros((2, 3, INPUTS), np.int64), [1], "expected 1 to T steps for each of 2 sequences"),
        (np.zeros((2, 3, INPUTS), np.int64), [0, 1], "expected 1 to T steps for each of 2 sequences"),
        (np.zeros((2, 3, INPUTS), np.int64), [4, 1], "expected 1 to T steps for each of 2 sequences"),
        (np.full((2, 3, INPUTS), 999), None, "input codes span 999..999"),
    ],
)
def test_wrong_inputs_are_refused_unsent(folder: Path, inputs: npt.NDArray[Any], lengths: Any, message: str) -> None:
    with Accelerator(folder, driver="adapter") as engine:
        with pytest.raises(FormatError) as error:
            engine.run(inputs, lengths)
        assert message in str(error.value)
        engine.run(codes(1, 1))


def test_a_sequence_beyond_the_dma_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Accelerator(folder, driver="adapter") as engine:
        monkeypatch.setattr(processor, "MAX_TRANSFER_BYTES", 4000)
        with pytest.raises(CapacityError, match="the DMA carries at most 4000: run it in parts"):
            engine.run(codes(1, 2000))


def test_a_closed_accelerator_says_so(folder: Path) -> None:
    engine = Accelerator(folder, driver="adapter")
    engine.close()
    engine.close()
    with pytest.raises(DeviceError, match="the accelerator is closed"):
        engine.run(codes(1, 1))


def other_image(folder: Path) -> None:
    image_words(small_design(pes=3)).astype("<u4").tofile(folder / manifest.IMAGE)
    write_manifest(folder)


def damaged_image(folder: Path) -> None:
    words = image_words(small_design())
    words[20] ^= 1
    words.astype("<u4").tofile(folder / manifest.IMAGE)
    write_manifest(folder)


def other_image_id(folder: Path) -> None:
    write_manifest(folder, image_id=1)


def other_design(folder: Path) -> None:
    design = small_design(pes=3)
    words = image_words(design)
    words.astype("<u4").tofile(folder / manifest.IMAGE)
    write_manifest(folder, design=design, image_id=int(words[-1]))


def library_called_bitstream(folder: Path) -> None:
    write_manifest(folder, kind="bitstream")


def bitstream_called_library(folder: Path) -> None:
    (folder / manifest.BIT).write_bytes(bytes.fromhex("00090ff00ff00ff0") * 100)
    write_manifest(folder)


def cut_library(folder: Path) -> None:
    data = (folder / manifest.BIT).read_bytes()
    (folder / manifest.BIT).write_bytes(data[: len(data) // 2])
    write_manifest(folder)


def library_of_another_machine(folder: Path) -> None:
    data = bytearray((folder / manifest.BIT).read_bytes())
    data[18] ^= 0xFF  # e_machine
    (folder / manifest.BIT).write_bytes(data)
    write_manifest(folder)


@pytest.mark.parametrize(
    ("spoil", "kind", "message"),
    [
        (other_image, MismatchError, "image.bin is for design"),
        (damaged_image, FormatError, "image.bin: CRC is"),
        (other_image_id, MismatchError, "the manifest says 0x00000001: emit the image again"),
        (other_design, MismatchError, "the engine on the device is for design"),
        (library_called_bitstream, MismatchError, "design.bit: holds a shared library, the manifest says 'bitstream'"),
        (bitstream_called_library, MismatchError, "design.bit: holds no shared library, the manifest says 'emulated'"),
        (
            cut_library,
            FormatError,
            "so it was cut short: copy it or build it again",
        ),
        (library_of_another_machine, DeviceError, "design.bit: cannot be loaded on this machine"),
    ],
)
def test_parts_that_do_not_fit_are_refused(
    folder: Path, driver: Any, spoil: Any, kind: type[EseError], message: str
) -> None:
    spoil(folder)
    before = sorted(path.name for path in folder.parent.iterdir())
    with pytest.raises(kind) as error:
        Accelerator(folder, driver=driver)
    assert message in str(error.value)
    assert sorted(path.name for path in folder.parent.iterdir()) == before


@needs_pynq
def test_a_device_has_one_user_in_this_process(folder: Path) -> None:
    from ese_host.device.emulated.pynq_device import EmulatedDevice

    device = EmulatedDevice("pynq-z2", tag="test one user")
    lock = Path(tempfile.gettempdir()) / "ese4ml-test_one_user.lock"
    with Accelerator(folder, device=device), pytest.raises(DeviceError, match="device test one user is in use"):
        Accelerator(folder, device=device)
    assert not lock.exists()
    Accelerator(folder, device=device).close()


@needs_pynq
def test_a_device_has_one_user_among_processes(folder: Path) -> None:
    code = (
        "import sys\n"
        "from ese_host.runtime.accelerator import Accelerator\n"
        "from ese_host.device.emulated.pynq_device import EmulatedDevice\n"
        "Accelerator(sys.argv[1], device=EmulatedDevice('pynq-z2', tag='test processes'))\n"
        "print('ready', flush=True)\n"
        "sys.stdin.read()\n"
    )
    from ese_host.device.emulated.pynq_device import EmulatedDevice

    device = EmulatedDevice("pynq-z2", tag="test processes")
    with subprocess.Popen(
        [sys.executable, "-c", code, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None and other.stdout.readline() == "ready\n"
        with pytest.raises(DeviceError, match="device test processes is in use"):
            Accelerator(folder, device=device)
        other.kill()
    Accelerator(folder, device=device).close()


@needs_pynq
@pytest.mark.filterwarnings("ignore:No devices found")
def test_kinds_of_device_and_design_must_match(folder: Path) -> None:
    from ese_host.device.emulated.pynq_device import EmulatedDevice

    class Real:
        tag = "real device"

    with pytest.raises(MismatchError, match="'emulated' design for a real device"):
        Accelerator(folder, device=Real())
    bitstream_called_library(folder)
    write_manifest(folder, kind="bitstream")
    with pytest.raises(MismatchError, match="'bitstream' design for an emulated device"):
        Accelerator(folder, device=EmulatedDevice("pynq-z2"))
    with pytest.raises(DeviceError, match="pynq finds no device"):
        Accelerator(folder)


@needs_pynq
def test_pynq_itself_drives_the_emulated_device(folder: Path) -> None:
    """pynq's own Overlay, register map, clocks, allocate and DMA work on the emulated device."""
    import pynq

    from ese_host.device.emulated.pynq_device import EmulatedDevice

    device = EmulatedDevice("pynq-z2")
    device.offer()
    overlay = pynq.Overlay(str(folder / manifest.BIT), device=device)
    assert type(overlay.axi_dma_0).__name__ == "DMA"
    assert overlay.axi_dma_0.buffer_max_size == (1 << 26) - 1
    overlay.ese_0.write(0, 0x81)
    assert int(overlay.ese_0.register_map.design_id) == small_design().design_id
    send = pynq.allocate(1, "u4", target=device)
    receive = pynq.allocate(9, "u4", target=device)
    send[0] = 0x45530003
    overlay.axi_dma_0.recvchannel.transfer(receive)
    overlay.axi_dma_0.sendchannel.transfer(send)
    overlay.axi_dma_0.recvchannel.wait()
    assert overlay.axi_dma_0.recvchannel.transferred == 36
    trailer = [0x45534544, 3, 0, 0, 0, 0, 0, 0]
    assert receive.tolist() == [*trailer, zlib.crc32(np.array(trailer, "<u4").tobytes())]


def test_a_library_that_was_built_again_is_loaded_again(folder: Path) -> None:
    """The dynamic loader must not return the library that was at this path before."""
    with Accelerator(folder, driver="adapter"):
        copy = folder / "copy"
        shutil.copyfile(folder / manifest.BIT, copy)
        data = copy.read_bytes().replace(
            small_design().design_id.to_bytes(4, "little"), small_design(pes=3).design_id.to_bytes(4, "little")
        )
        copy.write_bytes(data)
        copy.replace(folder / manifest.BIT)
        write_manifest(folder)
        with pytest.raises(MismatchError, match="the engine on the device is for design"):
            Accelerator(folder, driver="adapter")
