# SPDX-License-Identifier: Apache-2.0
"""A queue of 32 words in LUTRAM, whose handshakes on both sides come from registers."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

DEPTH = 32
SPARE = 4
"""Places that are still free when `ready` falls."""


class Queue(wiring.Component):
    """Words wait here between two parts that need not be ready at the same time.

    `enter.ready` falls while there are still free places, so that whoever heeds it some clocks late loses nothing: a
    word with `enter.valid` is always taken, and at most `SPARE` - 1 may come after `ready` has fallen. What leaves
    stands in a register.

    Attributes:
        enter: words that enter.
        leave: words that leave.
    """

    def __init__(self, shape: object) -> None:
        """Make a queue of a shape of words."""
        self._shape = shape
        super().__init__({"enter": In(stream.Signature(shape)), "leave": Out(stream.Signature(shape))})

    def elaborate(self, _platform: object) -> Module:
        """The circuit."""
        m = Module()
        m.submodules.words = words = memory.Memory(shape=self._shape, depth=DEPTH, init=[])
        words.attrs["ram_style"] = "distributed"
        write, read = words.write_port(), words.read_port(domain="comb")
        behind = Signal(signed(ceil_log2(DEPTH) + 2), init=-1)  # words in the memory behind the first one; else -1
        ready = Signal()
        payload = Signal(self._shape, reset_less=True)
        valid = Signal()
        move = Signal()  # a word goes from the memory to the register
        m.d.comb += [
            write.data.eq(self.enter.payload),
            write.en.eq(self.enter.valid),
            self.enter.ready.eq(ready),
            self.leave.valid.eq(valid),
            self.leave.payload.eq(payload),
            move.eq(~behind[-1] & (self.leave.ready | ~valid)),
        ]
        first, last = Signal(range(DEPTH)), Signal(range(DEPTH))
        m.d.comb += [read.addr.eq(first), write.addr.eq(last)]
        m.d.sync += [ready.eq(behind < DEPTH - SPARE - 1), last.eq(last + self.enter.valid)]
        # whether a word moves comes late, so that it enables registers, and is no operand of a sum
        with m.If(self.enter.valid ^ move):
            m.d.sync += behind.eq(Mux(self.enter.valid, behind + 1, behind - 1))
        with m.If(move):
            m.d.sync += [first.eq(first + 1), payload.eq(read.data), valid.eq(1)]
        with m.Elif(self.leave.ready):
            m.d.sync += valid.eq(0)
        return m
