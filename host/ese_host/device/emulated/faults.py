# SPDX-License-Identifier: Apache-2.0
"""Faults to inject into an emulated board, so that tests can show how the driver reacts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ese_host.protocol import Words

Alter = Callable[[Words], Words]
"""Function that takes the 32-bit words of a packet or an answer and returns the changed ones."""


@dataclass(frozen=True)
class PacketFault:
    """Faults of one packet and its answer.

    Attributes:
        packet: changes the packet on its way to the engine; None for no change.
        computed: changes the answer before the engine adds its CRC, as an engine that computes otherwise; None for no
            change.
        answer: changes the answer on its way back, for example one bit of it; None for no change.
        swallow: whether the packet is lost before it reaches the engine.
        lose_last: whether the answer arrives without TLAST, so that the DMA does not see its end.
        hang: seconds that the engine waits before it answers.
    """

    packet: Alter | None = None
    computed: Alter | None = None
    answer: Alter | None = None
    swallow: bool = False
    lose_last: bool = False
    hang: float = 0.0


@dataclass
class Faults:
    """Faults of one emulated board; by default there are none.

    Attributes:
        packets: faults of the next packets, in order; None leaves a packet unchanged.
        registers: {byte offset: value} that the engine's registers read as.
        send_errors: status bits with which the next transfer of the send channel fails, once.
        receive_errors: status bits with which the next transfer of the receive channel fails, once.
        no_memory: whether allocating a buffer fails.
        unplugged: whether every register reads as all ones and ignores writes.
    """

    packets: list[PacketFault | None] = field(default_factory=list)
    registers: dict[int, int] = field(default_factory=dict)
    send_errors: int = 0
    receive_errors: int = 0
    no_memory: bool = False
    unplugged: bool = False

    def next_packet(self) -> PacketFault:
        """Remove and return the fault of the packet that is sent now."""
        return (self.packets.pop(0) if self.packets else None) or PacketFault()
