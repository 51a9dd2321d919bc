"""The emulated bitstream: the engine's C++ as a shared library (docs/packets.md), one engine an object."""

from __future__ import annotations

import ctypes
import shutil
import tempfile
from pathlib import Path

import numpy as np

from ese_host.device.closeable import Closeable
from ese_host.errors import DeviceError, FormatError
from ese_host.protocol import Words

ELF_MAGIC = b"\x7fELF"


def is_library(path: Path) -> bool:
    """Whether a design.bit is a shared library, and not a bitstream for a chip."""
    with path.open("rb") as stream:
        return stream.read(len(ELF_MAGIC)) == ELF_MAGIC


class EmulatedEngine(Closeable):
    """One engine of an emulated bitstream, open until it is closed; a context manager."""

    def __init__(self, library: Path | ctypes.CDLL) -> None:
        """Bind a library and open one engine.

        Args:
            library: the library's file, or what is loaded already. A file is loaded from a private copy: a loader that
                has seen a path does not look at the file again, and a design may be built anew while the process lives.

        Raises:
            FormatError: the file is no shared library. DeviceError: it cannot be loaded here, or there is no memory.
        """
        name = library._name if isinstance(library, ctypes.CDLL) else library
        if isinstance(library, Path) and not is_library(library):
            raise FormatError(
                f"{name}: starts with no {ELF_MAGIC!r}; an emulated bitstream is a shared library: build it again"
            )
        try:
            loaded = library if isinstance(library, ctypes.CDLL) else _load_copy(library)
            self._packet = loaded.ese_packet
            self._register = loaded.ese_register
            self._close = loaded.ese_close
            opened = loaded.ese_open
        except (OSError, AttributeError) as error:
            raise DeviceError(
                f"{name}: cannot be loaded on this machine ({error}); build it here: `ese4ml build`, "
                "or for a board: `make bitstream`"
            ) from error
        opened.restype, opened.argtypes = ctypes.c_void_p, []
        self._close.restype, self._close.argtypes = None, [ctypes.c_void_p]
        self._register.restype, self._register.argtypes = ctypes.c_uint32, [ctypes.c_void_p, ctypes.c_uint32]
        self._packet.restype = ctypes.c_size_t
        self._packet.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p, ctypes.c_size_t]
        self._engine: int | None = opened()
        if not self._engine:
            raise DeviceError(f"{name}: ese_open returned nothing; is memory short?")

    def register(self, offset: int) -> int:
        """A register's value.

        Raises:
            DeviceError: the engine is closed.
        """
        return int(self._register(self._open(), offset))

    def packet_into(self, words: Words, answer: Words) -> int:
        """Send one packet; returns the words of the answer, of which `answer` receives as many as it holds.

        Raises:
            DeviceError: the engine is closed.
        """
        words = np.ascontiguousarray(words, dtype=np.uint32)
        return int(self._packet(self._open(), words.ctypes.data, len(words), answer.ctypes.data, len(answer)))

    def packet(self, words: Words, answer_words: int) -> Words:
        """Send one packet; returns its answer of at most `answer_words` words.

        Raises:
            DeviceError: the answer is longer, or the engine is closed.
        """
        answer = np.zeros(answer_words, dtype=np.uint32)
        count = self.packet_into(words, answer)
        if count > answer_words:
            raise DeviceError(f"answer has {count} words; {answer_words} were expected: compile the project again")
        return answer[:count]

    def close(self) -> None:
        """Free the engine; a second time does nothing."""
        if self._engine:
            self._close(self._engine)
            self._engine = None

    def _open(self) -> int:
        if self._engine is None:
            raise DeviceError("the emulated engine is closed: open another one")
        return self._engine


def _load_copy(path: Path) -> ctypes.CDLL:
    """Load a library from a copy that is gone when it is loaded.

    Raises:
        OSError: it cannot be loaded.
    """
    with tempfile.TemporaryDirectory(prefix="ese4ml-") as folder:
        return ctypes.CDLL(str(shutil.copyfile(path, Path(folder) / "design.so")))
