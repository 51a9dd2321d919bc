# SPDX-License-Identifier: Apache-2.0
"""An engine in RTL that is held against csrc and the cycle model at every packet."""

from __future__ import annotations

import ctypes

import numpy as np

from ese_host import image
from ese_host.device.emulated import EmulatedEngine
from ese_host.estimate.cycles import MODELS, CycleModel
from ese_host.image import Design, Image
from ese_host.protocol import ErrorCode, Operation, Words, packets
from ese_host.protocol.packets import LOAD_HEADER, RUN_HEADER_WORDS, TRAILER, TRAILER_WORDS, RunFlag
from support import compiled_engine
from support.rtl_engine.libraries import library

MOST_WORDS = 1 << 16
"""Words of the longest answer of csrc's engine that is compared."""
_OWN = [TRAILER.index(name) - TRAILER_WORDS for name in ("cycles_low", "cycles_high", "crc")]
"""Places in the answer, counted from its end, in which engines may differ."""


class WatchedEngine(EmulatedEngine):
    """An engine in RTL, every answer of which is checked.

    Its CRC must be zlib's; but for the cycles it must be, word for word, the answer of csrc's engine; and the cycles
    of a RUN must be those of the cycle model, which only stream mode has.

    Attributes:
        runs: number of RUN packets that were compared.
    """

    def __init__(self, design: Design, library: ctypes.CDLL, twin: EmulatedEngine | None = None) -> None:
        """Open an engine.

        Args:
            design: its design.
            library: its loaded library.
            twin: csrc's engine, if answers are to be compared with it. It gets every packet, too.
        """
        super().__init__(library)
        self.runs = 0
        self._design, self._library, self._twin = design, library, twin
        self._image: Image | None = None
        self._model: CycleModel | None = None
        self._has_state = False

    def stall(self, seed: int, takes: int, gives: int) -> None:
        """Stall the streams at random from now on.

        Args:
            seed: of the random numbers.
            takes: clocks of 1,024 in which no word is offered to the engine.
            gives: clocks of 1,024 in which no word is taken from it.
        """
        self._library.ese_stall(self._engine, seed, takes, gives)

    def clocks(self) -> int:
        """Clocks simulated so far."""
        return int(self._library.ese_clocks(self._engine))

    def packet_into(self, words: Words, answer: Words) -> int:
        """Send one packet and check the answer; see `EmulatedEngine`.

        Raises:
            AssertionError: if CRC, answer or cycles are wrong.
        """
        count = super().packet_into(words, answer)
        assert count <= len(answer), f"the answer has {count} words"
        given = answer[:count]
        trailer = packets.read_trailer(given)  # checks the CRC
        if self._twin is not None:
            expected = self._twin.packet(words, MOST_WORDS)
            assert len(expected) == len(given)
            mine = given.copy()
            mine[_OWN] = expected[_OWN]
            np.testing.assert_array_equal(mine, expected)
        good = trailer.error == ErrorCode.OK
        if good and trailer.operation == Operation.RUN:
            if self._design.mode == "stream":
                assert trailer.cycles == self.modelled(words), f"cycles of packet {words[:RUN_HEADER_WORDS]}"
            self.runs += 1
        elif good and trailer.operation == Operation.LOAD:
            self._image = image.parse(words[len(LOAD_HEADER) :], self._design)
            if self._design.mode == "stream":
                self._model = MODELS["rtl"].of_image(self._image, self._design)
        self._has_state = good and trailer.operation == Operation.RUN
        return count

    def modelled(self, words: Words) -> int:
        """The cycles that the cycle model gives to a RUN packet."""
        assert self._image is not None and self._model is not None
        flags, each = RunFlag(int(words[1])), packets.step_words(self._image.header["inputs"])
        at, total, kept = RUN_HEADER_WORDS, 0, self._has_state
        while at < len(words):
            steps = int(words[at])
            at += 1 + steps * each
            keep = kept and RunFlag.KEEP in flags
            total += self._model.sequence(steps, keep=keep, trace=RunFlag.TRACE in flags).total
            kept = True
        return total


def watched(design: Design) -> WatchedEngine:
    """The engine of a design beside that of csrc."""
    return WatchedEngine(design, library(design), EmulatedEngine(compiled_engine.library(design)))
