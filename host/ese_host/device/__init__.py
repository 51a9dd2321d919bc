"""Where packets go: a board through pynq, an emulated board through pynq, or an emulated board without it.

`emulated` is the board that is not there: the compiled engine, what stands around it, registers and all, and that board
as a pynq Device or, where pynq is absent, by drivers of its own. `platform` chooses.
"""

from ese_host.device.closeable import Closeable
from ese_host.device.dma_control import complete, complete_async, halt, poll
from ese_host.device.lock import DeviceLock
from ese_host.device.platform import Driver, Platform, choose_platform
from ese_host.device.power import Meter

__all__ = [
    "Closeable",
    "DeviceLock",
    "Driver",
    "Meter",
    "Platform",
    "choose_platform",
    "complete",
    "complete_async",
    "halt",
    "poll",
]
