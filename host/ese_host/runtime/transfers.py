# SPDX-License-Identifier: Apache-2.0
"""DMA transfers: packets to a device and answers from it, each with a deadline.

There are two buffers for each direction, so that one packet is filled while another is in flight.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ese_host.boards import processor
from ese_host.device import Deadline, Platform, complete, complete_async, halt
from ese_host.errors import CapacityError, DeviceError, EseError
from ese_host.protocol import DmaRegister, Operation, Trailer, Words, read_trailer

BUFFER_WORDS = 1 << 20
"""32-bit words of each of the four buffers; a buffer grows if one sequence needs more."""


@dataclass(frozen=True, eq=False)
class BufferPart:
    """The part of a buffer that a transfer uses.

    Attributes:
        whole: the buffer that was allocated.
        part: the first words of the buffer, as the DMA driver takes them.
        words: the same words as a plain array.
    """

    whole: Any
    part: Any
    words: Words

    @classmethod
    def of(cls, whole: Any, words: int) -> BufferPart:
        """The first `words` words of a buffer."""
        # pynq reads a remote buffer back as a whole, so a whole buffer must not become a slice.
        part = whole if len(whole) == words else whole[:words]
        return cls(whole, part, part.view(np.ndarray))


@dataclass(eq=False)
class Transfer:
    """One packet sent and its answer received. It has finished when either `answer` or `error` is set.

    Attributes:
        operation: the packet's operation.
        send: buffer that holds the packet.
        receive: buffer for the answer.
        image_id: id of the image that the answer must name.
        allowed: seconds to wait for the answer.
        answer: 32-bit words of the answer.
        trailer: the answer's trailer.
        seconds: host time from start to answer.
        error: the error that ended the transfer.
        begun: start time, as `time.perf_counter` counts.
        number: its number among the packets that were sent to the device, from 1; 0 before it is started.
    """

    operation: Operation
    send: BufferPart
    receive: BufferPart
    image_id: int
    allowed: float
    answer: Words | None = None
    trailer: Trailer | None = None
    seconds: float = 0.0
    error: EseError | None = None
    begun: float = field(default=0.0, repr=False)
    number: int = 0

    @property
    def finished(self) -> bool:
        """Whether the transfer has ended, with an answer or with an error."""
        return self.answer is not None or self.error is not None

    def result(self) -> tuple[Words, Trailer]:
        """Answer and trailer of a transfer that has finished.

        Raises:
            DeviceError: if the device failed, or the answer is to another packet or names another image.
            MismatchError: if the engine refused an image of another design, or a packet for another image.
            FormatError: if the engine refused a header or a length.
        """
        if self.error is not None:
            raise self.error
        assert self.answer is not None and self.trailer is not None  # noqa: S101 - for the type checker
        self.trailer.require(self.operation)
        if self.trailer.image_id != self.image_id:
            raise DeviceError(
                f"the engine's answer names image {self.trailer.image_id:#010x}; {self.image_id:#010x} was loaded: "
                "try again, the device is configured again with the next call"
            )
        return self.answer, self.trailer


class Transfers:
    """The DMA transfers of one device, of which at most one is in flight.

    Attributes:
        healthy: whether the device is configured and has not failed since; if not, configure it before the next packet.
        sent: how many packets were sent to the device.
        waited: processor seconds that threads have spent in `wait`, polling.
        last_operation: the operation of the last of them, or None if the device was configured since.
    """

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._buffers: dict[tuple[str, int], BufferPart] = {}
        self._slot = 0
        self._in_flight: Transfer | None = None
        self.healthy = False
        self.sent = 0
        self.waited = 0.0
        self.last_operation: Operation | None = None

    @property
    def interrupts(self) -> bool:
        """Whether the DMA's interrupts reach this process, so that `wait_async` can wait for them."""
        dma = self._platform.dma
        return all(hasattr(getattr(c, "_interrupt", None), "event") for c in (dma.sendchannel, dma.recvchannel))

    def fill(self, operation: Operation, packet: Words, answer_words: int, image_id: int, allowed: float) -> Transfer:
        """Put a packet into the pair of buffers that is not in flight.

        Args:
            operation: the packet's operation.
            packet: 32-bit words of the packet.
            answer_words: 32-bit words that the answer will have.
            image_id: id of the image that the answer must name.
            allowed: seconds to wait for the answer.

        Raises:
            CapacityError: if the packet or the answer is longer than a DMA transfer may be.
            DeviceError: if there is no memory for the buffers.
        """
        slot = self._slot ^ 1
        send = self._buffer("packet", slot, len(packet))
        receive = self._buffer("answer", slot, answer_words)
        send.words[:] = packet
        self._slot = slot  # only now, so that after an error the next packet takes this pair again
        return Transfer(operation, send, receive, image_id, allowed)

    def start(self, transfer: Transfer, *, interrupts: bool = False) -> None:
        """Start a transfer once the one before has finished. If it fails to start, the error is stored in it.

        Args:
            transfer: the transfer, already filled.
            interrupts: whether `wait_async` will wait for the DMA's interrupts.
        """
        self.drain()
        dma = self._platform.dma
        transfer.begun = time.perf_counter()
        self._in_flight, self.last_operation = transfer, transfer.operation
        self.sent += 1
        transfer.number = self.sent
        try:
            if interrupts:
                for channel in (dma.recvchannel, dma.sendchannel):
                    channel._clear_interrupt()
            dma.recvchannel.transfer(transfer.receive.part)
            dma.sendchannel.transfer(transfer.send.part)
        except BaseException as error:
            if not self._fail(transfer, error):
                raise

    def drain(self) -> None:
        """Wait for the transfer in flight, if there is one; its answer or error stays in it."""
        if self._in_flight is not None:
            self.wait(self._in_flight)

    def wait(self, transfer: Transfer) -> None:
        """Wait until a transfer has finished, but no longer than it is allowed; errors are stored in the transfer."""
        try:
            for channel, name, deadline in self._deadlines(transfer):
                begun = time.thread_time()
                try:
                    complete(self._platform.dma, channel, name, deadline)
                finally:
                    self.waited += time.thread_time() - begun
        except BaseException as error:
            if not self._fail(transfer, error):
                raise

    async def wait_async(self, transfer: Transfer) -> None:
        """Wait like `wait` while other tasks run; the DMA's interrupts wake the task if the device has them."""
        try:
            for channel, name, deadline in self._deadlines(transfer):
                await complete_async(self._platform.dma, channel, name, deadline)
        except BaseException as error:
            if not self._fail(transfer, error):
                raise

    def forget(self) -> None:
        """Give up the transfer in flight and the engine's state: the device is about to be configured again."""
        self.last_operation = None
        if self._in_flight is not None:
            error = DeviceError("the device was configured again while the packet was in flight: run it again")
            self._fail(self._in_flight, error)

    def close(self) -> None:
        """Stop the DMA if it may be at work, and free the buffers."""
        if self._platform.dma is not None and (self._in_flight is not None or not self.healthy):
            halt(self._platform.dma)
        self.forget()
        self._buffers.clear()

    def _deadlines(self, transfer: Transfer) -> Iterator[tuple[int, str, Deadline]]:
        """Channel, name and deadline of each wait for a transfer; after the last one the answer is collected."""
        if transfer.finished:
            return
        deadline = Deadline(transfer.allowed)
        yield DmaRegister.RECEIVE, "answer", deadline
        if transfer.finished:  # it was given up while a task waited for it
            return
        # The packet is usually complete by now. It gets the rest of the time, but at least 0.1 s.
        yield DmaRegister.SEND, "packet", Deadline(max(0.1, deadline.left))
        if not transfer.finished:
            self._collect(transfer)

    def _collect(self, transfer: Transfer) -> None:
        """Copy the answer out of its buffer and finish the transfer."""
        count = int(self._platform.dma.read(DmaRegister.RECEIVE + DmaRegister.LENGTH))
        transfer.receive.part.invalidate()
        transfer.seconds = time.perf_counter() - transfer.begun
        answer = transfer.receive.words[: count // 4].copy()
        transfer.trailer = read_trailer(answer)
        transfer.answer = answer
        self._in_flight = None
        if transfer.trailer.image_id != transfer.image_id:
            self.healthy = False

    def _fail(self, transfer: Transfer, error: BaseException) -> bool:
        """Finish a transfer with an error; false if it is an interruption that the caller must raise again."""
        self._in_flight, self.healthy = None, False
        if isinstance(error, EseError):
            transfer.error = error
        elif isinstance(error, (RuntimeError, OSError)):
            transfer.error = DeviceError(
                f"the device failed at {transfer.operation.name}: {error}; it is configured again with the next call"
            )
        else:
            transfer.error = DeviceError("the wait for the device was interrupted: run the packet again")
            return False
        return True

    def _buffer(self, name: str, slot: int, words: int) -> BufferPart:
        """The first words of a packet or answer buffer, which is allocated again if it is too short."""
        if 4 * words > processor.MAX_TRANSFER_BYTES:
            raise CapacityError(
                f"the {name} has {4 * words} bytes; a DMA transfer has at most {processor.MAX_TRANSFER_BYTES}: "
                "send less at once"
            )
        key = name, slot
        current = self._buffers.get(key)
        if current is not None and len(current.words) == words:
            return current
        exact = self._platform.exact_buffers
        if current is None or exact or len(current.whole) < words:
            # Free the old buffer before the new one is allocated: the device's memory is short.
            self._buffers.pop(key, None)
            current = None
            try:
                whole = self._platform.allocate(words if exact else max(words, BUFFER_WORDS))
            except (MemoryError, RuntimeError, OSError) as error:
                raise DeviceError(f"no memory for the {name}: {error}; close other users of the device") from error
        else:
            whole = current.whole
        self._buffers[key] = BufferPart.of(whole, words)
        return self._buffers[key]
