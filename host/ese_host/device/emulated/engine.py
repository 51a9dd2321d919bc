# SPDX-License-Identifier: Apache-2.0
"""Engines of an emulated bitstream, a shared library made of the engine's C++ or RTL (docs/reference/packets.md)."""

from __future__ import annotations

import ctypes
import struct
import tempfile
from _ctypes import dlclose
from collections.abc import Callable
from pathlib import Path
from weakref import finalize

import numpy as np

from ese_host.device.closeable import Closeable
from ese_host.errors import DeviceError, FormatError
from ese_host.files import Contents
from ese_host.protocol import Words

ELF_MAGIC = b"\x7fELF"
NO_ANSWER = ctypes.c_size_t(-1).value
"""Number of words of an answer that never ends, which only an engine in RTL can give."""


def is_library(bitstream: Contents) -> bool:
    """Whether a design.bit is a shared library, instead of a bitstream for an FPGA."""
    return bitstream.data.startswith(ELF_MAGIC)


class EmulatedEngine(Closeable):
    """One engine of an emulated bitstream. Use it as a context manager, or close it."""

    def __init__(self, library: Contents | ctypes.CDLL) -> None:
        """Bind a library and open one engine. Whoever calls this has decided to run the library's code.

        Args:
            library: the contents of a library, or a loaded library. Contents are loaded from a private copy, because
                the dynamic loader never reads the same path twice, and a design may be rebuilt while the process lives.

        Raises:
            FormatError: if the contents are no shared library, or were cut short.
            DeviceError: if the library cannot be loaded on this machine, or there is no memory for the engine.
        """
        name = library._name if isinstance(library, ctypes.CDLL) else library
        if isinstance(library, Contents) and not is_library(library):
            raise FormatError(
                f"{name}: does not start with {ELF_MAGIC!r}; an emulated bitstream is a shared library: build it again"
            )
        if isinstance(library, Contents) and (end := _end_of_segments(library.data)) > len(library.data):
            raise FormatError(
                f"{name}: {len(library.data)} bytes; its headers ask for at least {end}, so it was cut short: copy it "
                "or build it again"
            )
        self._engine: int | None = None
        self._unload: Callable[[], object] = lambda: None
        try:
            loaded = library if isinstance(library, ctypes.CDLL) else _load_copy(library)
            if loaded is not library:
                self._unload = finalize(self, dlclose, loaded._handle)
                self._unload.atexit = False  # a thread may still be in the library when the process ends
            self._packet = loaded.ese_packet
            self._register = loaded.ese_register
            self._close = loaded.ese_close
            self._fault = getattr(loaded, "ese_fault", None)  # only an engine in RTL has this function
            opened = loaded.ese_open
        except (OSError, AttributeError) as error:
            self._unload()
            raise DeviceError(
                f"{name}: cannot be loaded on this machine ({error}); build it here with `ese4ml build`, "
                "or for a board with `make bitstream`"
            ) from error
        opened.restype, opened.argtypes = ctypes.c_void_p, []
        self._close.restype, self._close.argtypes = None, [ctypes.c_void_p]
        self._register.restype, self._register.argtypes = ctypes.c_uint32, [ctypes.c_void_p, ctypes.c_uint32]
        self._packet.restype = ctypes.c_size_t
        self._packet.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p, ctypes.c_size_t]
        if self._fault is not None:
            self._fault.restype, self._fault.argtypes = ctypes.c_char_p, [ctypes.c_void_p]
        self._engine = opened()
        if not self._engine:
            self._unload()
            raise DeviceError(f"{name}: ese_open returned no engine; free some memory and try again")

    def register(self, offset: int) -> int:
        """The value of the register at a byte offset.

        Raises:
            DeviceError: if the engine is closed.
        """
        return int(self._register(self._open(), offset))

    def packet_into(self, words: Words, answer: Words) -> int:
        """Send one packet and write the answer to an array.

        Args:
            words: 32-bit words of the packet.
            answer: receives the first words of the answer, as many as it holds.

        Returns:
            How many words the answer has; more than `answer` holds if it was cut.

        Raises:
            DeviceError: if the engine is closed, hangs, or breaks the rules of its ports.
        """
        words = np.ascontiguousarray(words, dtype=np.uint32)
        count = int(self._packet(self._open(), words.ctypes.data, len(words), answer.ctypes.data, len(answer)))
        if count == NO_ANSWER:
            said = self._fault(self._open()).decode() if self._fault is not None else "it gave no answer"
            raise DeviceError(f"the simulated engine failed: {said}; open it again, and report it if it fails again")
        return count

    def packet(self, words: Words, answer_words: int) -> Words:
        """Send one packet and return its answer of at most `answer_words` words.

        Raises:
            DeviceError: if the answer is longer, or the engine is closed, hangs, or breaks the rules of its ports.
        """
        answer = np.zeros(answer_words, dtype=np.uint32)
        count = self.packet_into(words, answer)
        if count > answer_words:
            raise DeviceError(f"the answer has {count} words; {answer_words} were expected: compile the project again")
        return answer[:count]

    def close(self) -> None:
        """Free the engine, and unload its library if it was loaded from a file. Closing twice does no harm."""
        if self._engine:
            self._close(self._engine)
            self._engine = None
        self._unload()

    def _open(self) -> int:
        if self._engine is None:
            raise DeviceError("the emulated engine is closed: open another one")
        return self._engine


def _end_of_segments(data: bytes) -> int:
    """Bytes that a library must have so that all of its program headers and segments are there.

    The dynamic loader maps segments without a look at the file's length, and what lies beyond the end kills the
    process. Libraries that are not little-endian are left to the loader, which refuses them.
    """
    wide = data[4:5] == b"\2"  # EI_CLASS
    if data[5:6] == b"\2":  # EI_DATA
        return 0
    header, first, size = (64, "<32xQ14xHH", "<8xQ16xQ") if wide else (52, "<28xI10xHH", "<4xI8xI")
    if len(data) < header:
        return header
    table, entry_bytes, entries = struct.unpack_from(first, data)
    end = table + entry_bytes * entries
    if end > len(data) or entry_bytes < struct.calcsize(size):
        return int(end)
    places = (struct.unpack_from(size, data, table + entry_bytes * number) for number in range(entries))
    return max((int(offset + length) for offset, length in places), default=int(end))


def _load_copy(library: Contents) -> ctypes.CDLL:
    """Load a library from a temporary copy, which is deleted once it is loaded.

    Raises:
        OSError: if the library cannot be loaded.
        StorageError: if the copy cannot be written.
    """
    with tempfile.TemporaryDirectory(prefix="ese4ml-") as folder:
        copy = Path(folder) / "design.so"
        library.copy_to(copy)
        return ctypes.CDLL(str(copy))
