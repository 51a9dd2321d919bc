"""The CRC-32 of images and answers, a word in each clock."""
# Annotations of components and records are their ports and fields, so that they must not be postponed.

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.crc import Processor
from amaranth.lib.crc.catalog import CRC32_ISO_HDLC
from amaranth.lib.wiring import In, Out


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
    word: In(32)
    crc: Out(32)

    def elaborate(self, _platform: object) -> Module:
        """The circuit."""
        m = Module()
        m.submodules.processor = processor = Processor(CRC32_ISO_HDLC(data_width=32))
        # A CRC as wide as a word is that of the single word which is the sum of the next word and the CRC so far.
        # Beginning anew with each word halves the sums: the 32 exclusive ors in front are shared by all bits.
        m.d.comb += [
            processor.start.eq(self.restart | self.valid),
            processor.valid.eq(self.valid),
            processor.data.eq(self.word ^ processor.crc),
            self.crc.eq(processor.crc),
        ]
        return m
