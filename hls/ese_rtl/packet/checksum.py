"""The CRC-32 of images and answers, a word in each clock."""
# Annotations of components are their ports, so that they must not be postponed.

from amaranth.hdl import Cat, Module, Signal
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
        crc: the CRC of the words of all clocks before this one.
    """

    restart: In(1)
    valid: In(1)
    word: In(WORD_BITS)
    crc: Out(WORD_BITS)

    def elaborate(self, _platform: object) -> Module:
        """The circuit: each bit is a sum of bits of word and CRC, and possibly one.

        A CRC as wide as a word is that of the single word which is the exclusive or of the next word and the CRC so
        far. Amaranth's own processor makes chains of the same sums, which are several times as deep as these trees.
        """
        m = Module()
        mixed = Signal(WORD_BITS)
        m.d.comb += mixed.eq(self.word ^ self.crc)
        compute = CRC32_ISO_HDLC(data_width=WORD_BITS).compute
        always = compute([0])
        adds = [compute([1 << place]) ^ always for place in range(WORD_BITS)]
        with m.If(self.valid):
            for number, bit in enumerate(self.crc):
                parts = [mixed[place] for place in range(WORD_BITS) if adds[place] >> number & 1]
                m.d.sync += bit.eq(Cat(parts).xor() ^ (always >> number & 1))
        with m.If(self.restart):
            m.d.sync += self.crc.eq(0)
        return m
