# SPDX-License-Identifier: Apache-2.0
"""Devices that packets are sent to: boards through pynq, and emulated boards through pynq or without it.

`emulated` holds the emulated board: the compiled engine with registers, DMA, memory and interrupts around it. It is
offered as a pynq Device, or through a small adapter if pynq is not installed. `platform` chooses the device, and
`dma_control` waits for its transfers until a `Deadline`.
"""

from ese_host.device.closeable import Closeable
from ese_host.device.deadline import Deadline
from ese_host.device.dma_control import complete, complete_async, halt, poll
from ese_host.device.lock import DeviceLock
from ese_host.device.platform import Driver, Platform, choose_platform
from ese_host.device.power import Meter
from ese_host.device.trust import record, recorded

__all__ = [
    "Closeable",
    "Deadline",
    "DeviceLock",
    "Driver",
    "Meter",
    "Platform",
    "choose_platform",
    "complete",
    "complete_async",
    "halt",
    "poll",
    "record",
    "recorded",
]
