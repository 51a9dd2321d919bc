# SPDX-License-Identifier: Apache-2.0
"""The CRC-32 of images and answers, a word in each clock."""
# Annotations of components are their ports, so that they must not be postponed.

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.crc.catalog import CRC32_ISO_HDLC
from amaranth.lib.wiring import In, Out

from ese_rtl.packet.ports import WORD_BITS


class Checksum(wiring.Component):
    """The CRC of the words since `restart`, as zlib's crc32 computes it of their bytes, the lowest first.

    Attributes:
        restart: begin anew; not together with `valid`.
        valid: whether `word` belongs to the checked words.
        word: the next word.
        crc: the CRC of all words, from the second clock after the last one on.
    """

    restart: In(1)
    valid: In(1)
    word: In(WORD_BITS)
    crc: Out(WORD_BITS)

    def elaborate(self, _platform: object) -> Module:
        """The circuit: each bit is a sum of bits, and possibly one.

        A CRC as wide as a word is that of the single word which is the exclusive or of the next word and the CRC so
        far. That word is kept, and its CRC is found while the next one comes. Amaranth's own processor makes chains
        of the same sums, which are several times as deep as these trees.
        """
        m = Module()
        joined = Signal()  # `crc` is such an exclusive or
        compute = CRC32_ISO_HDLC(data_width=WORD_BITS).compute
        always = compute([0])
        adds = [compute([1 << place]) ^ always for place in range(WORD_BITS)]
        found = Signal(WORD_BITS)
        for number, bit in enumerate(found):
            parts = [self.crc[place] for place in range(WORD_BITS) if adds[place] >> number & 1]
            m.d.comb += bit.eq(Cat(parts).xor() ^ (always >> number & 1))
        m.d.sync += [
            joined.eq(self.valid),
            self.crc.eq(Mux(joined, found, self.crc) ^ Mux(self.valid, self.word, 0)),
        ]
        with m.If(self.restart):
            m.d.sync += [joined.eq(0), self.crc.eq(0)]
        return m
