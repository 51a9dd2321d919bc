"""Faults to inject into an emulated board, so that tests can show what the driver makes of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ese_host.protocol import Words

Alter = Callable[[Words], Words]


@dataclass(frozen=True)
class PacketFault:
    """What happens to one packet and to its answer.

    Attributes:
        packet: changes the packet on its way to the engine. answer: changes the answer on its way back.
        swallow: the packet never reaches the engine. lose_last: the answer arrives without TLAST.
        hang: seconds that the engine stands still before it answers.
    """

    packet: Alter | None = None
    answer: Alter | None = None
    swallow: bool = False
    lose_last: bool = False
    hang: float = 0.0


@dataclass
class Faults:
    """Faults of one emulated board; none of them by default.

    Attributes:
        packets: one fault a packet, the next first; None passes a packet unharmed.
        registers: {offset: value} that the engine's registers seem to hold.
        send_errors, receive_errors: status bits that the DMA raises at the next transfer of that channel, once.
        no_memory: buffers cannot be allocated. unplugged: every register reads as all ones.
    """

    packets: list[PacketFault | None] = field(default_factory=list)
    registers: dict[int, int] = field(default_factory=dict)
    send_errors: int = 0
    receive_errors: int = 0
    no_memory: bool = False
    unplugged: bool = False

    def next_packet(self) -> PacketFault:
        """The fault of the packet that is sent now."""
        return (self.packets.pop(0) if self.packets else None) or PacketFault()
