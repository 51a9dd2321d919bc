# SPDX-License-Identifier: Apache-2.0
"""The registers of an AXI interrupt controller (AMD's guide PG099), as far as pynq's driver uses them."""

from __future__ import annotations

from collections.abc import Callable

STATUS, PENDING, ENABLE, ACKNOWLEDGE, SET_ENABLE, CLEAR_ENABLE, MASTER = 0x00, 0x04, 0x08, 0x0C, 0x10, 0x14, 0x1C
"""Byte offsets of the registers."""


class InterruptController:
    """Combines level-sensitive inputs into one output; `raised` is called whenever the output goes up."""

    def __init__(self, inputs: Callable[[], int]) -> None:
        self._inputs = inputs
        self.raised: Callable[[], None] = lambda: None
        self._latched = self._enabled = self._master = 0
        self._line = False

    @property
    def line(self) -> bool:
        """Whether the output is up."""
        return self._line

    def read(self, offset: int) -> int:
        """The value of the register at a byte offset; reserved registers read as zero."""
        self._latched |= self._inputs()
        values = {
            STATUS: self._latched,
            PENDING: self._latched & self._enabled,
            ENABLE: self._enabled,
            MASTER: self._master,
        }
        return values.get(offset, 0)

    def write(self, offset: int, value: int) -> None:
        """Write the register at a byte offset, with all its effects."""
        if offset == ENABLE:
            self._enabled = value
        elif offset == SET_ENABLE:
            self._enabled |= value
        elif offset == CLEAR_ENABLE:
            self._enabled &= ~value
        elif offset == ACKNOWLEDGE:
            self._latched &= ~value
        elif offset == MASTER:
            self._master = value & 3
        self.update()

    def update(self) -> None:
        """Read the inputs and set the output; call `raised` if it goes up."""
        self._latched |= self._inputs()
        was_up, self._line = self._line, self._master == 3 and bool(self._latched & self._enabled)
        if self._line and not was_up:
            self.raised()
