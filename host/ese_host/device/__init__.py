"""Where packets go: a board through pynq, an emulated board through pynq, or an emulated board without it.

engine.py holds the compiled engine, memory.py, axi_dma.py and board.py what stands around it on a board, registers and
all; emulated_pynq.py is that board as a pynq Device, adapter.py its drivers where pynq is absent. platform.py chooses.
"""

from ese_host.device.closing import Closing
from ese_host.device.dma_control import complete, complete_async, halt, poll
from ese_host.device.lock import DeviceLock
from ese_host.device.platform import Driver, Platform, choose
from ese_host.device.power import Meter

__all__ = [
    "Closing",
    "DeviceLock",
    "Driver",
    "Meter",
    "Platform",
    "choose",
    "complete",
    "complete_async",
    "halt",
    "poll",
]
