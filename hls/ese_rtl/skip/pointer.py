# SPDX-License-Identifier: Apache-2.0
"""Pointers into a PE's entry memory: the address of a word, and behind it the slot within the word."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, Value

from ese_host.image import RAM_BITS
from ese_rtl.sizes import Sizes


def following(m: Module, sizes: Sizes, pointer: Value, full: Value, name: str) -> Signal:
    """The pointer to the entry behind another one.

    Args:
        m: module that gets the logic.
        sizes: of the engine.
        pointer: to the other one. In a hostile image it may name a slot that a word does not have.
        full: whether a word holds codes without gaps, of which there are more.
        name: of the result.
    """
    widths = sizes.design.widths
    slot, word = pointer[: widths.slot_bits], pointer[widths.slot_bits :]
    last = slot >= widths.per_word(False) - 1
    if widths.full_phases:
        last = Mux(full, slot >= widths.per_word(True) - 1, last)
    result = Signal(RAM_BITS, name=name)
    m.d.comb += result.eq(Cat(Mux(last, 0, slot + 1)[: widths.slot_bits], (word + last)[: len(word)]))
    return result
