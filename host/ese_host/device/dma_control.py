# SPDX-License-Identifier: Apache-2.0
"""Start a DMA, stop it, and wait for its transfers until a deadline; pynq's own driver waits without one."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Any, Protocol

from ese_host.device.deadline import Deadline
from ese_host.errors import DeviceError, EseError
from ese_host.protocol import DmaBit, DmaRegister

SPINS = 64
"""Polls without a pause between them, for answers that come at once."""
PAUSE = 50e-6
"""Seconds between two later polls."""
INTERRUPT_SLICE = 0.05
"""Seconds to wait for an interrupt before the status is read, because a failed channel raises no interrupt."""


class RegisterAccess(Protocol):
    """A block of 32-bit registers, such as pynq's MMIO."""

    def read(self, offset: int, /) -> int:
        """The value of the register at a byte offset."""

    def write(self, offset: int, value: int, /) -> None:
        """Write the register at a byte offset."""


def poll(done: Callable[[], bool], deadline: Deadline) -> bool:
    """Call `done` until it returns true, but not beyond the deadline; returns whether it did."""
    spins = 0
    while not done():
        if deadline.left < 0:
            return done()
        spins += 1
        if spins > SPINS:
            time.sleep(PAUSE)
    return True


def restart(dma: RegisterAccess, timeout: float) -> None:
    """Reset the DMA, whatever it was doing, and start both channels.

    Raises:
        DeviceError: if the reset does not end, or a channel stays halted, for `timeout` seconds.
    """
    dma.write(DmaRegister.CONTROL, DmaBit.RESET)
    if not poll(lambda: not dma.read(DmaRegister.CONTROL) & DmaBit.RESET, Deadline(timeout)):
        control = dma.read(DmaRegister.CONTROL)
        raise DeviceError(
            f"the DMA stays in reset (its control register reads {control:#010x}) for {timeout} s: "
            "check that the bitstream was built for this board"
        )
    for name, channel in (("send", DmaRegister.SEND), ("receive", DmaRegister.RECEIVE)):
        dma.write(channel + DmaRegister.CONTROL, DmaBit.RUN)
        register = channel + DmaRegister.STATUS
        if not poll(lambda register=register: not dma.read(register) & DmaBit.HALTED, Deadline(timeout)):  # type: ignore[misc]
            status = dma.read(register)
            raise DeviceError(
                f"the DMA's {name} channel stays halted (its status register reads {status:#010x}) for {timeout} s: "
                "load the bitstream again"
            )


def complete(dma: Any, channel: int, name: str, deadline: Deadline) -> None:
    """Wait until a channel's transfer is complete, by polling its status register.

    Args:
        dma: the DMA's registers.
        channel: `DmaRegister.SEND` or `DmaRegister.RECEIVE`.
        name: what is transferred, for messages.
        deadline: when the wait ends.

    Raises:
        DeviceError: if the DMA reports an error, or the transfer does not end in time.
    """
    status = 0

    def done() -> bool:
        nonlocal status
        status = int(dma.read(channel + DmaRegister.STATUS))
        return bool(status & (DmaBit.IDLE | DmaBit.ERRORS))

    if not poll(done, deadline):
        raise _timeout_error(name, deadline)
    _raise_errors(status, name)


async def complete_async(dma: Any, channel: int, name: str, deadline: Deadline) -> None:
    """Wait like `complete` while other asyncio tasks run; the channel's interrupt wakes the task if pynq has one.

    Args:
        dma: pynq's DMA driver, or an object with the same methods.
        channel: `DmaRegister.SEND` or `DmaRegister.RECEIVE`.
        name: what is transferred, for messages.
        deadline: when the wait ends.

    Raises:
        DeviceError: if the DMA reports an error, or the transfer does not end in time.
    """
    driver = dma.recvchannel if channel == DmaRegister.RECEIVE else dma.sendchannel
    interrupt = getattr(driver, "_interrupt", None)
    while not (status := int(dma.read(channel + DmaRegister.STATUS))) & (DmaBit.IDLE | DmaBit.ERRORS):
        left = deadline.left
        if left <= 0:
            raise _timeout_error(name, deadline)
        if interrupt is None or not hasattr(interrupt, "event"):
            await asyncio.sleep(min(left, 20 * PAUSE))
            continue
        try:
            await asyncio.wait_for(interrupt.wait(), min(left, INTERRUPT_SLICE))
        except asyncio.TimeoutError:
            pass
        except RuntimeError:
            # pynq's event belongs to another loop, which waited for it first, or to an earlier overlay: poll instead.
            interrupt = None
    _raise_errors(status, name)


def halt(dma: Any) -> None:
    """Stop both channels until `restart`; errors are ignored, because the device may be gone."""
    with contextlib.suppress(EseError, RuntimeError, OSError):
        dma.write(DmaRegister.CONTROL, DmaBit.RESET)


def _timeout_error(name: str, deadline: Deadline) -> DeviceError:
    return DeviceError(
        f"the {name} did not end within {deadline.seconds:.3g} s: try again, or allow more with timeout= in Python or "
        "the command's --timeout; the device is reset with the next call"
    )


def _raise_errors(status: int, name: str) -> None:
    """Raise the errors of a channel's status register."""
    if status & DmaBit.ERRORS:
        raise DeviceError(
            f"the DMA failed to transfer the {name}: internal, slave or decode error (status {status:#010x}); "
            "try again, the device is reset with the next call"
        )
