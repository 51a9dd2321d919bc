# SPDX-License-Identifier: Apache-2.0
"""Shift registers, by which what is known in one stage of a pipeline reaches a later one."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Signal, Value


def later(m: Module, value: Any, clocks: int = 1, *, name: str, shape: Any = None, reset: bool = False) -> Any:
    """A value as it was some clocks ago.

    Args:
        m: module that gets the registers.
        value: a signal, a record or an expression.
        clocks: number of registers; with 0 the value itself is returned.
        name: of the last register; those before it have their number appended.
        shape: of the registers; by default that of the value.
        reset: whether the registers are zero after a reset, as bits that say "valid" must be.
    """
    if shape is None:
        shape = value.shape() if hasattr(value, "shape") else Value.cast(value).shape()
    for clock in range(clocks):
        register = Signal(shape, name=name if clock + 1 == clocks else f"{name}_{clock + 1}", reset_less=not reset)
        m.d.sync += register.eq(value)
        value = register
    return value
