# SPDX-License-Identifier: Apache-2.0
"""Piecewise linear activations: slope * x + offset, exact until it is rounded (numerics.md, "Activations")."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from amaranth.hdl import C, Cat, Module, Mux, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from ese_host.ir import LIMIT_BITS, SLOPE, Activation
from ese_rtl.pipeline import later
from ese_rtl.records import Line
from ese_rtl.unit.arithmetic import PRODUCT_CLOCKS, ROUNDING_CLOCKS, Product, product_clocks
from ese_rtl.unit.sets import code_ports, codes_of, rounded_codes


class Hard(wiring.Component):
    """A piecewise linear activation; the result comes `latency` clocks after x. A digit is a signal's clock.

    `line` does not change while a value is under way. A product of a wide x takes a clock more than the digits say. The
    line may be rounded for several format sets at once, each to a code of its own.

    Attributes:
        codes: the results, in the order of the functions.
    """

    latency = 2 + PRODUCT_CLOCKS + ROUNDING_CLOCKS
    """Of an x whose product takes two clocks."""

    def __init__(self, activation: Activation, bits: int, frac: int, *, others: Sequence[Activation] = ()) -> None:
        """Make the component.

        Args:
            activation: the function and the format of its result.
            bits: width of x.
            frac: fractional bits of x, at least 0.
            others: further functions and formats.
        """
        self._activations, self._bits, self._frac = (activation, *others), bits, frac
        self.latency = 2 + product_clocks(min(bits, LIMIT_BITS + frac + 2)) + ROUNDING_CLOCKS
        super().__init__({"x": In(signed(bits)), "line": In(Line), **code_ports(self._activations)})
        self.codes = codes_of(self, len(self._activations))

    def elaborate(self, _platform: Any) -> Module:
        """Clip x, multiply, add the offset, round."""
        m = Module()
        held1 = later(m, self._held(), name="held1")
        m.submodules.product = product = Product(max(len(held1), SLOPE.bits + 1), SLOPE.bits + 1)
        m.d.comb += [product.a.eq(held1), product.b.eq(self.line.slope)]
        product3 = product.product
        # The offset has no bits below the binary point of x. Those that are rounded away anyway become one bit that
        # says whether any of them is set, and the adder is so much shorter.
        shifts = [self._frac + SLOPE.frac - activation.out.frac for activation in self._activations]
        folded = min(self._frac, max(min(shifts) - 2, 0))
        offset = Cat(C(0, self._frac - folded), self.line.offset, C(0, 1)).as_signed()
        above = product3[folded:].as_signed() + offset
        line4 = Cat(product3[:folded].any(), above).as_signed() if folded else above
        value4 = later(m, line4, name="value4")
        to = [
            (shift - folded + bool(folded), activation.low, activation.high)
            for shift, activation in zip(shifts, self._activations, strict=True)
        ]
        for code, found in zip(self.codes, rounded_codes(m, value4, to, "rounding"), strict=True):
            m.d.comb += code.eq(found)
        return m

    def _held(self) -> Any:
        """x, clipped to +-2**LIMIT_BITS."""
        limit = LIMIT_BITS + self._frac
        if self._bits <= limit + 1:
            return self.x
        above = self.x[limit:]
        fits = above.all() | ~above.any()
        end = Mux(self.x[-1], C(-1 << limit, signed(limit + 2)), C(1 << limit, signed(limit + 2)))
        return Mux(fits, self.x[: limit + 2].as_signed(), end)
