"""Input frames: the words of a frame are stored in vector RAM A from element 0 on, two elements a word."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ese_rtl.array import element_write_layout
from ese_rtl.sizes import Sizes

HALF = 16
"""Bits of an input code."""


class FrameStore(wiring.Component):
    """The frame that is being stored, or is complete. `store` says that a word is there and is taken.

    Args:
        sizes: of the engine.
    """

    def __init__(self, sizes: Sizes) -> None:
        self._sizes = sizes
        port = element_write_layout(sizes)
        super().__init__(
            {
                "inputs": In(14),  # width of a frame
                "begin": In(1),  # a sequence begins,
                "count": In(17),  # which has so many frames
                "next": In(1),  # the frame is no longer needed
                "store": In(1),
                "word": In(32),
                "storing": Out(1),
                "ready": Out(1),
                "ports": Out(data.ArrayLayout(port, 2)),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        """Counters of frames, words and elements."""
        m = Module()
        left = Signal(17)  # frames not yet begun
        words = Signal(14)  # words of the frame that are not yet stored
        address = Signal(self._sizes.column_bits)  # of the next word's first element
        last = Signal()
        m.d.comb += last.eq(words == 1)
        with m.If(self.store):
            m.d.sync += [words.eq(words - 1), address.eq(address + 2)]
            with m.If(last):
                m.d.sync += [self.storing.eq(0), self.ready.eq(1)]
        with m.If(self.begin | self.next):
            frames = Signal.like(left)
            m.d.comb += frames.eq(left)
            with m.If(self.begin):
                m.d.comb += frames.eq(self.count)
            m.d.sync += [
                self.ready.eq(0),
                self.storing.eq(frames != 0),
                left.eq(frames - (frames != 0)),
                words.eq((self.inputs + 1) >> 1),
                address.eq(0),
            ]
        for half in range(2):
            code = self.word[HALF * half : HALF * (half + 1)]
            m.d.comb += [
                self.ports[half].enable.eq(self.store & ~(last & self.inputs[0]) if half else self.store),
                self.ports[half].address.eq(address | half),
                self.ports[half].value.eq(code.as_signed() if self._sizes.design.source.signed else code),
            ]
        return m
