"""Packets to a device and answers from it: two buffers each way, one packet is filled while another is in flight."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ese_host.boards import processor
from ese_host.device import Platform, complete, complete_async, halt
from ese_host.errors import CapacityError, DeviceError, EseError
from ese_host.protocol import DmaRegister, Operation, Trailer, Words, read_trailer

BUFFER_WORDS = 1 << 20
"""Words of each of the four buffers, unless one sequence needs more."""


@dataclass(frozen=True, eq=False)
class BufferPart:
    """The first words of a buffer: for the DMA, and as a plain array for us."""

    whole: Any
    part: Any
    words: Words

    @classmethod
    def of(cls, whole: Any, words: int) -> BufferPart:
        """The first `words` words, or the whole where there are as many."""
        part = whole if len(whole) == words else whole[:words]
        return cls(whole, part, part.view(np.ndarray))


@dataclass(eq=False)
class Transfer:
    """One packet, from its buffer to the answer that came back.

    Attributes:
        operation: what it asks for. send, receive: its buffers, whole or in part. image_id: whose answer is expected.
        answer, trailer: what came back. seconds: from start to end. error: what came instead.
    """

    operation: Operation
    send: BufferPart
    receive: BufferPart
    image_id: int
    answer: Words | None = None
    trailer: Trailer | None = None
    seconds: float = 0.0
    error: EseError | None = None
    begun: float = field(default=0.0, repr=False)

    @property
    def finished(self) -> bool:
        """Whether it has come to an end, good or bad."""
        return self.answer is not None or self.error is not None

    def result(self) -> tuple[Words, Trailer]:
        """Answer and trailer of a transfer that has finished.

        Raises:
            DeviceError, MismatchError, FormatError: the device failed, or the engine refused the packet.
        """
        if self.error is not None:
            raise self.error
        assert self.answer is not None and self.trailer is not None  # noqa: S101 - for the type checker
        self.trailer.require(self.operation)
        if self.trailer.image_id != self.image_id:
            raise DeviceError(
                f"the engine's answer names image {self.trailer.image_id:#010x}; {self.image_id:#010x} was loaded: "
                "the device is configured anew with the next call"
            )
        return self.answer, self.trailer


class Transfers:
    """The DMA of one device. One packet at most is in flight; `healthy` is false when the device must be configured."""

    def __init__(self, platform: Platform, timeout: float) -> None:
        self._platform, self.timeout = platform, timeout
        self._buffers: dict[tuple[str, int], BufferPart] = {}
        self._slot = 0
        self._in_flight: Transfer | None = None
        self.healthy = False

    def fill(self, operation: Operation, packet: Words, answer_words: int, image_id: int) -> Transfer:
        """Put a packet into the buffer that is not in flight.

        Raises:
            CapacityError: longer than the DMA carries. DeviceError: no memory for it.
        """
        self._slot ^= 1
        send = self._buffer("packet", len(packet))
        receive = self._buffer("answer", answer_words)
        send.words[:] = packet
        return Transfer(operation, send, receive, image_id)

    def start(self, transfer: Transfer, *, interrupts: bool = False) -> None:
        """Start a transfer, after the one before has finished; what goes wrong is its `error`."""
        self.drain()
        dma = self._platform.dma
        transfer.begun = time.perf_counter()
        self._in_flight = transfer
        try:
            if interrupts:
                for channel in (dma.recvchannel, dma.sendchannel):
                    channel._clear_interrupt()
            dma.recvchannel.transfer(transfer.receive.part)
            dma.sendchannel.transfer(transfer.send.part)
        except BaseException as error:
            if not self._fails(transfer, error):
                raise

    def drain(self) -> None:
        """Wait for what is in flight; its result or error stays with the transfer."""
        if self._in_flight is not None:
            self.wait(self._in_flight)

    def wait(self, transfer: Transfer) -> None:
        """Wait until a transfer has finished, but no longer than the timeout."""
        try:
            for channel, name, timeout in self._waits(transfer):
                complete(self._platform.dma, channel, name, timeout)
        except BaseException as error:
            if not self._fails(transfer, error):
                raise

    async def wait_async(self, transfer: Transfer) -> None:
        """`wait`, other tasks running meanwhile: by the DMA's interrupts where the device has them."""
        try:
            for channel, name, timeout in self._waits(transfer):
                await complete_async(self._platform.dma, channel, name, timeout)
        except BaseException as error:
            if not self._fails(transfer, error):
                raise

    def forget(self) -> None:
        """Give up what is in flight: the device is configured anew."""
        if self._in_flight is not None:
            self._fails(self._in_flight, DeviceError("the device was configured anew while the packet was under way"))

    def close(self) -> None:
        """Free the buffers, once the DMA has let go of them."""
        if self._in_flight is not None:
            halt(self._platform.dma)
            self.forget()
        self._buffers.clear()

    def _waits(self, transfer: Transfer) -> Iterator[tuple[int, str, float]]:
        """Channel, name and timeout of each wait for a transfer; when all are over, what came back is taken."""
        if transfer.finished:
            return
        begun = time.monotonic()
        yield DmaRegister.RECEIVE, "answer", self.timeout
        # what is left of the timeout, but enough for a packet that is complete when its answer is
        yield DmaRegister.SEND, "packet", max(0.1, self.timeout - (time.monotonic() - begun))
        self._take(transfer)

    def _take(self, transfer: Transfer) -> None:
        count = int(self._platform.dma.read(DmaRegister.RECEIVE + DmaRegister.LENGTH))
        transfer.receive.part.invalidate()
        transfer.seconds = time.perf_counter() - transfer.begun
        answer = transfer.receive.words[: count // 4].copy()
        transfer.trailer = read_trailer(answer)
        transfer.answer = answer
        self._in_flight = None
        if transfer.trailer.image_id != transfer.image_id:
            self.healthy = False

    def _fails(self, transfer: Transfer, error: BaseException) -> bool:
        """End a transfer with what went wrong at the device; false where something else broke the wait off."""
        self._in_flight, self.healthy = None, False
        if isinstance(error, EseError):
            transfer.error = error
        elif isinstance(error, (RuntimeError, OSError)):
            transfer.error = DeviceError(
                f"the device failed at {transfer.operation.name}: {error}; it is configured anew with the next call"
            )
        else:
            transfer.error = DeviceError("the wait for the device was broken off")
            return False
        return True

    def _buffer(self, name: str, words: int) -> BufferPart:
        """The first words of one of our buffers, which grows to what is needed."""
        if 4 * words > processor.MAX_TRANSFER_BYTES:
            raise CapacityError(f"the {name} has {4 * words} bytes; the DMA carries {processor.MAX_TRANSFER_BYTES}")
        key = name, self._slot
        space = self._buffers.get(key)
        if space is not None and len(space.words) == words:
            return space
        exact = self._platform.exact_buffers
        if space is None or exact or len(space.whole) < words:
            self._buffers.pop(key, None)
            space = None
            try:
                whole = self._platform.allocate(words if exact else max(words, BUFFER_WORDS))
            except (MemoryError, RuntimeError, OSError) as error:
                raise DeviceError(f"no memory for the {name}: {error}; close other users of the device") from error
        else:
            whole = space.whole
        self._buffers[key] = BufferPart.of(whole, words)
        return self._buffers[key]
