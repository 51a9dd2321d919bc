# SPDX-License-Identifier: Apache-2.0
"""A lane computes the sum of one row: accumulators times scales, plus the bias, plus a peephole's part."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ese_host.image import CONSTANT_BITS, SUM_BITS
from ese_rtl.pipeline import later
from ese_rtl.records import SHIFT_BITS
from ese_rtl.unit.arithmetic import (
    PRODUCT_CLOCKS,
    SCALED_CLOCKS,
    ScaledProduct,
    ShiftLeft,
    only_if,
    sum_depth,
    wrapping_sum,
)


def lane_latency(banks: int, peephole: bool) -> int:
    """Clocks from a row's accumulators to its sum.

    Args:
        banks: accumulators of a row.
        peephole: whether the lane has the product of a peephole and c.
    """
    return SCALED_CLOCKS + sum_depth(banks + 1 + peephole)


class Lane(wiring.Component):
    """The sum of a row, modulo 2**SUM_BITS, `lane_latency` clocks after its accumulators.

    Shifts and `peepholes` do not change while a row is under way.
    """

    def __init__(self, acc_bits: int, banks: int, peephole: bool) -> None:
        """Make the component.

        Args:
            acc_bits: width of an accumulator.
            banks: accumulators of a row.
            peephole: whether the lane has the product of a peephole and c.
        """
        self._acc_bits, self._peephole = acc_bits, peephole
        ports: dict[str, Any] = {
            "sums": In(data.ArrayLayout(signed(acc_bits), banks)),
            "scales": In(data.ArrayLayout(CONSTANT_BITS, banks)),
            "bias": In(signed(CONSTANT_BITS)),
            "bank_shift": In(data.ArrayLayout(SHIFT_BITS, banks)),
            "bias_shift": In(SHIFT_BITS),
            "row_sum": Out(signed(SUM_BITS)),
        }
        if peephole:
            ports |= {
                "peepholes": In(1),  # whether the product of peephole and c is added
                "peephole": In(signed(CONSTANT_BITS)),
                "cell": In(signed(CONSTANT_BITS)),
                "peephole_shift": In(SHIFT_BITS),
            }
        super().__init__(ports)

    def elaborate(self, _platform: Any) -> Module:
        """All terms, shifted, four clocks later; then the sums of pairs."""
        m = Module()
        terms = []
        for bank, (accumulator, scale) in enumerate(zip(self.sums, self.scales, strict=True)):
            # the scale is unsigned, so as a signed factor it needs one more bit
            product = ScaledProduct(max(self._acc_bits, CONSTANT_BITS + 1), min(self._acc_bits, CONSTANT_BITS + 1))
            wide, narrow = (accumulator, scale) if self._acc_bits > CONSTANT_BITS else (scale, accumulator)
            m.submodules[f"bank{bank}"] = product
            m.d.comb += [product.a.eq(wide), product.b.eq(narrow), product.shift.eq(self.bank_shift[bank])]
            terms.append(product.scaled)
        m.submodules.bias = bias = ShiftLeft(CONSTANT_BITS)
        m.d.comb += [bias.value.eq(later(m, self.bias, PRODUCT_CLOCKS, name="bias")), bias.shift.eq(self.bias_shift)]
        terms.append(bias.shifted)
        if self._peephole:
            m.submodules.peephole = seen = ScaledProduct(CONSTANT_BITS, CONSTANT_BITS)
            m.d.comb += [
                seen.a.eq(self.peephole),
                seen.b.eq(self.cell),
                seen.shift.eq(self.peephole_shift),
            ]
            terms.append(only_if(self.peepholes, seen.scaled))
        m.d.comb += self.row_sum.eq(wrapping_sum(m, terms, "row"))
        return m
