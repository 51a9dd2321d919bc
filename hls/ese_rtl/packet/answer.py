# SPDX-License-Identifier: Apache-2.0
"""The answer to a packet: the core's output words, then the trailer with the CRC of all words before it."""
# Annotations of components and records are their ports and fields, so that they must not be postponed.

from amaranth.hdl import Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ese_host.protocol import TRAILER, TRAILER_MAGIC
from ese_rtl.packet.ports import WORD, WORD_BITS, PacketWord, Report
from ese_rtl.packet.queue import Queue

CYCLE_BITS = 48
"""Bits of the cycle counter: a packet that makes it overflow would take a month."""


class Status(data.Struct):
    """The numbers of a packet that its trailer tells."""

    operation: 2
    error: 4
    image_id: WORD_BITS
    sequences: 16
    steps: WORD_BITS
    cycles: CYCLE_BITS


class Reply(wiring.Component):
    """Lets output words pass, and appends the trailer when told.

    Attributes:
        results: output words of the core. `ready` is a register, and only words that come while it is high are taken.
        status: what the trailer tells; it holds still from `end` to `done`.
        end: append the trailer. The last output word has come at least one clock before.
        crc: the CRC of all words that `checked` has shown.
        checked: a word of the answer that the CRC covers, in this clock.
        checked_valid: whether there is one.
        done: the trailer is complete; for one clock.
        words: the answer.
        report: the words of the trailer.
    """

    results: In(WORD)
    status: In(Status)
    end: In(1)
    crc: In(WORD_BITS)
    checked: Out(WORD_BITS)
    checked_valid: Out(1)
    done: Out(1)
    words: Out(stream.Signature(PacketWord))
    report: Out(Report)

    def elaborate(self, _platform: object) -> Module:
        """The circuit."""
        m = Module()
        m.submodules.queue = queue = Queue(PacketWord)
        wiring.connect(m, queue.leave, wiring.flipped(self.words))
        out = Signal(PacketWord, reset_less=True)  # the word that enters the queue
        valid = Signal()
        place = Signal(range(len(TRAILER)))
        ending = Signal()
        of_trailer = Signal()  # `out` is a word of the trailer
        pause = Signal(2)  # clocks in which the CRC takes in the word before it, of which each clears one bit
        m.d.comb += [
            queue.enter.payload.eq(out),
            queue.enter.valid.eq(valid),
            self.results.ready.eq(queue.enter.ready),
            self.checked.eq(out.data),
            self.checked_valid.eq(valid & ~out.last),
            self.report.valid.eq(valid & of_trailer),
            self.report.data.eq(out.data),
        ]
        chosen = Signal(WORD_BITS)
        contents = {
            "magic": TRAILER_MAGIC,
            "operation": self.status.operation,
            "error": self.status.error,
            "image_id": self.status.image_id,
            "sequences": self.status.sequences,
            "steps": self.status.steps,
            "cycles_low": self.status.cycles[:WORD_BITS],
            "cycles_high": self.status.cycles[WORD_BITS:],
            "crc": self.crc,
        }
        with m.Switch(place):
            for number, name in enumerate(TRAILER):
                with m.Case(number):
                    m.d.comb += chosen.eq(contents[name])
        is_crc = place == TRAILER.index("crc")
        m.d.sync += [valid.eq(0), self.done.eq(0), of_trailer.eq(ending), self.report.place.eq(place)]
        m.d.sync += [out.data.eq(self.results.payload), out.last.eq(0)]
        with m.If(ending):
            m.d.sync += [out.data.eq(chosen), out.last.eq(is_crc)]
            with m.If(queue.enter.ready & ~pause[0]):
                m.d.sync += [
                    valid.eq(1),
                    place.eq(place + 1),
                    pause.eq((place == TRAILER.index("crc") - 1).replicate(2)),
                ]
                with m.If(is_crc):
                    m.d.sync += [ending.eq(0), self.done.eq(1), place.eq(0)]
            with m.Else():
                m.d.sync += pause.eq(pause >> 1)
        with m.Else():
            m.d.sync += valid.eq(self.results.valid & self.results.ready)
        with m.If(self.end):
            m.d.sync += [ending.eq(1), pause.eq(0)]
        return m
