"""The emulated board as a pynq Device: pynq's own Overlay, .hwh parser, DMA driver and buffers run above it."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from pynq.buffer import PynqBuffer
from pynq.interrupt import _InterruptController
from pynq.pl_server.device import Device
from pynqmetadata.frontends import Metadata  # type: ignore
from pynqmetadata.views.runtime import RuntimeMetadataParser  # type: ignore

from ese_host.boards import load_board
from ese_host.device.emulated.board import EmulatedBoard
from ese_host.device.emulated.faults import Faults


class InterruptLine:
    """The processor's interrupt input, in the place of pynq's UioController: it sets events when the line goes up."""

    def __init__(self, board: EmulatedBoard) -> None:
        self._board = board
        self._waiting: list[tuple[Any, asyncio.AbstractEventLoop]] = []
        board.interrupts.raised = self._raised

    def add_event(self, event: Any, _: int) -> None:
        """Set the event, in the loop that runs now, when the line is up."""
        self._waiting.append((event, asyncio.get_running_loop()))
        if self._board.interrupts.line:
            self._raised()

    def _raised(self) -> None:
        waiting, self._waiting = self._waiting, []
        for event, loop in waiting:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(event.set)


class EmulatedDevice(Device):  # type: ignore[misc]
    """A pynq Device whose registers and memory are an `EmulatedBoard`.

    pynq finds it only where it is asked for: pass it as `device=`, or `offer()` it to make it pynq's active device.
    """

    _probe_priority_ = 4550
    _offered: ClassVar[list[EmulatedDevice]] = []
    _numbers = itertools.count()

    def __init__(self, board: str, *, tag: str | None = None, faults: Faults | None = None) -> None:
        """A freshly powered board.

        Args:
            board: its name in ese_host/boards.
            tag: name of the device; two users of one tag exclude each other. By default every object is its own device.
            faults: what shall go wrong.

        Raises:
            UnsupportedError: the board is not known.
        """
        super().__init__(tag or f"emulated-{os.getpid()}-{next(self._numbers)}")
        self.name = board
        self.board = EmulatedBoard(load_board(board), faults)
        self.line = InterruptLine(self.board)
        self.arch = self.board.processor.architecture
        self.capabilities = {"REGISTER_RW": True}
        self.mem_dict: dict[str, Any] = {}

    @classmethod
    def _probe_(cls) -> list[EmulatedDevice]:
        return list(cls._offered)

    def offer(self) -> None:
        """Make this pynq's active device, as a board's own device is on the board."""
        self._offered.append(self)
        Device.active_device = self
        self._wire()

    @contextlib.contextmanager
    def wired(self) -> Iterator[None]:
        """Our interrupt line in the place of the one that pynq looks for under /dev, for a while."""
        self._wire()
        try:
            yield
        finally:
            if self not in self._offered:
                _InterruptController._uio_devices.clear()

    def _wire(self) -> None:
        _InterruptController._controllers.clear()
        _InterruptController._uio_devices.clear()
        _InterruptController._uio_devices[self.board.processor.interrupt_number] = self.line

    def allocate(self, shape: Any, dtype: Any, **_: Any) -> Any:
        """A buffer of the board's memory, not coherent with the cache; pynq.allocate comes here.

        Raises:
            MemoryError: none is left, as XRT says it.
        """
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        if self.board.faults.no_memory:
            raise MemoryError(f"cannot allocate {size} bytes of contiguous memory")
        region = self.board.memory.allocate(size)
        buffer = PynqBuffer(
            shape,
            dtype,
            buffer=region.cached,
            device=self,
            device_address=region.address,
            bo=region.address,
            coherent=False,
        )
        weakref.finalize(buffer, self.board.memory.free, region.address)
        return buffer

    def flush(self, bo: int, offset: int, _: int, size: int) -> None:
        """Cache to memory."""
        self.board.memory.flush(bo, offset, size)

    def invalidate(self, bo: int, offset: int, _: int, size: int) -> None:
        """Memory to cache."""
        self.board.memory.invalidate(bo, offset, size)

    def read_registers(self, address: int, length: int) -> bytes:
        """Bus reads of `length` bytes."""
        if length == 4:
            return self.board.read(address).to_bytes(4, "little")
        return b"".join(self.board.read(address + at).to_bytes(4, "little") for at in range(0, length, 4))

    def write_registers(self, address: int, data: Any) -> None:
        """Bus writes."""
        raw = bytes(data)
        for at in range(0, len(raw), 4):
            self.board.write(address + at, int.from_bytes(raw[at : at + 4], "little"))

    def get_bitfile_metadata(self, bitfile_name: str, **_: Any) -> Any:
        """What pynq's parser reads from the .hwh beside a bitstream."""
        parser = RuntimeMetadataParser(Metadata(input=str(Path(bitfile_name).with_suffix(".hwh"))))
        parameters = parser.ip_dict[parser.ps_name]["parameters"]
        for index, clock in parser.clock_dict.items():
            # pynq 4.0 looks for a Zynq-7000's fabric clock under an UltraScale's name only, and then fails without one.
            if clock.get("frequency") is None:
                clock["frequency"] = float(parameters.get(f"PCW_ACT_FPGA{index}_PERIPHERAL_FREQMHZ", 100))
        return parser

    def download(self, bitstream: Any, parser: Any = None) -> None:
        """Configure the board, as FPGA manager does."""
        self.board.configure(Path(bitstream.bitfile_name))
        self.post_download(bitstream, parser, self.name)
