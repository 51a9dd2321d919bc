# SPDX-License-Identifier: Apache-2.0
"""The project's only rounding rule, half to even and then saturated, by a number of bits that the design fixes."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import C, Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

ROUNDING_CLOCKS = 2


def code_bits(low: int, high: int) -> int:
    """Bits of a number in two's complement that has all values from `low` to `high`."""
    return max(low.bit_length() if low >= 0 else (~low).bit_length(), high.bit_length()) + 1


def extended(value: Any, bits: int) -> Any:
    """A signed value with at least so many bits."""
    missing = bits - len(value)
    return value if missing <= 0 else Cat(value, value[-1].replicate(missing)).as_signed()


def rounded(value: Any, shift: int) -> Any:
    """A signed value * 2**-shift, rounded half to even: an adder; exact if the shift is negative.

    What is added is one less than a half, and one more to an odd result. The adder's own carry tells whether that
    reaches the result, which takes fewer levels of logic than to look at all bits that fall out.
    """
    if shift <= 0:
        return Cat(Const(0, -shift), value).as_signed() if shift else value
    value = extended(value, shift + 1)
    below_half = (1 << shift - 1) - 1
    # a bit below the lowest one, set in both terms if the result is odd, carries one to it
    total = Cat(Const(1, 1), value).as_signed() + Cat(value[shift], Const(below_half, shift)).as_signed()
    return total[shift + 1 :].as_signed()


def saturated(value: Any, low: int, high: int) -> Any:
    """A signed value held between two constants.

    Args:
        value: the value.
        low: smallest result.
        high: largest result.
    """
    bits = code_bits(low, high)
    result = value[:bits].as_signed() if len(value) >= bits else value
    least, most = -(1 << len(value) - 1), (1 << len(value) - 1) - 1
    if high < most:
        result = Mux(value > high, C(high, signed(bits)), result)
    if low > least:
        result = Mux(value < low, C(low, signed(bits)), result)
    return result


class Rounding(wiring.Component):
    """A value * 2**-shift, rounded half to even, then saturated; two clocks later."""

    def __init__(self, bits: int, shift: int, low: int, high: int) -> None:
        """Make the component.

        Args:
            bits: width of the value.
            shift: fractional bits that are rounded away; negative to add some.
            low: smallest result.
            high: largest result.
        """
        self._shift, self._low, self._high = shift, low, high
        super().__init__({"value": In(signed(bits)), "code": Out(signed(code_bits(low, high)))})

    def elaborate(self, _platform: Any) -> Module:
        """One clock to round, one to saturate."""
        m = Module()
        whole = rounded(self.value, self._shift)
        nearest = Signal(whole.shape(), reset_less=True)
        code = Signal.like(self.code, reset_less=True)
        m.d.sync += [nearest.eq(whole), code.eq(saturated(nearest, self._low, self._high))]
        m.d.comb += self.code.eq(code)
        return m
