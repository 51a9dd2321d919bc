# SPDX-License-Identifier: Apache-2.0
"""Shifts to the left by a number that is known only when an image is loaded, modulo 2**SUM_BITS."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ese_host.image import SUM_BITS
from ese_rtl.records import SHIFT_BITS

SHIFT_CLOCKS = 2
NEAR = 3
"""The most that the short shift shifts by."""


class ShiftLeft(wiring.Component):
    """value * 2**shift, two clocks later: first by 0 to 3, while the value is narrow, then by a multiple of 4.

    `shift` does not change while a value is under way.
    """

    def __init__(self, bits: int) -> None:
        """Make the component.

        Args:
            bits: width of the value, at most `SUM_BITS`.
        """
        self._bits = bits
        super().__init__({"value": In(signed(bits)), "shift": In(SHIFT_BITS), "shifted": Out(signed(SUM_BITS))})

    def elaborate(self, _platform: Any) -> Module:
        """The short shift, then the long one."""
        m = Module()
        m.d.comb += self.shifted.eq(far_shift(m, near_shift(m, self.value, self.shift), self.shift))
        return m


def near_shift(m: Module, value: Any, shift: Any) -> Any:
    """A signed value shifted by the lowest two bits of a shift, one clock later.

    Args:
        m: module that gets the multiplexer.
        value: the value.
        shift: the whole shift.
    """
    near = Signal(signed(min(len(value) + NEAR, SUM_BITS)), reset_less=True)
    m.d.sync += near.eq(value << shift[:2])
    return near


def far_shift(m: Module, value: Any, shift: Any) -> Any:
    """A signed value shifted by all but the lowest two bits of a shift, modulo 2**SUM_BITS, one clock later.

    Args:
        m: module that gets the multiplexer.
        value: the value.
        shift: the whole shift.
    """
    far = Signal(signed(SUM_BITS), reset_less=True)
    with m.Switch(shift[2:]):
        for fours in range(SUM_BITS // 4):
            with m.Case(fours):
                m.d.sync += far.eq(value << 4 * fours)
        with m.Default():
            m.d.sync += far.eq(0)
    return far
