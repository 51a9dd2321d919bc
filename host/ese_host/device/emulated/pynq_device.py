# SPDX-License-Identifier: Apache-2.0
"""The emulated board as a pynq Device, on which pynq's own Overlay, .hwh parser, DMA driver and buffers work."""

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
from ese_host.files import Contents


class InterruptLine:
    """The processor's interrupt input. It replaces pynq's UioController and sets events when the line goes up."""

    def __init__(self, board: EmulatedBoard) -> None:
        self._board = board
        self._waiting: list[tuple[Any, asyncio.AbstractEventLoop]] = []
        board.interrupts.raised = self._raised

    def add_event(self, event: Any, _: int) -> None:
        """Set an event in the asyncio loop that runs now, as soon as the line is up."""
        self._waiting.append((event, asyncio.get_running_loop()))
        if self._board.interrupts.line:
            self._raised()

    def _raised(self) -> None:
        waiting, self._waiting = self._waiting, []
        for event, loop in waiting:
            with contextlib.suppress(RuntimeError):  # the loop is closed, so nobody waits any more
                loop.call_soon_threadsafe(event.set)


class EmulatedDevice(Device):  # type: ignore[misc]
    """A pynq Device whose registers and memory are an `EmulatedBoard`.

    pynq does not find it by itself: pass it as `device=`, or call `offer()` to make it pynq's active device.
    """

    _probe_priority_ = 4550
    _offered: ClassVar[list[EmulatedDevice]] = []
    _numbers = itertools.count()

    def __init__(self, board: str, *, tag: str | None = None, faults: Faults | None = None) -> None:
        """Make a freshly powered board.

        Args:
            board: the board's name in ese_host/boards.
            tag: name of the device. Only one accelerator at a time can use a tag; by default each object has another.
            faults: faults to inject.

        Raises:
            UnsupportedError: if the board is not known.
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
        """Make this pynq's active device, as the FPGA is on a real board."""
        self._offered.append(self)
        Device.active_device = self
        self._wire()

    @contextlib.contextmanager
    def wired(self) -> Iterator[None]:
        """Context in which pynq uses our interrupt line instead of one under /dev."""
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
        """Allocate a buffer in the board's memory, not coherent with the cache; pynq.allocate calls this.

        Args:
            shape: the buffer's shape.
            dtype: the buffer's type.

        Raises:
            MemoryError: if the fault `no_memory` is injected; on a board XRT raises it.
            DeviceError: if not enough memory is left.
        """
        size = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
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
        """Write bytes of a buffer from the cache back to the memory; pynq's buffers call this.

        Args:
            bo: the buffer's physical address, which pynq calls its buffer object.
            offset: first byte to write, counted from there.
            size: number of bytes.
        """
        self.board.memory.flush(bo, offset, size)

    def invalidate(self, bo: int, offset: int, _: int, size: int) -> None:
        """Replace bytes of a buffer in the cache by those in the memory; pynq's buffers call this.

        Args:
            bo: the buffer's physical address, which pynq calls its buffer object.
            offset: first byte to replace, counted from there.
            size: number of bytes.
        """
        self.board.memory.invalidate(bo, offset, size)

    def read_registers(self, address: int, length: int) -> bytes:
        """Read `length` bytes at a bus address, 32 bits at a time."""
        if length == 4:
            return self.board.read(address).to_bytes(4, "little")
        return b"".join(self.board.read(address + at).to_bytes(4, "little") for at in range(0, length, 4))

    def write_registers(self, address: int, data: Any) -> None:
        """Write bytes at a bus address, 32 bits at a time."""
        raw = bytes(data)
        for at in range(0, len(raw), 4):
            self.board.write(address + at, int.from_bytes(raw[at : at + 4], "little"))

    def get_bitfile_metadata(self, bitfile_name: str, **_: Any) -> Any:
        """Parse the .hwh beside a bitstream with pynq's parser, and add the fabric clock if pynq misses it."""
        parser = RuntimeMetadataParser(Metadata(input=str(Path(bitfile_name).with_suffix(".hwh"))))
        parameters = parser.ip_dict[parser.ps_name]["parameters"]
        for index, clock in parser.clock_dict.items():
            # pynq 4.0 looks for the fabric clock only under an UltraScale's parameter name, and fails on a Zynq-7000.
            if clock.get("frequency") is None:
                clock["frequency"] = float(parameters.get(f"PCW_ACT_FPGA{index}_PERIPHERAL_FREQMHZ", 100))
        return parser

    def download(self, bitstream: Any, parser: Any = None) -> None:
        """Load a bitstream into the board, as the FPGA manager of Linux does."""
        self.board.configure(Contents.of(Path(bitstream.bitfile_name)))
        self.post_download(bitstream, parser, self.name)
