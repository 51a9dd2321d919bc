# SPDX-License-Identifier: Apache-2.0
"""LOAD's sections: from the words of an image to writes into the memories."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce
from operator import and_
from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from ese_host.image import CONSTANT_BITS, HEADER, LEVELS, PHASE_WORDS, RAM_BITS, Design, record_words
from ese_host.ir import GATES, TABLE_SIZE
from ese_rtl.packet.header_check import SIZE_BITS
from ese_rtl.packet.ports import WORD_BITS
from ese_rtl.records import LoadTarget, load_layout

BANK_BITS = 3
"""Bits of a parameter's lane that name the bank; all ones is the bias."""
WORD_STEPS = WORD_BITS // 2
"""Steps of two bits in a word. A field begins at one of them."""
UNTOUCHED = WORD_STEPS // 2
"""Where a field begins if nothing of the next word is taken."""
UNCOUNTED = HEADER.index("magic")
"""Place in the header's memory of a count that is always the same: that of the table."""
LINES = HEADER.index("version")
"""The same for the lines of format sets."""


@dataclass(frozen=True)
class Section:
    """A section of the image.

    Attributes:
        memory: the memory that it fills.
        count: word of the header with the number of items.
        lanes: lanes of an item; the last one has this number less one.
        before_last: the lane that comes before the last one.
        bits: width of a field.
    """

    memory: Any  # a `Memory`; amaranth's enumerations have no types
    count: int
    lanes: int
    before_last: int
    bits: int

    @property
    def step(self) -> int:
        """Width of a field, in steps of two bits."""
        return self.bits // 2


def sections_of(design: Design) -> list[Section]:
    """The sections of an image, in order. Without codebooks in the design, no image has one."""
    place, record, own_level = HEADER.index, sum(record_words(design)), design.widths.weight.own_level
    codebooks = Section(LoadTarget.CODEBOOK, place("codebooks"), LEVELS, LEVELS - 2, CONSTANT_BITS)
    advances = Section(LoadTarget.WINDOW, place("entry_words"), 1, -1, design.widths.advance_bits)
    pointers = Section(LoadTarget.POINTER, place("flags"), design.pes, design.pes - 2, RAM_BITS)
    rows, last_bank = GATES << BANK_BITS, design.acc_banks - 1
    return [
        Section(LoadTarget.PHASE, place("phases"), record, record - 2, WORD_BITS),
        *([] if own_level else [codebooks]),
        Section(LoadTarget.PARAMETER, place("params"), rows, rows - (1 << BANK_BITS) + last_bank, CONSTANT_BITS),
        Section(LoadTarget.PEEPHOLE, place("cells"), GATES - 1, GATES - 3, CONSTANT_BITS),
        Section(LoadTarget.ENTRY, place("entry_words"), design.pes, design.pes - 2, RAM_BITS),
        *([advances] if design.window else []),
        *([pointers] if design.mode == "skip" else []),
        *([Section(LoadTarget.NONE, LINES, 1, -1, WORD_BITS)] if design.more_sets else []),
        Section(LoadTarget.TABLE, UNCOUNTED, 1, -1, WORD_BITS),
    ]


def _none_of(place: Value, places: Iterable[int]) -> Value:
    """Whether a place is none of those given."""
    return reduce(and_, (place != each for each in places))


def _move(m: Module, sections: list[Section], section: Signal, start: Signal, crosses: Signal, begun: Signal) -> None:
    """Go on behind a field. All that changes is a table of section and start, so that no sum follows another.

    Args:
        m: module that gets the table.
        sections: of the image.
        section: the present one.
        start: where its field begins.
        crosses: whether the field ends the next word.
        begun: whether the next word is begun.
    """
    with m.Switch(section):
        for number, part in enumerate(sections):
            with m.Case(number), m.Switch(start):
                for place in range(WORD_STEPS):
                    moved = (place + part.step) % WORD_STEPS
                    with m.Case(place):
                        m.d.sync += [
                            start.eq(moved),
                            crosses.eq(moved + part.step >= WORD_STEPS),
                            begun.eq(moved > UNTOUCHED),
                        ]


class SectionLoader(wiring.Component):
    """Takes one field in each clock in which a word is there, and writes it in the next one.

    The window that a field is cut from is the word that is next and, below it, the high half of the word before. A
    field begins at one of its first 16 even bits: at 16 if the next word is untouched.

    Attributes:
        begin: go to the first section.
        active: fields may be taken.
        word: the word that is next.
        have: whether it is there.
        before: the high half of the word taken before it.
        header_valid: a word of the header comes.
        header_place: its index.
        header_word: its low bits, a number of items.
        wants: the next word is needed.
        take: the word is taken, if fields may be.
        finished: all sections are complete, and the next word is the checksum.
        load: the write that follows, registered. Bits of `data` above those of a field have no meaning.
    """

    def __init__(self, design: Design) -> None:
        """Make the sections of a design."""
        self._design = design
        self._wide = design.widths.word_bits > RAM_BITS
        super().__init__(
            {
                "begin": In(1),
                "active": In(1),
                "word": In(WORD_BITS),
                "have": In(1),
                "before": In(WORD_BITS // 2),
                "header_valid": In(1),
                "header_place": In(range(len(HEADER))),
                "header_word": In(SIZE_BITS),
                "wants": Out(1),
                "take": Out(1),
                "finished": Out(1),
                "load": Out(load_layout(design)),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        """The circuit."""
        m = Module()
        sections = sections_of(self._design)
        section = Signal(range(len(sections) + 1))
        item = Signal(len(self.load.address))
        # what is left of the section's items, less one: it is negative behind the last one, and before they are counted
        left = Signal(SIZE_BITS + 1, init=-1)
        counted = Signal()
        lane = Signal(len(self.load.lane))
        half = Signal()  # the second field of a word of two block RAMs comes
        start = Signal(4, init=UNTOUCHED)  # where the field begins in the window, in steps of two bits
        # It ends the next word, and the next word is begun: registers, since the queue of words waits for them.
        crosses, begun = Signal(init=1), Signal()
        more = len(self._design.more_sets)
        fixed = {UNCOUNTED: TABLE_SIZE, **({LINES: 2 * more} if more else {})}
        init = [fixed.get(place, 0) for place in range(max(fixed) + 1)]
        counts = memory.Memory(shape=SIZE_BITS, depth=len(HEADER), init=init)
        counts.attrs["ram_style"] = "distributed"
        m.submodules.counts = counts
        write, read = counts.write_port(), counts.read_port(domain="comb")
        m.d.comb += [
            write.en.eq(self.header_valid & _none_of(self.header_place, fixed)),
            write.addr.eq(self.header_place),
            write.data.eq(self.header_word),
        ]
        # what depends on the section
        target = Signal(LoadTarget)
        last_lane, before_last, parameters, entries = Signal(), Signal(), Signal(), Signal()
        is_last = Signal()  # this is the last of an item's several lanes
        with m.Switch(section):
            for number, part in enumerate(sections):
                with m.Case(number):
                    m.d.comb += [
                        read.addr.eq(part.count),
                        last_lane.eq(is_last | (part.lanes == 1)),
                        before_last.eq(lane == part.before_last),
                        target.eq(part.memory),
                        parameters.eq(part.memory is LoadTarget.PARAMETER),
                        entries.eq(part.memory is LoadTarget.ENTRY),
                    ]
                    if part.memory is LoadTarget.PHASE and self._design.mode == "stream":
                        # what follows a record are the entry counts of the PEs, which this engine does not need
                        with m.If(lane >= PHASE_WORDS):
                            m.d.comb += target.eq(LoadTarget.NONE)
        complete, go, item_done, counts_now = Signal(), Signal(), Signal(), Signal()
        m.d.comb += [
            complete.eq(left[-1] & counted),
            self.wants.eq(~left[-1]),
            go.eq(self.active & self.wants & self.have),
            # a section begins with a whole word: what its last field left of a word is dropped
            self.take.eq(Mux(left[-1], counted & begun, crosses) & self.have),
        ]
        whole = Signal()  # the field ends what is written at once
        m.d.comb += whole.eq(~entries | half if self._wide else 1)
        with m.If(go):
            _move(m, sections, section, start, crosses, begun)
            if self._wide:
                m.d.sync += half.eq(entries & ~half)
            with m.If(whole):
                m.d.sync += is_last.eq(before_last)
                with m.If(last_lane):
                    m.d.comb += item_done.eq(1)
                    m.d.sync += [lane.eq(0), item.eq(item + 1)]
                with m.Elif(parameters & (lane[:BANK_BITS] == self._design.acc_banks - 1)):
                    m.d.sync += lane[:BANK_BITS].eq(-1)
                with m.Else():
                    m.d.sync += lane.eq(lane + 1)
        m.d.comb += counts_now.eq(self.active & ~counted & ~self.finished)
        with m.If(counts_now):
            m.d.sync += counted.eq(1)
        with m.If(counts_now | item_done):
            m.d.sync += left.eq(left + Mux(counted, -1, read.data))
        with m.If(self.active & complete):
            m.d.sync += [section.eq(section + 1), self.finished.eq(section == len(sections) - 1)]
            m.d.sync += [counted.eq(0), item.eq(0), start.eq(UNTOUCHED), begun.eq(0)]
            with m.Switch(section):
                for number, part in enumerate(sections[1:]):
                    with m.Case(number):
                        m.d.sync += crosses.eq(UNTOUCHED + part.step >= WORD_STEPS)
        with m.If(self.begin):
            m.d.sync += [section.eq(0), self.finished.eq(0), counted.eq(0), left.eq(-1), item.eq(0)]
            m.d.sync += [start.eq(UNTOUCHED), crosses.eq(1), begun.eq(0), lane.eq(0), is_last.eq(0), half.eq(0)]
        m.d.sync += self.load.memory.eq(Mux(go & whole, target, LoadTarget.NONE))
        if more:
            number = next(number for number, part in enumerate(sections) if part.count == LINES)
            m.d.sync += self.load.line.eq(go & (section == number))
        with m.If(go):
            m.d.sync += [self.load.address.eq(item), self.load.lane.eq(lane)]
            if not self._design.widths.weight.own_level:
                with m.If(target == LoadTarget.CODEBOOK):
                    m.d.sync += self.load.address.eq(Cat(lane[: exact_log2(LEVELS)], item))
        self._write_data(m, go, start, entries, half)
        return m

    def _write_data(self, m: Module, go: Signal, start: Signal, entries: Signal, half: Signal) -> None:
        """Cut the field from the window: first by whole bytes, then by pairs of bits, each a choice of four."""
        window = Cat(self.before, self.word)
        bytewise, field = Signal(RAM_BITS + 6), Signal(RAM_BITS)
        m.d.comb += [
            bytewise.eq(window >> Cat(Const(0, 3), start[2:])),
            field.eq(bytewise >> Cat(Const(0, 1), start[:2])),
        ]
        low, high = self.load.data[:RAM_BITS], self.load.data[RAM_BITS:]
        rest = self.word[RAM_BITS:]
        if not self._wide:
            with m.If(go):
                m.d.sync += [low.eq(field), high.eq(rest)]
            return
        with m.If(go & ~(entries & half)):
            m.d.sync += low.eq(field)
        with m.If(go):
            m.d.sync += high.eq(Mux(entries, field, rest))
