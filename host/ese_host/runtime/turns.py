# SPDX-License-Identifier: Apache-2.0
"""Turns on a device: threads and asyncio tasks that share it use it one after the other, in the order they asked."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

from ese_host.errors import DeviceError

PAUSE = 1e-3
"""Seconds between two looks of a waiting task."""


@dataclass(eq=False)
class Turn:
    """One user's place in the queue.

    Attributes:
        thread: the user's thread, which is its event loop's if the user is a task.
        task: whether the user is an asyncio task, which lets its thread work on while it has its turn.
        depth: how often a thread that has its turn has taken it again.
    """

    thread: int
    task: bool
    depth: int = 1


class Turns:
    """The queue of one device's users, of which the first has its turn."""

    def __init__(self) -> None:
        self._queue: list[Turn] = []
        self._changed = threading.Condition()

    @property
    def endless(self) -> bool:
        """Whether this thread would wait without end, because a task of its own is in the queue."""
        me = threading.get_ident()
        return any(turn.task and turn.thread == me for turn in tuple(self._queue))

    @contextmanager
    def take(self) -> Iterator[None]:
        """Context in which no other thread or task uses the device; waits for a turn, which may be taken again inside.

        Raises:
            DeviceError: if a task of this thread is in the queue, so that waiting would never end.
        """
        me = threading.get_ident()
        with self._changed:
            turn = self._queue[0] if self._queue else None
            if turn is not None and turn.thread == me and not turn.task:
                turn.depth += 1
            else:
                if self.endless:
                    raise DeviceError(
                        "a run_async of this thread has not ended, and to wait for it here would never end: await it "
                        "first, or call run_async here too"
                    )
                turn = Turn(me, task=False)
                self._queue.append(turn)
        try:
            with self._changed:
                self._changed.wait_for(lambda: self._queue[0] is turn)
            yield
        finally:
            self._give_back(turn)

    @asynccontextmanager
    async def take_async(self) -> AsyncIterator[None]:
        """Context in which no other thread or task uses the device; other tasks run while this one waits for its turn.

        Raises:
            DeviceError: if this thread itself has its turn, so that waiting would never end.
        """
        me = threading.get_ident()
        with self._changed:
            if self._queue and self._queue[0].thread == me and not self._queue[0].task:
                raise DeviceError(
                    "run_async was called inside a block that has the accelerator for itself, and to wait for the end "
                    "of that block would never end: call run there"
                )
            turn = Turn(me, task=True)
            self._queue.append(turn)
        try:
            while self._queue[0] is not turn:
                await asyncio.sleep(PAUSE)
            yield
        finally:
            self._give_back(turn)

    def _give_back(self, turn: Turn) -> None:
        with self._changed:
            turn.depth -= 1
            if not turn.depth:
                self._queue.remove(turn)
                self._changed.notify_all()
