# SPDX-License-Identifier: Apache-2.0
"""The words of one packet after the other, as they come in."""
# Annotations of components are their ports, so that they must not be postponed.

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ese_rtl.packet.ports import WORD_BITS, PacketWord
from ese_rtl.packet.queue import Queue


class Intake(wiring.Component):
    """Holds the next word of a packet and the one taken last. No word of a later packet enters before `open`.

    Attributes:
        words: packets in. `ready` is a register, low from a packet's last word until the next `open`.
        open: take in the next packet; all words of the one before have been taken.
        word: the next word; a register.
        have: whether it is there.
        take: it becomes `taken`, if it is there.
        pass_on: it goes to someone else, and `taken` holds still.
        clear: `taken` becomes zero.
        taken: the word taken last.
        fresh: it was taken in the clock before.
        ended: the packet's last word has been taken or passed on; then there is no next word.
    """

    words: In(stream.Signature(PacketWord))
    open: In(1)
    word: Out(WORD_BITS)
    have: Out(1)
    take: In(1)
    pass_on: In(1)
    clear: In(1)
    taken: Out(WORD_BITS)
    fresh: Out(1)
    ended: Out(1)

    def elaborate(self, _platform: object) -> Module:
        """The circuit."""
        m = Module()
        m.submodules.queue = queue = Queue(PacketWord)
        leave = queue.leave
        accepted, last = Signal(), Signal()
        closed = Signal(init=1)  # the packet's last word has come in
        m.d.comb += [
            accepted.eq(self.words.valid & self.words.ready),
            last.eq(accepted & self.words.payload.last),
            queue.enter.payload.eq(self.words.payload),
            queue.enter.valid.eq(accepted),
            leave.ready.eq(self.take | self.pass_on),
            self.word.eq(leave.payload.data),
            self.have.eq(leave.valid),
        ]
        ready = Signal()
        m.d.comb += self.words.ready.eq(ready)
        m.d.sync += [ready.eq(queue.enter.ready & ~closed & ~last), self.fresh.eq(self.take & leave.valid)]
        with m.If(last):
            m.d.sync += closed.eq(1)
        with m.If(leave.valid & leave.ready & leave.payload.last):
            m.d.sync += self.ended.eq(1)
        with m.If(self.take):
            m.d.sync += self.taken.eq(leave.payload.data)
        with m.If(self.clear):
            m.d.sync += self.taken.eq(0)
        with m.If(self.open):
            m.d.sync += [closed.eq(0), self.ended.eq(0)]
        return m
