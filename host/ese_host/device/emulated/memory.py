# SPDX-License-Identifier: Apache-2.0
"""Physical memory of an emulated board: buffers with an address, each with one copy in the cache and one in the DDR."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ese_host.errors import DeviceError
from ese_host.protocol import Words

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Region:
    """One buffer. Flush and invalidate copy between its two contents.

    Attributes:
        address: physical address of the first byte.
        cached: (bytes,) contents that the processor sees.
        memory: (bytes,) contents that the DMA sees.
    """

    address: int
    cached: Bytes
    memory: Bytes


class PhysicalMemory:
    """Buffers of contiguous memory. Each starts at a page, and no address is used twice."""

    PAGE = 4096

    def __init__(self, base: int = 0x10000000, end: int = 0xF0000000, capacity: int = 256 << 20) -> None:
        self._regions: dict[int, Region] = {}
        self._next, self._end, self._capacity = base, end, capacity

    def allocate(self, size: int) -> Region:
        """Allocate a buffer of `size` bytes, all zero.

        Raises:
            DeviceError: if not enough memory is left.
        """
        free = min(
            self._end - self._next, self._capacity - sum(len(region.memory) for region in self._regions.values())
        )
        if not 0 < size <= free:
            raise DeviceError(
                f"a buffer of {size} bytes was asked for; {free} are left: close other users of the device"
            )
        region = Region(self._next, np.zeros(size, np.uint8), np.zeros(size, np.uint8))
        self._regions[region.address] = region
        self._next += -(-size // self.PAGE) * self.PAGE
        return region

    def free(self, address: int) -> None:
        """Free a buffer; the DMA no longer finds it."""
        self._regions.pop(address, None)

    def words(self, address: int, size: int) -> Words | None:
        """The `size` bytes that the DMA sees at an address, as a view; None if they are not inside one buffer."""
        for region in self._regions.values():
            start = address - region.address
            if start >= 0 and start + size <= len(region.memory):
                return region.memory[start : start + size].view("<u4")
        return None

    def flush(self, address: int, offset: int, size: int) -> None:
        """Write bytes of a buffer from the cache back to the memory.

        Args:
            address: physical address of the buffer.
            offset: first byte to write, counted from there.
            size: number of bytes.
        """
        self._regions[address].memory[offset : offset + size] = self._regions[address].cached[offset : offset + size]

    def invalidate(self, address: int, offset: int, size: int) -> None:
        """Replace bytes of a buffer in the cache by those in the memory.

        Args:
            address: physical address of the buffer.
            offset: first byte to replace, counted from there.
            size: number of bytes.
        """
        self._regions[address].cached[offset : offset + size] = self._regions[address].memory[offset : offset + size]
