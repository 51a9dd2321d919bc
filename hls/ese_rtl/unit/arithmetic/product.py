# SPDX-License-Identifier: Apache-2.0
"""Products in DSP48 blocks."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Const, Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ese_host.image import SUM_BITS
from ese_rtl.pipeline import later
from ese_rtl.records import SHIFT_BITS
from ese_rtl.unit.arithmetic.shifts import NEAR, SHIFT_CLOCKS, far_shift, near_shift

PRODUCT_CLOCKS = 2
WIDE, NARROW = 25, 18
"""Bits of the factors of a DSP48E1, signs included."""
CASCADE = 17
"""Bits by which a DSP48E1 shifts the product of its neighbour before it adds it."""
TWO_PARTS = 2 * WIDE - 1
"""Most bits of a factor that is multiplied in two parts."""


def product_clocks(a_bits: int) -> int:
    """Clocks that a product takes.

    Args:
        a_bits: width of the wider factor.
    """
    return PRODUCT_CLOCKS + (a_bits > TWO_PARTS)


class Product(wiring.Component):
    """a * b, exact, `product_clocks` later, from operands that stand in registers.

    A factor `a` of more than 25 bits is multiplied in two parts, which takes two DSPs. Their first register holds the
    products of the parts, the second the sum. One of more than 49 bits is multiplied in three parts, with a sum in each
    of two more registers. A platform with the attribute `multiplier_bits` is an FPGA whose multipliers take two signed
    factors of so many bits and hold no sum; there `a` is multiplied in as many parts as that takes, in the same clocks.
    """

    def __init__(self, a_bits: int, b_bits: int) -> None:
        """Make the component.

        Args:
            a_bits: width of the wider factor, at most 73.
            b_bits: width of the narrower factor, at most 18.
        """
        self._a_bits, self._b_bits = a_bits, b_bits
        self.latency = product_clocks(a_bits)
        product = Out(signed(a_bits + b_bits))
        super().__init__({"a": In(signed(a_bits)), "b": In(signed(b_bits)), "product": product})

    def elaborate(self, platform: Any) -> Module:
        """One multiplier or more."""
        m = Module()
        total = Signal.like(self.product, reset_less=True)
        if hasattr(platform, "multiplier_bits"):
            parts = self._sum_of_parts(m, platform.multiplier_bits)
            m.d.sync += total.eq(later(m, parts, self.latency - PRODUCT_CLOCKS, name="parts2"))
        elif self._a_bits <= WIDE:
            m.d.sync += total.eq(later(m, self.a * self.b, name="product1"))
        else:
            low = CASCADE if self._a_bits - CASCADE <= WIDE else WIDE - 1
            below = later(m, Cat(self.a[:low], Const(0, 1)).as_signed() * self.b, name="below1")
            if self._a_bits > TWO_PARTS:
                middle = later(m, Cat(self.a[low : 2 * low], Const(0, 1)).as_signed() * self.b, name="middle1")
                above1 = later(m, self.a[2 * low :].as_signed() * self.b, name="above1")
                upper = _added(middle, above1, low, total.shape().width - low).as_signed()
                below, above = later(m, below, name="below2"), later(m, upper, name="above2")
            else:
                above = later(m, self.a[low:].as_signed() * self.b, name="above1")
            m.d.sync += total.eq(_added(below, above, low, total.shape().width))
        m.d.comb += self.product.eq(total)
        return m

    def _sum_of_parts(self, m: Module, bits: int) -> Any:
        """The sum of products whose factors have at most so many bits; each product stands in a register."""
        width = bits - 1  # of a part without sign
        total: Any = Const(0, 1)
        for place in range(0, self._a_bits - 1, width):
            top = place + bits >= self._a_bits
            part = self.a[place:] if top else Cat(self.a[place : place + width], Const(0, 1))
            total = total + (later(m, part.as_signed() * self.b, name=f"part{place}") << place)
        return total


def _added(below: Any, above: Any, low: int, bits: int) -> Any:
    """Below + above * 2**low, whose lowest bits pass the adder by.

    Args:
        below: signed product of the lower part.
        above: signed product of the part above it.
        low: bits of the lower part.
        bits: of the result.
    """
    return Cat(below[:low], (below[low:].as_signed() + above)[: bits - low])


SCALED_CLOCKS = PRODUCT_CLOCKS + SHIFT_CLOCKS


class ScaledProduct(wiring.Component):
    """a * b * 2**shift modulo 2**SUM_BITS, four clocks later; `shift` does not change while a product is under way.

    If the multiplier has room, `a` is shifted by the lowest bits of `shift` before it, because it is narrower than the
    product.
    """

    def __init__(self, a_bits: int, b_bits: int) -> None:
        """Make the component.

        Args:
            a_bits: width of the wider factor.
            b_bits: width of the narrower factor.
        """
        self._a_bits, self._b_bits = a_bits, b_bits
        super().__init__(
            {
                "a": In(signed(a_bits)),
                "b": In(signed(b_bits)),
                "shift": In(SHIFT_BITS),
                "scaled": Out(signed(SUM_BITS)),
            }
        )

    def elaborate(self, _platform: Any) -> Module:
        """A short shift and the product, in either order, then the long shift."""
        m = Module()
        near_first = self._a_bits + NEAR <= WIDE
        a, b = self.a, self.b
        if near_first:
            a, b = near_shift(m, a, self.shift), later(m, b, name="b1")
        m.submodules.product = product = Product(len(a), len(b))
        m.d.comb += [product.a.eq(a), product.b.eq(b)]
        value = product.product[:SUM_BITS].as_signed()
        if not near_first:
            value = near_shift(m, value, self.shift)
        m.d.comb += self.scaled.eq(far_shift(m, value, self.shift))
        return m
