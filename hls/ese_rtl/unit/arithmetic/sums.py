# SPDX-License-Identifier: Apache-2.0
"""Sums of many terms, in stages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from amaranth.hdl import Module, Mux, Shape, signed

from ese_host.image import SUM_BITS
from ese_rtl.pipeline import later


def sum_depth(terms: int) -> int:
    """Clocks that `wrapping_sum` takes."""
    return (terms - 1).bit_length()


def wrapping_sum(m: Module, terms: Sequence[Any], name: str) -> Any:
    """The sum of terms modulo 2**SUM_BITS: two of them are added in each clock, in pairs.

    Args:
        m: module that gets the registers.
        terms: values of the same clock.
        name: begins the names of the registers.
    """
    left, level = list(terms), 0
    while len(left) > 1:
        level += 1
        pairs = [left[at : at + 2] for at in range(0, len(left), 2)]
        left = [
            later(m, sum(pair[1:], pair[0]), name=f"{name}_sum{level}_{at}", shape=signed(SUM_BITS))
            for at, pair in enumerate(pairs)
        ]
    return left[0]


def only_if(condition: Any, value: Any) -> Any:
    """The value, or zero unless the condition holds; an adder's LUTs take this in."""
    return Mux(condition, value, 0).as_signed() if Shape.cast(value.shape()).signed else Mux(condition, value, 0)
