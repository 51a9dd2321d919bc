# SPDX-License-Identifier: Apache-2.0
"""The check of an image's header, word by word."""
# Annotations of components and records are their ports and fields, so that they must not be postponed.

from typing import Any

from amaranth.hdl import C, Cat, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ese_host.image import CODEBOOKS, FORMAT_VERSION, HEADER, HEADER_FIELDS, MAGIC, MAX_INPUTS, Design
from ese_host.protocol import ErrorCode
from ese_rtl.packet.ports import WORD_BITS, halves_alike

SIZE_BITS = 17
"""Bits of the largest number of items that a memory can have, 65536."""
HALF = SIZE_BITS // 2
_CODES = dict.fromkeys(("magic", "version", "words"), ErrorCode.BAD_HEADER) | {"design_id": ErrorCode.WRONG_DESIGN}
"""What a wrong word of the header is answered with; any other with TOO_LARGE."""


class HeaderCheck(wiring.Component):
    """Finds the first wrong word of a header. A word is compared in one clock, and judged in the next one.

    Attributes:
        begin: forget the header before.
        valid: a word comes.
        place: the index of a word that comes in the next clock.
        word: the word.
        same: which halves of the word are those of the number of words that the LOAD packet announces.
        error: the error code of the first wrong word, two clocks after it came; zero if none is wrong.
    """

    begin: In(1)
    valid: In(1)
    place: In(range(len(HEADER)))
    word: In(WORD_BITS)
    same: In(2)
    error: Out(ErrorCode)

    def __init__(self, design: Design) -> None:
        """Make the check of a design."""
        super().__init__()
        self._design = design
        self._equal = {"magic": MAGIC, "version": FORMAT_VERSION, "design_id": design.design_id}
        self._limits = {
            "phases": design.phases,
            "entry_words": design.entry_depth,
            "params": design.cells_per_cycle * design.param_depth,
            "cells": design.cells_per_cycle * design.cell_depth,
            "codebooks": 0 if design.widths.weight.own_level else CODEBOOKS,
            "inputs": min(design.vector_depth, MAX_INPUTS),
        }

    def elaborate(self, _platform: object) -> Module:
        """The circuit."""
        m = Module()
        limit, place_of_word = Signal(SIZE_BITS), Signal.like(self.place)
        m.d.sync += place_of_word.eq(self.place)
        with m.Switch(self.place):
            for name, most in self._limits.items():
                with m.Case(HEADER.index(name)):
                    m.d.sync += limit.eq(most)
        compared, place, same = Signal(), Signal.like(self.place), Signal.like(self.same)
        equal = {name: Signal(2, name=f"{name}_equal") for name in self._equal}
        below, alike, low_fits = Signal(), Signal(), Signal()  # a size is compared with its limit in halves
        positive, high_zero = Signal(2), Signal()  # either half of a size is not zero; what is above a size is zero
        pointers = HEADER_FIELDS["pointers"]
        m.d.sync += [
            compared.eq(self.valid),
            place.eq(place_of_word),
            same.eq(self.same),
            *(equal[name].eq(halves_alike(self.word, C(value, WORD_BITS))) for name, value in self._equal.items()),
            below.eq(self.word[HALF:SIZE_BITS] < limit[HALF:]),
            alike.eq(self.word[HALF:SIZE_BITS] == limit[HALF:]),
            low_fits.eq(self.word[:HALF] <= limit[:HALF]),
            positive.eq(Cat(self.word[:HALF].any(), self.word[HALF:SIZE_BITS].any())),
            high_zero.eq(self.word[SIZE_BITS:] == 0),
        ]
        stored = self.word[pointers.low : pointers.low + pointers.width]
        pointers_fit = Signal()
        m.d.sync += pointers_fit.eq(stored <= (self._design.pointer_depth if self._design.mode == "skip" else 0))
        fits = (below | alike & low_fits) & high_zero
        sound = {name: fits for name in self._limits}
        sound |= {name: halves.all() for name, halves in equal.items()}
        sound["inputs"] &= positive.any()
        sound["words"] = same.all()
        sound[HEADER[pointers.word]] = pointers_fit
        wrong = Signal(ErrorCode)
        with m.Switch(place):
            for name, good in sound.items():
                with m.Case(HEADER.index(name)):
                    code = _CODES.get(name, ErrorCode.TOO_LARGE)
                    m.d.comb += wrong.eq(Mux(good, ErrorCode.OK, code))
        with m.If(compared & (self.error == ErrorCode.OK)):
            m.d.sync += self.error.eq(wrong)
        with m.If(self.begin):
            m.d.sync += self.error.eq(ErrorCode.OK)
        return m


def keep_header(
    m: Module, place: Value, word: Value, header: Any, entry_words: Value, pointers: Value | None = None
) -> None:
    """Keep what the engine needs to know of a word of the header.

    Args:
        m: the module.
        place: index of the word.
        word: the word.
        header: registers for what the core needs.
        entry_words: register for the number of entry words.
        pointers: register for the number of column pointers of each PE, in skip mode.
    """
    fields = {
        "alternate": header.alternate,
        "gate_slope": header.gate_line.slope,
        "gate_offset": header.gate_line.offset,
        "cell_slope": header.cell_line.slope,
        "cell_offset": header.cell_line.offset,
    }
    if pointers is not None:
        fields["pointers"] = pointers
    with m.Switch(place):
        for name, register in {"phases": header.phases, "entry_words": entry_words, "inputs": header.inputs}.items():
            with m.Case(HEADER.index(name)):
                m.d.sync += register.eq(word)
        for index in sorted({HEADER_FIELDS[name].word for name in fields}):
            with m.Case(index):
                for name, register in fields.items():
                    if (field := HEADER_FIELDS[name]).word == index:
                        m.d.sync += register.eq(word[field.low : field.low + field.width])
