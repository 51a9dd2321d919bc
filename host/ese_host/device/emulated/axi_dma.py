# SPDX-License-Identifier: Apache-2.0
"""An AXI DMA in simple mode (AMD's guide PG021), as far as pynq's driver and ours use its registers."""

from __future__ import annotations

import threading
from collections.abc import Callable

from ese_host.device.emulated.faults import Faults
from ese_host.device.emulated.memory import PhysicalMemory
from ese_host.device.emulated.worker import Done
from ese_host.protocol import DmaBit, DmaRegister, Words

PATIENCE = 5e-3
"""Seconds that a read of a status register waits while the engine works, so that drivers need not poll often."""

Engine = Callable[[Words, int, Done], bool]
"""Function that hands a packet to the engine; false if nothing takes it.

Its arguments are the packet, the most words of the answer, and the function to call with the answer.
"""


class DmaChannel:
    """Registers and state of one direction of the DMA."""

    def __init__(self) -> None:
        self.control, self.status = 0, DmaBit.HALTED
        self.address, self.length = 0, 0
        self.pending = False

    def finish(self, length: int) -> None:
        """Complete the transfer with `length` bytes."""
        self.length, self.pending = length, False
        self.status |= DmaBit.IDLE | DmaBit.COMPLETE

    def fail(self, errors: int) -> None:
        """End the transfer with error bits of the status register, and halt the channel."""
        self.pending = False
        self.control &= ~DmaBit.RUN
        self.status = (self.status & ~DmaBit.IDLE) | errors | DmaBit.HALTED | DmaBit.FAILED


class AxiDma:
    """The two DMA channels between physical memory and one engine's streams; the engine answers in another thread."""

    def __init__(
        self,
        memory: PhysicalMemory,
        engine: Engine,
        faults: Faults,
        length_bits: int,
        align: int = 4,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        """Make a DMA with both channels halted.

        Args:
            memory: the memory that the DMA reads and writes.
            engine: function that hands a packet to the engine at the other end of both streams.
            faults: faults to inject.
            length_bits: width of the length registers.
            align: addresses must be a multiple of this many bytes.
            changed: function to call after every change of the interrupt outputs.
        """
        self._memory, self._engine, self._faults = memory, engine, faults
        self._length_mask, self._align, self._changed = (1 << length_bits) - 1, align, changed
        self._lock = threading.RLock()
        self._finished = threading.Event()
        self._transfer = 0
        self.reset()

    def reset(self) -> None:
        """Halt both channels and drop every pending transfer; answers that the engine still gives are lost."""
        with self._lock:
            self._channels = {DmaRegister.SEND: DmaChannel(), DmaRegister.RECEIVE: DmaChannel()}
            self._transfer += 1
            self._busy = False
            self._finished.set()

    def interrupts(self) -> int:
        """The two interrupt outputs: bit 0 of the send channel, bit 1 of the receive channel."""
        send, receive = self._channels[DmaRegister.SEND], self._channels[DmaRegister.RECEIVE]
        raised = [bool(channel.status & channel.control & DmaBit.INTERRUPTS) for channel in (send, receive)]
        return raised[0] | raised[1] << 1

    def read(self, offset: int) -> int:
        """The value of the register at a byte offset; reserved registers read as zero."""
        base = DmaRegister.RECEIVE if offset >= DmaRegister.RECEIVE else DmaRegister.SEND
        if offset - base == DmaRegister.STATUS and self._busy:
            self._finished.wait(PATIENCE)
        channel = self._channels[base]
        register = offset - base
        if register == DmaRegister.STATUS:
            return channel.status
        if register == DmaRegister.CONTROL:
            return channel.control
        if register == DmaRegister.LENGTH:
            return channel.length
        if register == DmaRegister.ADDRESS:
            return channel.address & 0xFFFFFFFF
        return channel.address >> 32 if register == DmaRegister.ADDRESS_HIGH else 0

    def write(self, offset: int, value: int) -> None:
        """Write the register at a byte offset, with all its effects."""
        base = DmaRegister.RECEIVE if offset >= DmaRegister.RECEIVE else DmaRegister.SEND
        channel, register = self._channels[base], offset - base
        if register == DmaRegister.CONTROL:
            self._control(channel, value)
        elif register == DmaRegister.STATUS:
            channel.status &= ~(value & DmaBit.INTERRUPTS)
            self._changed()
        elif register == DmaRegister.ADDRESS:
            channel.address = channel.address >> 32 << 32 | value
        elif register == DmaRegister.ADDRESS_HIGH:
            channel.address = channel.address & 0xFFFFFFFF | value << 32
        elif register == DmaRegister.LENGTH and not channel.status & DmaBit.HALTED:
            self._start(channel, base, value & self._length_mask)

    def advance(self) -> None:
        """Hand a packet to the engine if one is waiting and there is a buffer for its answer."""
        with self._lock:
            send, receive = self._channels[DmaRegister.SEND], self._channels[DmaRegister.RECEIVE]
            if self._busy or not (send.pending and receive.pending):
                return
            packet, answer = (self._memory.words(channel.address, channel.length) for channel in (send, receive))
            if packet is None or answer is None:
                for channel, words in ((send, packet), (receive, answer)):
                    if words is None:
                        channel.fail(DmaBit.DECODE)
                return
            ticket, target = self._transfer, answer
            if self._engine(packet, len(answer), lambda words, count: self._answered(ticket, target, words, count)):
                self._busy = True
                self._finished.clear()

    def _answered(self, ticket: int, target: Words, words: Words, count: int) -> None:
        """Take the engine's answer, unless the DMA was reset since the packet was sent."""
        with self._lock:
            if ticket != self._transfer:
                return
            send, receive = self._channels[DmaRegister.SEND], self._channels[DmaRegister.RECEIVE]
            self._busy = False
            send.finish(send.length)
            target[: len(words)] = words
            if count > len(target):
                receive.fail(DmaBit.INTERNAL)
            elif count >= 0:
                receive.finish(4 * count)
            self._finished.set()
        self._changed()

    def _control(self, channel: DmaChannel, value: int) -> None:
        if value & DmaBit.RESET:
            self.reset()
            return
        channel.control = value & ~DmaBit.RESET
        if value & DmaBit.RUN:
            channel.status &= ~(DmaBit.HALTED | DmaBit.ERRORS)
        else:
            channel.status = channel.status & ~DmaBit.IDLE | DmaBit.HALTED
            channel.pending = False

    def _start(self, channel: DmaChannel, base: int, length: int) -> None:
        channel.length = length
        channel.status &= ~DmaBit.IDLE
        name = "send_errors" if base == DmaRegister.SEND else "receive_errors"
        errors = getattr(self._faults, name)
        setattr(self._faults, name, 0)
        if length == 0 or channel.address % self._align or length % 4:
            errors |= DmaBit.INTERNAL
        elif self._memory.words(channel.address, length) is None:
            errors |= DmaBit.DECODE
        if errors:
            channel.fail(errors)
            return
        channel.pending = True
        self.advance()
