# SPDX-License-Identifier: Apache-2.0
"""Options of the commands that run on a device."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from ese_host.errors import MissingError

if TYPE_CHECKING:
    from ese_host.device import Driver

REMOTE = click.option("--remote", metavar="ADDRESS", help="Address of a board in the network that runs PYNQ.remote.")
TIMEOUT = click.option(
    "--timeout",
    type=click.FloatRange(0, min_open=True, max=1_000_000),
    help="Seconds to wait for the answer to one packet.  [default: by the packet's work]",
)
DRIVER = click.option(
    "--driver",
    type=click.Choice(["auto", "pynq", "adapter"]),
    default="auto",
    show_default=True,
    help="Library that drives the device.",
)
TRUST = click.option(
    "--trust", is_flag=True, help="Load an emulated bitstream, which is native code, though this user did not build it."
)


def on_an_engine(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of commands that open an `Accelerator`; `opening` takes their values."""
    for option in (TRUST, TIMEOUT, REMOTE, DRIVER):
        command = option(command)
    return command


def opening(driver: Driver, remote: str | None, timeout: float | None, trust: bool) -> dict[str, Any]:
    """Arguments of `Accelerator` from the options of `on_an_engine`.

    Args:
        driver: library that drives the device.
        remote: address of a board in the network, or None for a device of this machine.
        timeout: seconds to wait for one packet, or None for a time that follows from its work.
        trust: whether an emulated bitstream of somebody else may be loaded.
    """
    return {"driver": driver, "device": _remote(remote), "timeout": timeout, "trust": trust}


def _remote(address: str | None) -> Any:
    """The device at an address, or None if no address is given."""
    if address is None:
        return None
    try:
        from ese_host.device.remote import connect
    except ModuleNotFoundError as error:
        if error.name != "pynq.pl_server.remote_device":
            raise
        # the extra is installed, so that its name would not help
        raise MissingError(
            "--remote needs pynq 4.0 or newer; the installed one has no PYNQ.remote: pip install --upgrade pynq"
        ) from error
    return connect(address)
