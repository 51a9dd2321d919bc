"""The registers of an AXI interrupt controller (PG099), as far as pynq's driver uses them."""

from __future__ import annotations

from collections.abc import Callable

STATUS, PENDING, ENABLE, ACKNOWLEDGE, SET_ENABLE, CLEAR_ENABLE, MASTER = 0x00, 0x04, 0x08, 0x0C, 0x10, 0x14, 0x1C


class InterruptController:
    """Level-sensitive inputs to one output; `raised` is called whenever the output goes up."""

    def __init__(self, inputs: Callable[[], int]) -> None:
        self._inputs = inputs
        self.raised: Callable[[], None] = lambda: None
        self._latched = self._enabled = self._master = 0
        self._line = False

    @property
    def line(self) -> bool:
        """The output."""
        return self._line

    def read(self, offset: int) -> int:
        """A register's value; reserved ones read as zero."""
        self._latched |= self._inputs()
        values = {
            STATUS: self._latched,
            PENDING: self._latched & self._enabled,
            ENABLE: self._enabled,
            MASTER: self._master,
        }
        return values.get(offset, 0)

    def write(self, offset: int, value: int) -> None:
        """Write a register, with all that follows from it."""
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
        """Look at the inputs; where the output goes up, say so."""
        self._latched |= self._inputs()
        was, self._line = self._line, self._master == 3 and bool(self._latched & self._enabled)
        if self._line and not was:
            self.raised()
