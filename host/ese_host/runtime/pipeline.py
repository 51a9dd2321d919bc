# SPDX-License-Identifier: Apache-2.0
"""RUN packets one after the other: the next is in flight while a result is used, and no state that is lost is kept."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

from ese_host.errors import DeviceError, MismatchError
from ese_host.protocol import Operation, RunResult
from ese_host.runtime.batches import Batch
from ese_host.runtime.transfers import Transfer, Transfers


class Pipeline:
    """Sends one device's RUN packets, and knows who may continue from the state that they leave in the engine."""

    def __init__(self, transfers: Transfers) -> None:
        self._transfers = transfers
        self._left_by = 0  # number of the packet that left the state; 0 if nobody may continue from it
        self._thread = 0  # the thread that read its answer

    def steps(
        self, packets: Iterator[tuple[Transfer, Batch]], prepare: Callable[[], None], interrupts: bool = False
    ) -> Iterator[Transfer | RunResult]:
        """Yield each transfer, which the caller must wait for, and its result once the next packet is in flight.

        Args:
            packets: packets already filled, each with what reads its answer.
            prepare: configures the device if it has failed.
            interrupts: whether the caller waits for the DMA's interrupts, if there are any.

        Raises:
            MismatchError: if a packet is to start from a state that is lost.
            DeviceError: if the device fails.
        """
        previous: tuple[Transfer, Batch] | None = None
        for transfer, batch in packets:
            if previous is not None:
                yield previous[0]
            self._transfers.drain()
            if previous is not None:
                # An error is raised here, before the next packet starts.
                previous[0].result()
            if batch.keep:
                self._require_state(None if previous is None else previous[0].number)
            prepare()
            self._transfers.start(transfer, interrupts=interrupts and self._transfers.interrupts)
            if previous is not None:
                yield self._result(*previous)
            previous = transfer, batch
        if previous is not None:
            yield previous[0]
            yield self._result(*previous)

    def may_continue(self) -> None:
        """Let this thread continue from the state that the packet sent last has left."""
        self._left_by, self._thread = self._transfers.sent, threading.get_ident()

    def forget_state(self) -> None:
        """Let nobody continue from the engine's state."""
        self._left_by = 0

    def _result(self, transfer: Transfer, batch: Batch) -> RunResult:
        answer, trailer = transfer.result()
        try:
            result = batch.result(answer, trailer, transfer.seconds)
        except DeviceError:
            self._transfers.healthy = False
            raise
        self._left_by, self._thread = transfer.number, threading.get_ident()
        return result

    def _require_state(self, previous: int | None) -> None:
        """Refuse to continue from the engine's state unless a packet of the same caller left it.

        Args:
            previous: number of the packet before in the same run, or None for the first one.
        """
        last, left_by = self._transfers.last_operation, self._left_by if previous is None else previous
        if not self._transfers.healthy:
            event = "the device failed"
        elif last in (None, Operation.LOAD):
            event = "an image was loaded"
        elif not left_by:
            event = "another chain was selected"
        elif left_by != self._transfers.sent:
            event = "another packet was sent, whose answer was not read here"
        elif previous is None and self._thread != threading.get_ident():
            event = "another thread used the accelerator"
        else:
            return
        raise MismatchError(
            f"keep=True continues from the state that the sequence before left, and that state is lost, because {event}"
            " since then: run the sequence from its first step without keep, or call reset() to start from zero"
        )
