# SPDX-License-Identifier: Apache-2.0
"""Whether the phases of an image use only entry words that it stores."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ese_host.image import FIELDS, Design
from ese_rtl.pipeline import later
from ese_rtl.records import LoadTarget, load_layout

MAX_SLOTS = 9
"""Most entries or codes of a word: those of ternary weights stored in full."""


class PhaseCheck(wiring.Component):
    """Watches how LOAD writes phase records, and compares entries with the words that are left for them.

    A phase fits if its entries are at most the words from its first one on, times the slots of a word. The product is
    summed up word by slot in the clocks in which the rest of the record and the entry counts pass by, of which there
    are always enough; a division or a multiplier would cost more.

    Attributes:
        begin: forget what earlier images did.
        load: the writes of LOAD.
        entry_words: entry words that the image stores.
        inside: whether all phases until now use only stored words; valid four clocks after the last write and later.
    """

    def __init__(self, design: Design) -> None:
        """Make the check of a design."""
        widths = design.widths
        self._sparse = widths.per_word(False)
        self._full = widths.per_word(True) if design.full_phases else self._sparse
        if self._full > MAX_SLOTS:
            raise AssertionError(f"a word has {self._full} codes, so that a record may pass too fast for the check")
        super().__init__(
            {
                "begin": In(1),
                "load": In(load_layout(design)),
                "entry_words": In(16),
                "inside": Out(1),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        """The circuit."""
        m = Module()
        base, count, rows = (FIELDS[name] for name in ("entry_base", "entry_count", "rows"))
        data = later(m, self.load.data, name="data")
        comes_count, comes_rows = (
            later(m, (self.load.memory == LoadTarget.PHASE) & (self.load.lane == field.word), name=name, reset=True)
            for name, field in (("comes_count", count), ("comes_rows", rows))
        )
        room = Signal(signed(17), reset_less=True)  # words from the first one on; negative if that is beyond the end
        entries = Signal(16, reset_less=True)
        margin = Signal(signed(17), reset_less=True)  # room times the turns made, minus the entries
        turn = Signal(range(MAX_SLOTS + 2))  # in turn 0 the entries are taken off, then the room is added
        sparse_fits, full, ended = Signal(), Signal(), Signal()
        fits, done = Signal(), Signal()
        m.d.comb += [
            fits.eq((margin >= 0) & (room >= 0)),
            done.eq(turn == self._full + 1),
        ]
        with m.If((turn == 0) | ((margin < 0) & (room >= 0) & ~done)):
            # the complement is one less than the negative, for which the margin begins with one
            m.d.sync += margin.eq(margin + Mux(turn == 0, Cat(~entries, 1).as_signed(), room))
        with m.If(~done):
            m.d.sync += turn.eq(turn + 1)
        with m.If(turn == self._sparse + 1):
            m.d.sync += sparse_fits.eq(fits)
        with m.If(ended & done):
            m.d.sync += ended.eq(0)
            with m.If(~(fits if self._full == self._sparse else Mux(full, fits, sparse_fits))):
                m.d.sync += self.inside.eq(0)
        with m.If(comes_rows):
            m.d.sync += [full.eq(data[rows.low : rows.low + rows.width] != 0), ended.eq(1)]
        with m.If(comes_count):
            m.d.sync += [
                room.eq(self.entry_words - data[base.low : base.low + base.width]),
                entries.eq(data[count.low : count.low + count.width]),
                margin.eq(1),
                turn.eq(0),
            ]
        with m.If(self.begin):
            m.d.sync += [self.inside.eq(1), ended.eq(0)]
        return m
