# SPDX-License-Identifier: Apache-2.0
"""Arithmetic in stages: sums, shifts, products, rounding."""

from ese_rtl.unit.arithmetic.product import PRODUCT_CLOCKS, SCALED_CLOCKS, Product, ScaledProduct, product_clocks
from ese_rtl.unit.arithmetic.rounding import ROUNDING_CLOCKS, Rounding, code_bits, rounded, saturated
from ese_rtl.unit.arithmetic.shifts import SHIFT_CLOCKS, ShiftLeft
from ese_rtl.unit.arithmetic.sums import only_if, sum_depth, wrapping_sum
from ese_rtl.unit.arithmetic.variable_rounding import VariableRounding

__all__ = [
    "PRODUCT_CLOCKS",
    "ROUNDING_CLOCKS",
    "SCALED_CLOCKS",
    "SHIFT_CLOCKS",
    "Product",
    "Rounding",
    "ScaledProduct",
    "ShiftLeft",
    "VariableRounding",
    "code_bits",
    "only_if",
    "product_clocks",
    "rounded",
    "saturated",
    "sum_depth",
    "wrapping_sum",
]
