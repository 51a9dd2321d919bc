# SPDX-License-Identifier: Apache-2.0
"""An emulated board with the address map of `ese_host.boards.processor` and the compiled engine behind its DMA."""

from __future__ import annotations

from ese_host.boards import Board, processor
from ese_host.device.emulated.axi_dma import AxiDma
from ese_host.device.emulated.engine import EmulatedEngine
from ese_host.device.emulated.faults import Faults
from ese_host.device.emulated.interrupts import InterruptController
from ese_host.device.emulated.memory import PhysicalMemory
from ese_host.device.emulated.worker import Done, Worker
from ese_host.device.trust import require
from ese_host.errors import DeviceError
from ese_host.files import Contents
from ese_host.protocol import IDLE_BIT, REGISTERS, START, START_BIT, Words

PAGES = 0xFFFFF000
"""Mask of an address's 4-KiB page; no page holds both registers of the processing system and others."""


class EmulatedBoard:
    """Registers and memory of one board, accessed by bus address as a driver does.

    Attributes:
        processor: the board's processing system.
        faults: faults to inject.
        memory: the board's memory.
        interrupts: the interrupt controller.
    """

    def __init__(self, board: Board, faults: Faults | None = None) -> None:
        self.processor = processor.processor_of(board.name)
        self.faults = faults if faults is not None else Faults()
        self.memory = PhysicalMemory()
        self._system = self.processor.clock_registers | self.processor.width_registers
        self._pages = {address & PAGES for address in self._system}
        self._trusted: dict[str, Contents] = {}
        self._worker: Worker | None = None
        self._started = False
        self.interrupts = InterruptController(lambda: self._dma.interrupts())
        self._dma = AxiDma(
            self.memory,
            self._submit,
            self.faults,
            processor.LENGTH_BITS,
            board.dma_memory_bits // 8,
            self.interrupts.update,
        )

    def trust(self, bitstream: Contents) -> None:
        """Let this bitstream be loaded, although this user may not have built it. Messages about it name its path."""
        self._trusted[bitstream.sha256] = bitstream

    def configure(self, bitstream: Contents) -> None:
        """Load an emulated bitstream in place of the one before.

        Raises:
            UntrustedError: if this user neither built it nor trusts it.
            FormatError: if the file is not a shared library.
            DeviceError: if the library cannot be loaded on this machine.
        """
        trusted = self._trusted.get(bitstream.sha256)
        if trusted is None:
            require(bitstream)
        engine = EmulatedEngine(trusted or bitstream)
        self.close()
        self._worker = Worker(engine)
        self._started = False
        self._dma.reset()

    def close(self) -> None:
        """Unload the bitstream, whatever its engine is doing. Closing twice does no harm."""
        if self._worker is not None:
            self._worker.abandon()
            self._worker = None

    def read(self, address: int) -> int:
        """Read 32 bits at a bus address.

        Raises:
            DeviceError: if nothing answers at this address, or the simulated engine failed, which is said once.
        """
        if self.faults.unplugged:
            return 0xFFFFFFFF
        if self._worker is not None and self._worker.failure is not None:
            failure, self._worker.failure = self._worker.failure, None
            raise failure
        offset = address - self.processor.dma_base
        if 0 <= offset < processor.BLOCK_BYTES:
            return self._dma.read(offset)
        offset = address - self.processor.engine_base
        if 0 <= offset < processor.BLOCK_BYTES:
            return self._read_engine(offset)
        offset = address - self.processor.intc_base
        if 0 <= offset < processor.BLOCK_BYTES:
            return self.interrupts.read(offset)
        if address & PAGES in self._pages:
            return self._system.get(address, 0)
        raise DeviceError(f"bus error: nothing answers a read at {address:#010x}")

    def write(self, address: int, value: int) -> None:
        """Write 32 bits at a bus address.

        Raises:
            DeviceError: if nothing answers at this address.
        """
        if self.faults.unplugged:
            return
        offset = address - self.processor.dma_base
        if 0 <= offset < processor.BLOCK_BYTES:
            self._dma.write(offset, value)
        elif 0 <= address - self.processor.engine_base < processor.BLOCK_BYTES:
            if address - self.processor.engine_base == REGISTERS["CTRL"].offset and value & START_BIT:
                self._started = self._worker is not None
                self._dma.advance()
        elif 0 <= address - self.processor.intc_base < processor.BLOCK_BYTES:
            self.interrupts.write(address - self.processor.intc_base, value)
        elif address & PAGES in self._pages:
            self._system[address] = value
        else:
            raise DeviceError(f"bus error: nothing answers a write at {address:#010x}")

    def _read_engine(self, offset: int) -> int:
        if offset in self.faults.registers:
            return self.faults.registers[offset]
        if offset == REGISTERS["CTRL"].offset:
            return START if self._started else IDLE_BIT
        return self._worker.engine.register(offset) if self._worker is not None and self._started else 0

    def _submit(self, packet: Words, answer_words: int, done: Done) -> bool:
        """Hand a packet to the engine; false if no engine is started, or a fault loses the packet."""
        if self._worker is None or not self._started:
            return False
        fault = self.faults.next_packet()
        if fault.swallow:
            return False
        self._worker.submit(packet, answer_words, fault, done)
        return True
