"""Shifts to the left by a number that is known only when an image is loaded, modulo 2**SUM_BITS."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ese_host.image import SUM_BITS
from ese_rtl.records import SHIFT_BITS

SHIFT_CLOCKS = 2


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
        """Two multiplexers, each with a register behind it."""
        m = Module()
        near = Signal(signed(min(self._bits + 3, SUM_BITS)), reset_less=True)
        far = Signal(signed(SUM_BITS), reset_less=True)
        m.d.sync += near.eq(self.value << self.shift[:2])
        with m.Switch(self.shift[2:]):
            for fours in range(SUM_BITS // 4):
                with m.Case(fours):
                    m.d.sync += far.eq(near << 4 * fours)
            with m.Default():
                m.d.sync += far.eq(0)
        m.d.comb += self.shifted.eq(far)
        return m
