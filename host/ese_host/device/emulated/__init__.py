# SPDX-License-Identifier: Apache-2.0
"""An emulated board, below the driver: registers, DMA, memory and interrupts around the compiled engine."""

from ese_host.device.emulated.engine import EmulatedEngine
from ese_host.device.emulated.faults import Faults, PacketFault

__all__ = ["EmulatedEngine", "Faults", "PacketFault"]
