"""An emulated board: the address map of `ese_host.blockdesign`, with the compiled engine behind its DMA."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ese_host import blockdesign
from ese_host.blockdesign import Processor
from ese_host.device.axi_dma import AxiDma
from ese_host.device.engine import EmulatedEngine
from ese_host.device.faults import Faults
from ese_host.device.memory import PhysicalMemory
from ese_host.errors import DeviceError
from ese_host.packets import Words

CLOCK_BLOCKS = 0xFFFFF000
"""Clock registers lie in pages of their own."""
NO_ANSWER_END = -1


class EmulatedBoard:
    """Registers and memory of one board; what a bus access does, and nothing of any driver."""

    def __init__(self, processor: Processor, faults: Faults | None = None) -> None:
        self.processor = processor
        self.faults = faults if faults is not None else Faults()
        self.memory = PhysicalMemory()
        self._clocks = dict(processor.clock_registers)
        self._clock_pages = {address & CLOCK_BLOCKS for address in self._clocks}
        self._engine: EmulatedEngine | None = None
        self._started = False
        self._dma = AxiDma(self.memory, self._exchange, self.faults, blockdesign.LENGTH_BITS)

    def configure(self, bitstream: Path) -> None:
        """Load an emulated bitstream, in place of the one that was there.

        Raises:
            FormatError, DeviceError: it is not one, or cannot be loaded here.
        """
        engine = EmulatedEngine(bitstream)
        self.close()
        self._engine = engine
        self._started = False
        self._dma.reset()

    def close(self) -> None:
        """Unload the bitstream."""
        if self._engine is not None:
            self._engine.close()
            self._engine = None

    def read(self, address: int) -> int:
        """A 32-bit bus read.

        Raises:
            DeviceError: nothing answers at this address.
        """
        if self.faults.unplugged:
            return 0xFFFFFFFF
        offset = address - self.processor.dma_base
        if 0 <= offset < blockdesign.BLOCK_BYTES:
            return self._dma.read(offset)
        offset = address - self.processor.engine_base
        if 0 <= offset < blockdesign.BLOCK_BYTES:
            return self._read_engine(offset)
        if address & CLOCK_BLOCKS in self._clock_pages:
            return self._clocks.get(address, 0)
        raise DeviceError(f"bus error: nothing answers a read at {address:#010x}")

    def write(self, address: int, value: int) -> None:
        """A 32-bit bus write.

        Raises:
            DeviceError: nothing answers at this address.
        """
        if self.faults.unplugged:
            return
        offset = address - self.processor.dma_base
        if 0 <= offset < blockdesign.BLOCK_BYTES:
            self._dma.write(offset, value)
        elif 0 <= address - self.processor.engine_base < blockdesign.BLOCK_BYTES:
            if address - self.processor.engine_base == blockdesign.REGISTERS["CTRL"][0] and value & 1:
                self._started = self._engine is not None
                self._dma.advance()
        elif address & CLOCK_BLOCKS in self._clock_pages:
            self._clocks[address] = value
        else:
            raise DeviceError(f"bus error: nothing answers a write at {address:#010x}")

    def _read_engine(self, offset: int) -> int:
        if offset in self.faults.registers:
            return self.faults.registers[offset]
        if offset == blockdesign.REGISTERS["CTRL"][0]:
            return blockdesign.START if self._started else 4
        return self._engine.register(offset) if self._engine is not None and self._started else 0

    def _exchange(self, packet: Words, answer: Words) -> int | None:
        """One packet through the engine: words of its answer, None for no answer, below zero for one without an end."""
        if self._engine is None or not self._started:
            return None
        fault = self.faults.next_packet()
        if fault.swallow:
            return None
        if fault.packet is not None:
            packet = fault.packet(packet.copy())
        if fault.answer is None:
            count = self._engine.packet(packet, answer)
        else:
            whole = np.zeros(max(len(answer), 1 << 16), dtype=np.uint32)
            altered = fault.answer(whole[: self._engine.packet(packet, whole)])
            count = len(altered)
            answer[:count] = altered[: len(answer)]
        return NO_ANSWER_END if fault.lose_last else count
