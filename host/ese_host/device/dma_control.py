"""Waiting for a DMA with a deadline: pynq's own driver waits without one."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Any, Protocol

from ese_host.errors import DeviceError, EseError
from ese_host.protocol import DmaBit, DmaRegister

SPINS = 64
"""Polls without a pause, for answers that come at once."""
PAUSE = 50e-6
INTERRUPT_SLICE = 0.05
"""Seconds after which an interrupt that does not come is looked after: a failed channel raises none."""


class RegisterAccess(Protocol):
    """A register block, pynq's MMIO for one."""

    def read(self, offset: int, /) -> int:
        """A register's value."""

    def write(self, offset: int, value: int, /) -> None:
        """Write a register."""


def poll(done: Callable[[], bool], timeout: float) -> bool:
    """Whether `done` becomes true within `timeout` seconds."""
    deadline = time.monotonic() + timeout
    spins = 0
    while not done():
        if time.monotonic() > deadline:
            return done()
        spins += 1
        if spins > SPINS:
            time.sleep(PAUSE)
    return True


def restart(dma: RegisterAccess, timeout: float) -> None:
    """Reset the DMA, whatever it was doing, and let both channels run.

    Raises:
        DeviceError: a register does not do as it should within `timeout` seconds.
    """
    dma.write(DmaRegister.CONTROL, DmaBit.RESET)
    if not poll(lambda: not dma.read(DmaRegister.CONTROL) & DmaBit.RESET, timeout):
        found = dma.read(DmaRegister.CONTROL)
        raise DeviceError(
            f"the DMA stays in reset (control {found:#010x}) for {timeout} s: is this the bitstream's board?"
        )
    for name, channel in (("send", DmaRegister.SEND), ("receive", DmaRegister.RECEIVE)):
        dma.write(channel + DmaRegister.CONTROL, DmaBit.RUN)
        status = channel + DmaRegister.STATUS
        if not poll(lambda status=status: not dma.read(status) & DmaBit.HALTED, timeout):  # type: ignore[misc]
            found = dma.read(status)
            raise DeviceError(
                f"the DMA's {name} channel stays halted (status {found:#010x}) for {timeout} s: reload the bitstream"
            )


def complete(dma: Any, channel: int, name: str, timeout: float) -> None:
    """Wait until a channel's transfer is complete, by its status register alone.

    Raises:
        DeviceError: the DMA reports an error, or the transfer does not end within `timeout` seconds.
    """
    found = 0

    def done() -> bool:
        nonlocal found
        found = int(dma.read(channel + DmaRegister.STATUS))
        return bool(found & (DmaBit.IDLE | DmaBit.ERRORS))

    if not poll(done, timeout):
        raise _late(name, timeout)
    _judge(found, name)


async def complete_async(dma: Any, channel: int, name: str, timeout: float) -> None:
    """`complete`, while other tasks run: woken by the channel's interrupt where pynq has one for it.

    Raises:
        DeviceError: as `complete`.
    """
    deadline = time.monotonic() + timeout
    driver = dma.recvchannel if channel == DmaRegister.RECEIVE else dma.sendchannel
    interrupt = getattr(driver, "_interrupt", None)
    while not (found := int(dma.read(channel + DmaRegister.STATUS))) & (DmaBit.IDLE | DmaBit.ERRORS):
        left = deadline - time.monotonic()
        if left <= 0:
            raise _late(name, timeout)
        if interrupt is None or not hasattr(interrupt, "event"):
            await asyncio.sleep(min(left, 20 * PAUSE))
            continue
        try:
            await asyncio.wait_for(interrupt.wait(), min(left, INTERRUPT_SLICE))
        except asyncio.TimeoutError:
            pass
        except RuntimeError:
            # pynq's event belongs to the loop that first waited for it, or its controller to an earlier overlay.
            interrupt = None
    _judge(found, name)


def halt(dma: Any) -> None:
    """Stop both channels, for good or until `restart`, without a look at what becomes of it."""
    with contextlib.suppress(EseError, RuntimeError, OSError):
        dma.write(DmaRegister.CONTROL, DmaBit.RESET)


def _late(name: str, timeout: float) -> DeviceError:
    return DeviceError(f"the {name} did not end within {timeout} s: the device is reset with the next call")


def _judge(status: int, name: str) -> None:
    if status & DmaBit.ERRORS:
        raise DeviceError(
            f"the DMA failed to transfer the {name}: internal, slave or decode error; the device is reset"
        )
