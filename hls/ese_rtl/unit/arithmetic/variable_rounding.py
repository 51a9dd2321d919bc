# SPDX-License-Identifier: Apache-2.0
"""Rounding half to even and saturation where the number of bits and the bounds are known only at run time."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ese_host.image import SUM_BITS
from ese_rtl.pipeline import later
from ese_rtl.records import ELEMENT_BITS, SHIFT_BITS


class VariableRounding(wiring.Component):
    """A sum * 2**-shift, rounded half to even, then saturated; the result comes `latency` clocks after the value.

    `shift`, `low` and `high` do not change while a value is under way. A digit is a signal's clock.
    """

    latency = 5

    def __init__(self) -> None:
        element = signed(ELEMENT_BITS)
        super().__init__(
            {
                "value": In(signed(SUM_BITS)),
                "shift": In(SHIFT_BITS),
                "low": In(element),
                "high": In(element),
                "code": Out(element),
            }
        )

    def elaborate(self, _platform: Any) -> Module:
        """Shift in three steps, add the rounding's carry, compare and select.

        The value has one bit more on its right, which is the one that decides a tie at the end. What falls out beyond
        it only counts as zero or not (`rest`). Each step keeps the bits that the steps behind it may still move into
        the result, and one bit for the sign; if others differ from it, the result is saturated (`over`).
        """
        m = Module()
        value, rest, over = Cat(Const(0, 1), self.value).as_signed(), Const(0, 1), Const(0, 1)
        for step, (low, bits) in enumerate(((4, 2), (2, 2), (0, 2)), 1):
            select = self.shift[low : low + bits]
            moves = [choice << low for choice in range(1 << bits)]
            kept = 1 + ELEMENT_BITS + 1 + (1 << low) - 1
            parts = [_moved(value, move, kept) for move in moves]
            over |= Array(beyond for _, beyond in parts)[select]
            # what falls out stays in pieces for a clock: to look at all of it at once takes too many levels of logic
            fallen = Cat(value[a:b].any() & (select > choice) for choice, (a, b) in enumerate(pairwise(moves)))
            value = later(m, Array(moved for moved, _ in parts)[select], name=f"value{step}", shape=signed(kept))
            over = later(m, over, name=f"over{step}", shape=1)
            rest = later(m, Cat(rest, fallen), name=f"rest{step}").any()
        negative3 = later(m, self.value[-1], 3, name="negative")
        up = value[0] & (rest | value[1])
        nearest4 = later(m, value[1:].as_signed() + Cat(up, Const(0, 1)).as_signed(), name="nearest4")
        over4, negative4 = later(m, over, name="over4"), later(m, negative3, name="negative4")
        below = Mux(over4, negative4, nearest4 < self.low)
        above = Mux(over4, ~negative4, nearest4 > self.high)
        code5 = Signal.like(self.code, reset_less=True)
        m.d.sync += code5.eq(Mux(below, self.low, Mux(above, self.high, nearest4)))
        m.d.comb += self.code.eq(code5)
        return m


def _moved(value: Any, move: int, kept: int) -> tuple[Any, Any]:
    """One choice of a step.

    Args:
        value: signed value before the step.
        move: bits by which it is shifted right.
        kept: bits that the step keeps.

    Returns:
        The bits kept; whether a bit above them differs from the sign.
    """
    shifted = value >> move
    above = shifted[kept - 1 :] if len(shifted) >= kept else Const(0, 1)
    return shifted[:kept].as_signed(), above.any() & ~above.all()
