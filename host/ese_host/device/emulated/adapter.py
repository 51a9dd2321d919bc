# SPDX-License-Identifier: Apache-2.0
"""The part of pynq's interface that `Accelerator` uses, for an emulated board on a machine without pynq."""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np

from ese_host.boards import BLOCK_BYTES, MAX_TRANSFER_BYTES
from ese_host.device.emulated.board import EmulatedBoard
from ese_host.device.emulated.memory import PhysicalMemory
from ese_host.errors import DeviceError
from ese_host.protocol import DmaBit, DmaRegister


class Buffer(np.ndarray):  # type: ignore[type-arg]  # NumPy 2.5's NDArray is no class, and 1.21's takes no arguments
    """An array in the board's memory, like pynq's PynqBuffer: it and its slices know their physical address.

    Attributes:
        memory: the memory that holds the buffer.
        region: physical address of the buffer that was allocated.
        offset: bytes from there to the first element of this array.
    """

    memory: PhysicalMemory
    region: int
    offset: int

    def __array_finalize__(self, parent: Any) -> None:
        if isinstance(parent, Buffer) and hasattr(parent, "region"):
            self.memory, self.region = parent.memory, parent.region
            self.offset = parent.offset + int(self.ctypes.data) - int(parent.ctypes.data)

    @property
    def physical_address(self) -> int:
        """Physical address of the first element."""
        return self.region + self.offset

    def flush(self) -> None:
        """Write the array from the cache to memory, where the DMA reads it."""
        self.memory.flush(self.region, self.offset, self.nbytes)

    def invalidate(self) -> None:
        """Read the array from memory, where the DMA wrote it, to the cache."""
        self.memory.invalidate(self.region, self.offset, self.nbytes)


def allocate(board: EmulatedBoard, words: int) -> Buffer:
    """Allocate a buffer of 32-bit words in a board's memory.

    Raises:
        MemoryError: if the fault `no_memory` is injected.
        DeviceError: if not enough memory is left.
    """
    if board.faults.no_memory:
        raise MemoryError(f"cannot allocate {4 * words} bytes of contiguous memory")
    region = board.memory.allocate(4 * words)
    buffer = region.cached.view("<u4").view(Buffer)
    buffer.memory, buffer.region, buffer.offset = board.memory, region.address, 0
    weakref.finalize(buffer, board.memory.free, region.address)
    return buffer


class AdapterMmio:
    """One block of 32-bit registers, like pynq's MMIO and DefaultIP."""

    def __init__(self, board: EmulatedBoard, base: int) -> None:
        self._board, self._base = board, base

    def read(self, offset: int = 0) -> int:
        """The value of the register at a byte offset.

        Raises:
            DeviceError: if there is no register at this offset.
        """
        return self._board.read(self._base + self._inside(offset))

    def write(self, offset: int, value: int) -> None:
        """Write the register at a byte offset.

        Raises:
            DeviceError: if there is no register at this offset.
        """
        self._board.write(self._base + self._inside(offset), value)

    @staticmethod
    def _inside(offset: int) -> int:
        """The offset, after a check that it is inside the block."""
        if not 0 <= offset < BLOCK_BYTES or offset % 4:
            raise DeviceError(f"register offset is {offset:#x}; it must be a multiple of 4 below {BLOCK_BYTES:#x}")
        return offset


class AdapterChannel:
    """One direction of the DMA, like pynq's _SDMAChannel."""

    def __init__(self, registers: AdapterMmio, offset: int) -> None:
        self._registers, self._offset = registers, offset
        self._fresh = True

    def _status(self) -> int:
        return self._registers.read(self._offset + DmaRegister.STATUS)

    @property
    def running(self) -> bool:
        """Whether the channel runs, that is, is not halted."""
        return not self._status() & DmaBit.HALTED

    @property
    def idle(self) -> bool:
        """Whether the last transfer is complete."""
        return bool(self._status() & DmaBit.IDLE)

    def start(self) -> None:
        """Start the channel; transfers are possible from now on."""
        self._registers.write(self._offset + DmaRegister.CONTROL, DmaBit.RUN)
        self._fresh = True

    def transfer(self, array: Any) -> None:
        """Start to transfer an array.

        Raises:
            RuntimeError: if the channel is not started, or the last transfer is not complete.
            ValueError: if the array is longer than a DMA transfer may be.
        """
        if not self.running or not (self.idle or self._fresh):
            raise RuntimeError("DMA channel not started or not idle")
        if array.nbytes > MAX_TRANSFER_BYTES:
            raise ValueError(f"transfer has {array.nbytes} bytes; at most {MAX_TRANSFER_BYTES} are allowed")
        if self._offset == DmaRegister.SEND:
            array.flush()
        self._registers.write(self._offset + DmaRegister.ADDRESS, array.physical_address)
        self._registers.write(self._offset + DmaRegister.ADDRESS_HIGH, 0)
        self._fresh = False
        self._registers.write(self._offset + DmaRegister.LENGTH, array.nbytes)


class Dma(AdapterMmio):
    """A DMA with both directions, like pynq's lib.dma.DMA."""

    buffer_max_size = MAX_TRANSFER_BYTES

    def __init__(self, board: EmulatedBoard, base: int) -> None:
        super().__init__(board, base)
        self.sendchannel = AdapterChannel(self, DmaRegister.SEND)
        self.recvchannel = AdapterChannel(self, DmaRegister.RECEIVE)
