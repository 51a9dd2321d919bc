"""Values that arrive some clocks later, and sums of many terms; data paths, so that nothing is reset."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from amaranth.hdl import Module, Mux, Shape, Signal, signed

from ese_host.image import SUM_BITS


def registered(m: Module, value: Any, name: str, shape: Any = None) -> Any:
    """The value one clock later.

    Args:
        m: module that gets the register.
        value: what is registered.
        name: name of the register.
        shape: shape of the register; by default that of the value.
    """
    later = Signal(value.shape() if shape is None else shape, name=name, reset_less=True)
    m.d.sync += later.eq(value)
    return later


def delayed(m: Module, value: Any, clocks: int, name: str) -> Any:
    """The value some clocks later.

    Args:
        m: module that gets the registers.
        value: what is delayed.
        clocks: how many clocks.
        name: begins the names of the registers.
    """
    for clock in range(1, clocks + 1):
        value = registered(m, value, f"{name}_later{clock}")
    return value


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
            registered(m, sum(pair[1:], pair[0]), f"{name}_sum{level}_{at}", signed(SUM_BITS))
            for at, pair in enumerate(pairs)
        ]
    return left[0]


def only_if(condition: Any, value: Any) -> Any:
    """The value, or zero unless the condition holds; an adder's LUTs take this in."""
    return Mux(condition, value, 0).as_signed() if Shape.cast(value.shape()).signed else Mux(condition, value, 0)
