# SPDX-License-Identifier: Apache-2.0
"""The binding of an emulated bitstream, from a file or from a loaded library, and the inputs that it refuses."""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ese_host.device.emulated.engine import EmulatedEngine, _end_of_segments
from ese_host.errors import DeviceError, FormatError
from ese_host.files.hashing import Contents
from ese_host.protocol.packets import TRAILER_WORDS, Operation, read_trailer, reset_packet

WAYS: dict[str, Callable[[Path], Contents | ctypes.CDLL]] = {
    "file": Contents.of,
    "loaded": lambda path: ctypes.CDLL(str(path)),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_packet_is_answered(library: Path, way: str) -> None:
    with EmulatedEngine(WAYS[way](library)) as engine:
        answer = engine.packet(reset_packet(), 20)
        assert len(answer) == TRAILER_WORDS
        read_trailer(answer).require(Operation.RESET)
        room = np.full(3, 7, dtype=np.uint32)
        assert engine.packet_into(reset_packet(), room) == TRAILER_WORDS
        np.testing.assert_array_equal(room, answer[:3])
        with pytest.raises(DeviceError, match=r"^the answer has 9 words; 8 were expected: compile the project again$"):
            engine.packet(reset_packet(), 8)


@pytest.mark.parametrize("way", WAYS)
def test_a_closed_engine_says_so(library: Path, way: str) -> None:
    engine = EmulatedEngine(WAYS[way](library))
    engine.close()
    engine.close()
    for use in (lambda: engine.register(0), lambda: engine.packet(reset_packet(), 9)):
        with pytest.raises(DeviceError, match=r"^the emulated engine is closed: open another one$"):
            use()


def test_what_is_no_engine_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "design.bit"
    path.write_bytes(bytes(100))
    with pytest.raises(FormatError, match=r"design\.bit: does not start with b'.*'; an emulated bitstream is a shared"):
        EmulatedEngine(Contents.of(path))
    with pytest.raises(DeviceError, match="cannot be loaded on this machine"):
        EmulatedEngine(ctypes.CDLL(None))


def test_an_engine_that_does_not_open_is_named(library: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = ctypes.CDLL(str(library))
    monkeypatch.setattr(loaded, "ese_open", lambda: None)
    with pytest.raises(DeviceError, match=r"design\.bit: ese_open returned no engine; free some memory"):
        EmulatedEngine(loaded)


def cut(library: Path, length: int) -> Contents:
    return Contents(library, library.read_bytes()[:length])


def test_a_library_that_was_cut_short_is_refused(library: Path) -> None:
    """The loader would map what is not there, and kill the process. Only the section headers may be missing."""
    whole = len(library.read_bytes())
    begin = _end_of_segments(library.read_bytes())
    assert whole // 2 < begin < whole
    for length in np.linspace(4, begin - 1, 50).astype(int).tolist():
        with pytest.raises(FormatError, match=rf"design\.bit: {length} bytes; .* so it was cut short: copy"):
            EmulatedEngine(cut(library, length))
    with EmulatedEngine(cut(library, begin)) as engine:
        assert len(engine.packet(reset_packet(), 20)) == TRAILER_WORDS


@pytest.mark.parametrize("wide", [False, True])
def test_program_headers_of_both_widths_are_read(wide: bool) -> None:
    """A header, a table of two entries behind it, and segments of which the second ends at 5000."""
    header, entry = (64, 56) if wide else (52, 32)
    form = "<16xHHIQQQIHHH" if wide else "<16xHHIIIIIHHH"
    data = bytearray(struct.pack(form, 3, 62, 1, 0, header, 0, 0, header, entry, 2)) + bytes(6)
    data[:6] = b"\x7fELF" + bytes([1 + wide, 1])
    for offset, length in ((0, 1000), (4000, 1000)):
        data += (
            struct.pack("<IIQQQQQQ", 1, 5, offset, 9, 9, length, 1 << 40, 4096)
            if wide
            else struct.pack("<IIIIIIII", 1, offset, 9, 9, length, 1 << 30, 5, 4096)
        )
    assert len(data) == header + 2 * entry
    assert _end_of_segments(bytes(data)) == 5000
    assert _end_of_segments(bytes(data[:-1])) == header + 2 * entry
    assert _end_of_segments(bytes(data[: header - 1])) == header
