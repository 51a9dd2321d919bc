"""The engine at work beside the processor, as on a board: a thread of its own, which a reset can leave behind."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

import numpy as np

from ese_host.device.emulated.engine import EmulatedEngine
from ese_host.device.emulated.faults import PacketFault
from ese_host.protocol import Words

Done = Callable[[Words, int], None]
"""Called in the worker's thread with the words answered and their number, below zero for an answer without an end."""
NO_END = -1
ROOM = 1 << 16
"""Words of an answer that a fault is to change, at least."""


class Worker:
    """One loaded engine and its thread. Whatever the engine does, `submit` and `abandon` return at once."""

    def __init__(self, engine: EmulatedEngine) -> None:
        self.engine = engine
        self._jobs: queue.SimpleQueue[tuple[Words, int, PacketFault, Done] | None] = queue.SimpleQueue()
        self._abandoned = threading.Event()
        self._scratch = np.empty(0, dtype=np.uint32)
        self._thread = threading.Thread(target=self._work, name="ese4ml emulated engine", daemon=True)
        self._thread.start()

    def submit(self, packet: Words, room: int, fault: PacketFault, done: Done) -> None:
        """Let the engine answer a packet into `room` words."""
        self._jobs.put((packet, room, fault, done))

    def abandon(self) -> None:
        """Let go of the engine: it is closed when it comes to an end, and what it still answers is lost."""
        self._abandoned.set()
        self._jobs.put(None)

    def join(self, seconds: float) -> None:
        """Wait for the thread's end, which may never come."""
        self._thread.join(seconds)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            packet, room, fault, done = job
            if fault.hang and self._abandoned.wait(fault.hang):
                break
            answer, count = self._answer(packet, room, fault)
            if self._abandoned.is_set():
                break
            done(answer, NO_END if fault.lose_last else count)
        self.engine.close()

    def _answer(self, packet: Words, room: int, fault: PacketFault) -> tuple[Words, int]:
        if fault.packet is not None:
            packet = fault.packet(packet.copy())
        answer = self._room(room if fault.answer is None else max(room, ROOM))
        count = self.engine.packet_into(packet, answer)
        if fault.answer is not None:
            answer = fault.answer(answer[:count].copy())
            count = len(answer)
        return answer[:room], count

    def _room(self, words: int) -> Words:
        if len(self._scratch) < words:
            self._scratch = np.empty(words, dtype=np.uint32)
        return self._scratch[:words]
