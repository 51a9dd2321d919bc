"""The emulated bitstream: the engine's C++ as a shared library (docs/packets.md), one engine an object."""

from __future__ import annotations

import ctypes
import shutil
import tempfile
from pathlib import Path

import numpy as np

from ese_host.errors import DeviceError, FormatError
from ese_host.protocol.packets import Words

ELF_MAGIC = b"\x7fELF"


def is_library(path: Path) -> bool:
    """Whether a design.bit is a shared library, and not a bitstream for a chip."""
    with path.open("rb") as stream:
        return stream.read(len(ELF_MAGIC)) == ELF_MAGIC


class EmulatedEngine:
    """One engine of an emulated bitstream.

    The library is loaded from a private copy: a loader that has seen a path does not look at the file again, and a
    design may be built anew while the process lives.
    """

    def __init__(self, path: Path) -> None:
        """Load a library and open one engine.

        Raises:
            FormatError: the file is no shared library. DeviceError: it cannot be loaded here.
        """
        if not is_library(path):
            raise FormatError(
                f"{path}: starts with no {ELF_MAGIC!r}; an emulated bitstream is a shared library: build it again"
            )
        try:
            with tempfile.TemporaryDirectory(prefix="ese4ml-") as folder:
                copy = shutil.copyfile(path, Path(folder) / "design.so")
                library = ctypes.CDLL(str(copy))
            self._packet = library.ese_packet
            self._register = library.ese_register
            self._close = library.ese_close
            opened = library.ese_open
        except (OSError, AttributeError) as error:
            raise DeviceError(
                f"{path}: cannot be loaded on this machine ({error}); build it here: `ese4ml build`, "
                "or for a board: `make bitstream`"
            ) from error
        opened.restype, opened.argtypes = ctypes.c_void_p, []
        self._close.restype, self._close.argtypes = None, [ctypes.c_void_p]
        self._register.restype, self._register.argtypes = ctypes.c_uint32, [ctypes.c_void_p, ctypes.c_uint32]
        self._packet.restype = ctypes.c_size_t
        self._packet.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p, ctypes.c_size_t]
        self._engine = opened()
        if not self._engine:
            raise DeviceError(f"{path}: ese_open returned nothing; is memory short?")

    def register(self, offset: int) -> int:
        """A register's value."""
        return int(self._register(self._engine, offset))

    def packet(self, words: Words, answer: Words) -> int:
        """Send one packet; returns the words of the answer, of which `answer` receives as many as it holds."""
        words = np.ascontiguousarray(words, dtype=np.uint32)
        return int(self._packet(self._engine, words.ctypes.data, len(words), answer.ctypes.data, len(answer)))

    def close(self) -> None:
        """Free the engine."""
        if self._engine:
            self._close(self._engine)
            self._engine = None
