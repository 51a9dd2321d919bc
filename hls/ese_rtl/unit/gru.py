# SPDX-License-Identifier: Apache-2.0
"""The cell of a GRU, behind its gates: the new h, or only r * h."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import C, Cat, Module, Mux, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ese_host.image import CONSTANT_BITS, SUM_BITS, Design
from ese_rtl.pipeline import later
from ese_rtl.records import Line
from ese_rtl.unit.activation import activation_clocks, activation_of
from ese_rtl.unit.arithmetic import PRODUCT_CLOCKS, Product
from ese_rtl.unit.cell import EXACT_CLOCKS, GruFormats, unrounded
from ese_rtl.unit.lookup import LOOKUP
from ese_rtl.unit.sets import choice_clocks, chosen_later, set_of, set_port

SUM_CLOCKS = 1 + PRODUCT_CLOCKS + 1
"""Clocks from r to the candidate's sum."""


def reset_clocks(design: Design) -> int:
    """Clocks from r to r * h."""
    return PRODUCT_CLOCKS + choice_clocks(design)


def candidate_clocks(design: Design) -> int:
    """Clocks from r to the candidate."""
    return SUM_CLOCKS + activation_clocks(design)


def gru_clocks(design: Design) -> int:
    """Clocks from z and r to the new h."""
    return candidate_clocks(design) + EXACT_CLOCKS


class GruCell(wiring.Component):
    """z * h + (1 - z) * g, where g is the activation of x + r * u, or of x + u; and r * h. A digit is a signal's clock.

    All operands stand at the ports in the same clock. `before`, `line` and the format set do not change while a cell is
    under way.

    Attributes:
        smooth: whether the activation reads the table, for which there is the port `lookup`.
    """

    def __init__(self, formats: GruFormats) -> None:
        """Make the component.

        Args:
            formats: widths and binary points.
        """
        self._formats, functions = formats, [each.cell for each in formats.sets]
        self._activation = activation_of(functions, formats.a_bits, formats.a_frac)
        self.smooth = not all(function.hard for function in functions)
        gate, row_sum = signed(formats.gate_bits), signed(SUM_BITS)
        super().__init__(
            {
                "before": In(1),  # r multiplied h already, and not u
                "line": In(Line),
                **set_port(formats.design),
                "z": In(gate),
                "r": In(gate),
                "x": In(row_sum),  # the input's part of the candidate's sum
                "u": In(row_sum),  # the recurrent part
                "h": In(signed(CONSTANT_BITS)),  # of the step before
                **({"lookup": Out(LOOKUP)} if self.smooth else {}),
                "reset": Out(signed(formats.reset_bits)),  # r * h, with its own fractional bits, `reset_clocks` later
                "exact": Out(signed(formats.h_bits)),  # the new h, `gru_clocks` later
            }
        )

    def elaborate(self, _platform: Any) -> Module:
        """The candidate's sum and its activation, and what z leaves of it and of h."""
        m = Module()
        formats = self._formats
        one = C(formats.one, signed(formats.gate_bits))
        m.submodules.product_reset = reset = Product(max(formats.gate_bits, CONSTANT_BITS), CONSTANT_BITS)
        number = set_of(formats.design, self)
        own = [reset.product.shift_right(formats.gate_frac - each.gate.out.frac) for each in formats.sets]
        m.d.comb += [reset.a.eq(self.r), reset.b.eq(self.h), self.reset.eq(chosen_later(m, number, own, "own_reset"))]
        m.submodules.activation = activation = self._activation
        m.d.comb += activation.x.eq(self._sum(m, one))
        if self.smooth:
            m.d.comb += [self.lookup.segment.eq(activation.lookup.segment), activation.lookup.word.eq(self.lookup.word)]
        if any(each.cell.hard for each in formats.sets):
            m.d.comb += activation.line.eq(self.line)
        if formats.design.more_sets:
            m.d.comb += activation.format_set.eq(number)
        clocks = candidate_clocks(formats.design)
        less1 = later(m, one - self.z, name="less1", shape=self.z.shape())
        operands = ((self.z, "z"), (formats.aligned_state(number, self.h), "h"))
        kept = [later(m, value, clocks, name=name) for value, name in operands]
        less = later(m, less1, clocks - 1, name="less")
        waits = activation_clocks(formats.design) - activation.latency
        candidate = later(m, activation.code, waits, name="candidate")
        m.d.comb += self.exact.eq(unrounded(m, formats, (kept[0], kept[1]), (less, candidate)))
        return m

    def _sum(self, m: Module, one: C) -> Any:
        """X + r * u, or x + 1 * u, with the fractional bits of r more than x has. They pass the adder by."""
        formats = self._formats
        frac = formats.gate_frac
        m.submodules.product = product = Product(SUM_BITS, formats.gate_bits)
        m.d.comb += [
            product.a.eq(later(m, self.u, name="u1")),
            product.b.eq(later(m, Mux(self.before, one, self.r), name="factor1")),
        ]
        product3 = product.product
        x3 = later(m, self.x, SUM_CLOCKS - 1, name="x3")
        whole = (x3 + product3[frac:].as_signed())[: formats.a_bits - frac]
        return later(m, Cat(product3[:frac], whole).as_signed(), name="sum4", shape=signed(formats.a_bits))
