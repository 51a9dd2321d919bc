# SPDX-License-Identifier: Apache-2.0
"""Input frames: the words of a frame are stored in vector RAM A from element 0 on, two elements a word."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ese_rtl.array import READ_LATENCY, WRITE_LATENCY
from ese_rtl.records import element_write_layout
from ese_rtl.sizes import Sizes

HALF = 16
"""Bits of an input code."""


class FrameStore(wiring.Component):
    """The frame that is being stored, or is complete.

    `next` comes a clock after the last entry that needs the frame before; words may be stored when it has read it.

    Args:
        sizes: of the engine.
    """

    def __init__(self, sizes: Sizes) -> None:
        self._sizes = sizes
        port = element_write_layout(sizes.column_bits)
        super().__init__(
            {
                "inputs": In(14),  # width of a frame
                "begin": In(1),  # a sequence begins,
                "count": In(17),  # which has so many frames
                "next": In(1),  # the frame is no longer needed
                "barred": In(1),  # in the next clock the vector RAM is in use
                "word": In(32),
                "storing": Out(1),  # the frame is not complete
                "wants": Out(1),  # a word of it is stored in this clock, which does not count until it is there
                "ports": Out(data.ArrayLayout(port, 2)),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        """Counters of frames, words and elements."""
        m = Module()
        left = Signal(signed(18))  # frames not yet begun, less one
        words = Signal(signed(15))  # words of the frame that are not yet stored, less two
        waiting = Signal(READ_LATENCY - WRITE_LATENCY - 1)  # clocks since `next`
        address = Signal(self._sizes.column_bits)  # of the next word's first element
        last = Signal()
        m.d.comb += last.eq(words[-1])
        is_open, next_open = Signal(), Signal()
        going_on = (is_open & ~(self.wants & last)) | (self.storing & waiting[-1])
        m.d.comb += next_open.eq(self.begin | (going_on & ~self.next))
        m.d.sync += [
            waiting.eq(Mux(self.next, 1, waiting << 1)),
            is_open.eq(next_open),
            self.wants.eq(next_open & ~self.barred),
        ]
        with m.If(self.wants):
            m.d.sync += [words.eq(words - 1), address.eq(address + 2)]
            with m.If(last):
                m.d.sync += self.storing.eq(0)
        with m.If(self.begin | self.next):
            m.d.sync += [
                self.storing.eq(self.begin | ~left[-1]),
                words.eq((self.inputs - 3) >> 1),
                address.eq(0),
            ]
        with m.If(self.begin):
            m.d.sync += [left.eq(self.count - 2), waiting.eq(0)]
        with m.Elif(self.next & ~left[-1]):
            m.d.sync += left.eq(left - 1)
        for half in range(2):
            code = self.word[HALF * half : HALF * (half + 1)]
            m.d.comb += [
                self.ports[half].enable.eq(self.wants & ~(last & self.inputs[0]) if half else self.wants),
                self.ports[half].address.eq(address | half),
                self.ports[half].value.eq(code.as_signed() if self._sizes.design.source.signed else code),
            ]
        return m
