"""What LOAD checks of an image's header, word by word."""
# Annotations of components and records are their ports and fields, so that they must not be postponed.

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ese_host.image import FORMAT_VERSION, HEADER, HEADER_FIELDS, MAGIC, Design
from ese_host.image.reader import MAX_INPUTS
from ese_host.protocol import ErrorCode
from ese_rtl.packet.ports import WORD_BITS
from ese_rtl.sizes import MAX_CODEBOOKS

SIZE_BITS = 17
"""Bits of the largest number of items that a memory can have, 65536."""


class HeaderCheck(wiring.Component):
    """Says in the same clock what is wrong with a word of the header.

    Attributes:
        place: index of the word.
        word: the word.
        same: whether the word is the number of words that the LOAD packet announces.
        error: the error code, zero if nothing is wrong. The error of the first wrong word counts.
    """

    place: In(range(len(HEADER)))
    word: In(WORD_BITS)
    same: In(1)
    error: Out(ErrorCode)

    def __init__(self, design: Design) -> None:
        """Make the check of a design."""
        super().__init__()
        self._equal = {"magic": MAGIC, "version": FORMAT_VERSION, "design_id": design.design_id}
        self._limits = {
            "phases": design.phases,
            "entry_words": design.entry_depth,
            "params": design.cells_per_cycle * design.param_depth,
            "cells": design.cells_per_cycle * design.cell_depth,
            "codebooks": 0 if design.widths.weight.own_level else MAX_CODEBOOKS,
            "inputs": min(design.vector_depth, MAX_INPUTS),
        }

    def elaborate(self, _platform: object) -> Module:
        """The circuit."""
        m = Module()
        limit = Signal(SIZE_BITS, init=(1 << SIZE_BITS) - 1)
        fits, small, none = Signal(), Signal(), Signal()
        m.d.comb += [
            # one comparison for all sizes; words without a limit are let pass
            fits.eq((self.word[:SIZE_BITS] <= limit) & (self.word[SIZE_BITS:] == 0)),
            small.eq(self.word[HEADER_FIELDS["pointers"].low :] == 0),
            none.eq(self.word[:SIZE_BITS] == 0),
        ]
        with m.Switch(self.place):
            for name, value in self._equal.items():
                wrong = ErrorCode.WRONG_DESIGN if name == "design_id" else ErrorCode.BAD_HEADER
                with m.Case(HEADER.index(name)), m.If(self.word != value):
                    m.d.comb += self.error.eq(wrong)
            with m.Case(HEADER.index("words")), m.If(~self.same):
                m.d.comb += self.error.eq(ErrorCode.BAD_HEADER)
            for name, most in self._limits.items():
                empty = none if name == "inputs" else 0
                with m.Case(HEADER.index(name)):
                    m.d.comb += limit.eq(most)
                    with m.If(~fits | empty):
                        m.d.comb += self.error.eq(ErrorCode.TOO_LARGE)
            # a stream engine holds no column pointers
            with m.Case(HEADER_FIELDS["pointers"].word), m.If(~small):
                m.d.comb += self.error.eq(ErrorCode.TOO_LARGE)
        return m
