"""The cell of a GRU, behind its gates: the new h, or only r * h."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import C, Cat, Module, Mux, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ese_host.image import CONSTANT_BITS, SUM_BITS
from ese_rtl.pipeline import later
from ese_rtl.records import Line
from ese_rtl.unit.activation import ACTIVATION_CLOCKS, component_of
from ese_rtl.unit.arithmetic import PRODUCT_CLOCKS, Product
from ese_rtl.unit.cell import EXACT_CLOCKS, GruFormats, unrounded
from ese_rtl.unit.lookup import LOOKUP
from ese_rtl.unit.smooth import Smooth

RESET_CLOCKS = PRODUCT_CLOCKS
"""Clocks from r to r * h."""
SUM_CLOCKS = 1 + PRODUCT_CLOCKS + 1
"""Clocks from r to the candidate's sum."""
CANDIDATE_CLOCKS = SUM_CLOCKS + ACTIVATION_CLOCKS
GRU_CLOCKS = CANDIDATE_CLOCKS + EXACT_CLOCKS
"""Clocks from z and r to the candidate, and to the new h."""


class GruCell(wiring.Component):
    """z * h + (1 - z) * g, where g is the activation of x + r * u, or of x + u; and r * h. A digit is a signal's clock.

    All operands stand at the ports in the same clock. `before` and `line` do not change while a cell is under way.

    Attributes:
        smooth: whether the activation reads the table, for which there is the port `lookup`.
    """

    def __init__(self, formats: GruFormats) -> None:
        """Make the component.

        Args:
            formats: widths and binary points.
        """
        self._formats, function = formats, formats.design.cell
        self._activation = component_of(function)(function, formats.a_bits, formats.a_frac)
        self.smooth = isinstance(self._activation, Smooth)
        gate, row_sum = signed(formats.gate_bits), signed(SUM_BITS)
        super().__init__(
            {
                "before": In(1),  # r multiplied h already, and not u
                "line": In(Line),
                "z": In(gate),
                "r": In(gate),
                "x": In(row_sum),  # the input's part of the candidate's sum
                "u": In(row_sum),  # the recurrent part
                "h": In(signed(CONSTANT_BITS)),  # of the step before
                **({"lookup": Out(LOOKUP)} if self.smooth else {}),
                "reset": Out(signed(formats.reset_bits)),  # r * h, `RESET_CLOCKS` later
                "exact": Out(signed(formats.h_bits)),  # the new h, `GRU_CLOCKS` later
            }
        )

    def elaborate(self, _platform: Any) -> Module:
        """The candidate's sum and its activation, and what z leaves of it and of h."""
        m = Module()
        formats = self._formats
        one = C(formats.one, signed(formats.gate_bits))
        m.submodules.product_reset = reset = Product(max(formats.gate_bits, CONSTANT_BITS), CONSTANT_BITS)
        m.d.comb += [reset.a.eq(self.r), reset.b.eq(self.h), self.reset.eq(reset.product)]
        m.submodules.activation = activation = self._activation
        m.d.comb += activation.x.eq(self._sum(m, one))
        if self.smooth:
            m.d.comb += [self.lookup.segment.eq(activation.lookup.segment), activation.lookup.word.eq(self.lookup.word)]
        else:
            m.d.comb += activation.line.eq(self.line)
        less1 = later(m, one - self.z, name="less1", shape=self.z.shape())
        kept = [later(m, value, CANDIDATE_CLOCKS, name=name) for value, name in ((self.z, "z"), (self.h, "h"))]
        less = later(m, less1, CANDIDATE_CLOCKS - 1, name="less")
        candidate = later(m, activation.code, ACTIVATION_CLOCKS - activation.latency, name="candidate")
        m.d.comb += self.exact.eq(unrounded(m, formats, (kept[0], kept[1]), (less, candidate)))
        return m

    def _sum(self, m: Module, one: C) -> Any:
        """X + r * u, or x + 1 * u, with the fractional bits of r more than x has. They pass the adder by."""
        formats = self._formats
        frac = formats.design.gate.out.frac
        m.submodules.product = product = Product(SUM_BITS, formats.gate_bits)
        m.d.comb += [
            product.a.eq(later(m, self.u, name="u1")),
            product.b.eq(later(m, Mux(self.before, one, self.r), name="factor1")),
        ]
        product3 = product.product
        x3 = later(m, self.x, SUM_CLOCKS - 1, name="x3")
        whole = (x3 + product3[frac:].as_signed())[: formats.a_bits - frac]
        return later(m, Cat(product3[:frac], whole).as_signed(), name="sum4", shape=signed(formats.a_bits))
