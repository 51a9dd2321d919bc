# SPDX-License-Identifier: Apache-2.0
"""The registers that the host uses: the engine's (packets.md), and the AXI DMA's in simple mode (AMD's PG021).

Offsets and bits are plain integers, because pynq's MMIO takes nothing else.
"""

from __future__ import annotations

from typing import NamedTuple


class Register(NamedTuple):
    """A register of the engine.

    Attributes:
        offset: byte offset in the engine's block of registers.
        access: "read-write" or "read-only", as the host sees it.
        description: its meaning, for the .hwh.
    """

    offset: int
    access: str
    description: str


REGISTERS = {
    "CTRL": Register(0x00, "read-write", "start (bit 0), auto-restart (bit 7)"),
    "design_id": Register(0x10, "read-only", "design id"),
    "image_id": Register(0x20, "read-only", "image id loaded"),
    "cycles_low": Register(0x30, "read-only", "cycles of the last packet, low word"),
    "cycles_high": Register(0x40, "read-only", "cycles of the last packet, high word"),
    "error": Register(0x50, "read-only", "error code of the last packet"),
    "version": Register(0x60, "read-only", "version of the protocol"),
}
"""The engine's registers, by the names of the top function's ports."""
START_BIT, IDLE_BIT = 0x01, 0x04
"""Bits of the CTRL register."""
START = START_BIT | 0x80
"""Value written once to CTRL: start, and restart automatically after each packet."""


class DmaRegister:
    """Byte offsets of the DMA's two channels, and of the registers in each channel."""

    SEND, RECEIVE = 0x00, 0x30
    """Offsets of the channels: memory to stream (SEND) and stream to memory (RECEIVE)."""
    CONTROL, STATUS, ADDRESS, ADDRESS_HIGH, LENGTH = 0x00, 0x04, 0x18, 0x1C, 0x28
    """Offsets of the registers, relative to their channel."""


class DmaBit:
    """Bits of a channel's control and status registers."""

    RUN, RESET = 0x1, 0x4
    """Bits of the control register."""
    HALTED, IDLE, INTERNAL, SLAVE, DECODE, COMPLETE, FAILED = 0x1, 0x2, 0x10, 0x20, 0x40, 0x1000, 0x4000
    """Bits of the status register: states, kinds of error, and the two interrupts in use."""
    ERRORS = INTERNAL | SLAVE | DECODE
    INTERRUPTS = 0x7000
    """The interrupt bits, which are the same in both registers."""
