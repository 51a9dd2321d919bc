# SPDX-License-Identifier: Apache-2.0
"""How long a packet may take: its deadline follows from its work, unless the user sets a timeout."""

from __future__ import annotations

from dataclasses import dataclass, replace
from numbers import Real

from ese_host.errors import FormatError
from ese_host.image import Design, Image
from ese_host.ir import shown

BASE_SECONDS = 5.0
"""Seconds that every packet gets, whatever its work, so that a busy machine is no failure."""
WORD_SECONDS = 2e-6
"""Seconds for each 32-bit word of a packet or its answer; the slowest DMA needs a hundredth of it."""
CLOCK_SECONDS = 5e-7
"""Seconds that one PE's work of one clock may take where RTL is simulated; measured is about a tenth of it. A word
of a packet or its answer takes a clock, too."""
MARGIN = 4
"""How many times longer than computed the engine's work may take."""
PACKET_SECONDS = 30.0
"""Seconds of allowance that a packet's steps may sum up to; sequences beyond go into the next packet."""
FILL_CYCLES = 64
"""Cycles that a phase needs at most besides its entries and items: fetching, filling and draining the pipelines."""
ITEM_CYCLES = 4
"""Cycles that one element-wise result needs at most: the words of a trace leave one by one."""
OPERATION_SECONDS = 2.5e-8
"""Seconds that one PE's work of one cycle may take in emulation; measured is about a fifth of it."""
MOST_OPERATION_SECONDS = 10 * OPERATION_SECONDS
"""The most that one may take on a busy machine; beyond it, the load of the image was held up by something else."""
LATENCY_WORDS = 10_000
"""Words that an engine loads in the time in which its thread wakes up."""
MOST_ENTRIES = 9
"""Entries that a word of the entry memory holds at most: it has 18 bits, and each entry two or more."""
OTHER_OPERATIONS = 16
"""PEs whose work equals that of the emulated engine's other units in a cycle."""
MAX_TIMEOUT = 1e6
"""Most seconds that a user's timeout may have."""


def seconds_allowed(timeout: float) -> float:
    """A user's timeout as a float.

    Raises:
        FormatError: if it is no number, not more than 0 or more than `MAX_TIMEOUT`.
    """
    if isinstance(timeout, bool) or not isinstance(timeout, Real) or not 0 < timeout <= MAX_TIMEOUT:
        raise FormatError(
            f"the timeout is {shown(timeout)}; a number of seconds is expected, more than 0 and at most "
            f"{MAX_TIMEOUT:g}, or None to count them from each packet's work"
        )
    return float(timeout)


@dataclass(frozen=True)
class Pace:
    """The time that a device with one image may take for a packet.

    Attributes:
        step_seconds: seconds for one step, or for the start of one sequence.
        timeout: seconds for every packet, set by the user; None to count them from the packet's work.
        word_seconds: seconds for each 32-bit word of a packet or its answer.
    """

    step_seconds: float
    timeout: float | None
    word_seconds: float = WORD_SECONDS

    @classmethod
    def of_board(cls, image: Image, clock_mhz: float, timeout: float | None) -> Pace:
        """The pace of hardware, by its clock.

        Args:
            image: the image that is loaded.
            clock_mhz: clock of the engine in MHz.
            timeout: seconds for every packet, or None.
        """
        return cls(MARGIN * step_cycles(image) / (clock_mhz * 1e6), timeout)

    @classmethod
    def of_emulation(cls, image: Image, design: Design, load_seconds: float, timeout: float | None) -> Pace:
        """The pace of a compiled engine on this machine.

        Args:
            image: the image that was loaded.
            design: the engine's design.
            load_seconds: how long it took to load the image, which is longer on a slow or busy machine.
            timeout: seconds for every packet, or None.
        """
        measured = load_seconds / (len(image.words) + LATENCY_WORDS)
        operation = min(max(measured, OPERATION_SECONDS), MOST_OPERATION_SECONDS)
        return cls(MARGIN * step_cycles(image) * (design.pes + OTHER_OPERATIONS) * operation, timeout)

    @classmethod
    def of_simulation(cls, image: Image, design: Design, timeout: float | None) -> Pace:
        """The pace of an engine in RTL, each clock of which is simulated on this machine.

        Args:
            image: the image that is loaded.
            design: the engine's design.
            timeout: seconds for every packet, or None.
        """
        clock = (design.pes + OTHER_OPERATIONS) * CLOCK_SECONDS
        return cls(MARGIN * step_cycles(image) * clock, timeout, clock)

    def within(self, timeout: float | None) -> Pace:
        """This pace, or one with another timeout if that is not None.

        Raises:
            FormatError: if the timeout is not allowed.
        """
        return self if timeout is None else replace(self, timeout=seconds_allowed(timeout))

    @property
    def most_steps(self) -> int:
        """The most steps and sequences, added up, that one packet should hold."""
        return max(1, int(PACKET_SECONDS / self.step_seconds))

    def seconds(self, words: int, steps: int = 0) -> float:
        """Seconds to wait for an answer.

        Args:
            words: 32-bit words of packet and answer.
            steps: steps of the packet's sequences, and one more for each sequence.
        """
        if self.timeout is not None:
            return self.timeout
        return BASE_SECONDS + words * self.word_seconds + steps * self.step_seconds


def step_cycles(image: Image) -> int:
    """Cycles that one step takes at most, in stream mode or skip mode."""
    cycles = sum(phase.entry_count + phase.columns + ITEM_CYCLES * phase.items + FILL_CYCLES for phase in image.phases)
    if any(phase.columns for phase in image.phases):
        # Skip mode has no entry counts: a step reads each entry at most once.
        cycles += MOST_ENTRIES * image.header["entry_words"]
    return cycles + image.header["inputs"]
