# SPDX-License-Identifier: Apache-2.0
"""Run the engine in a thread beside the processor, as on a board. A reset can abandon the thread."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

import numpy as np

from ese_host.device.emulated.engine import EmulatedEngine
from ese_host.device.emulated.faults import PacketFault
from ese_host.errors import DeviceError
from ese_host.protocol import Words, crc32

Done = Callable[[Words, int], None]
"""Function called in the worker's thread with the answer and its number of words, or `NO_END`."""
NO_END = -1
"""Number of words of an answer that arrives without TLAST."""
FAULT_WORDS = 1 << 16
"""Least words to make room for if a fault changes the answer: before the change it may be longer than expected."""


class Worker:
    """One engine and the thread in which it works. `submit` and `abandon` return at once, whatever the engine does.

    Attributes:
        engine: the engine.
        failure: why the engine gave no answer to the last packet, if it did not.
    """

    def __init__(self, engine: EmulatedEngine) -> None:
        self.engine = engine
        self.failure: DeviceError | None = None
        self._jobs: queue.SimpleQueue[tuple[Words, int, PacketFault, Done] | None] = queue.SimpleQueue()
        self._abandoned = threading.Event()
        self._scratch = np.empty(0, dtype=np.uint32)
        self._thread = threading.Thread(target=self._work, name="ese4ml emulated engine", daemon=True)
        self._thread.start()

    def submit(self, packet: Words, answer_words: int, fault: PacketFault, done: Done) -> None:
        """Send a packet to the engine.

        Args:
            packet: 32-bit words of the packet.
            answer_words: 32-bit words that the buffer for the answer holds.
            fault: faults of this packet.
            done: function to call with the answer, cut to `answer_words` words, and its whole length.
        """
        self._jobs.put((packet, answer_words, fault, done))

    def abandon(self) -> None:
        """Stop using the engine. It is closed when it has finished, and answers that it still gives are lost."""
        self._abandoned.set()
        self._jobs.put(None)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            packet, answer_words, fault, done = job
            if fault.hang and self._abandoned.wait(fault.hang):
                break
            try:
                answer, count = self._answer(packet, answer_words, fault)
            except DeviceError as error:
                self.failure = error
                continue
            if self._abandoned.is_set():
                break
            done(answer, NO_END if fault.lose_last else count)
        self.engine.close()

    def _answer(self, packet: Words, answer_words: int, fault: PacketFault) -> tuple[Words, int]:
        if fault.packet is not None:
            packet = fault.packet(packet.copy())
        changed = fault.computed is not None or fault.answer is not None
        answer = self._answer_array(max(answer_words, FAULT_WORDS) if changed else answer_words)
        count = self.engine.packet_into(packet, answer)
        if fault.computed is not None:
            answer = fault.computed(answer[:count].copy())
            answer[-1], count = crc32(answer[:-1]), len(answer)
        if fault.answer is not None:
            answer = fault.answer(answer[:count].copy())
            count = len(answer)
        return answer[:answer_words], count

    def _answer_array(self, words: int) -> Words:
        """An array for an answer; the last one is used again if it is long enough."""
        if len(self._scratch) < words:
            self._scratch = np.empty(words, dtype=np.uint32)
        return self._scratch[:words]
