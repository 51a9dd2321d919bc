# SPDX-License-Identifier: Apache-2.0
"""A processing element (PE): one entry a clock, from the entry memory to the accumulators."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from ese_rtl.array.mac import Mac
from ese_rtl.pipeline import later
from ese_rtl.records import ELEMENT_BITS
from ese_rtl.sizes import Sizes


def shared_layout(sizes: Sizes) -> data.StructLayout:
    """Orders that all PEs get alike; the digits at the end of a name are the stage in which it is valid.

    Args:
        sizes: of the engine.
    """
    return data.StructLayout(
        {
            "slot3": max(1, sizes.design.widths.slot_bits),
            "sweep3": 1,
            "full3": 1,
            "jump3": sizes.row_bits,
            "run4": 1,
            "sweep4": 1,
            "first4": 1,
            "start4": sizes.position_bits,
            "stride5": ceil_log2(sizes.row_bits + 1),
            "mask5": sizes.row_bits,
            "book6": 4,
            "source7": 1,
            "clear7": 1,
            "bank_positive7": 2,
            "bank_negative7": 2,
            "one_ahead7": 1,  # the beat one clock before belongs to the same accumulator set
            "two_ahead7": 1,  # so does the beat two clocks before
            "fills8": data.ArrayLayout(1, 2),  # the set is read by the PE, else by the drain
            "set8": 1,
            "clear8": 1,
            "set10": 1,
            "clear10": 1,
            "drain_set": 1,
            "drain_step": 1,
        }
    )


class PE(wiring.Component):
    """One entry of the sparse matrix in each clock.

    Stages: 1 and 2 read the entry memory (`EntryMemories`), 3 picks the slot, 4 adds the gap to the position, 5 splits
    the position into column and row, 6 reads the vector RAMs and the codebook, 7 to 9 multiply and add (`Mac`), 8 reads
    the accumulator, 10 writes it. Sums that are not yet written are forwarded: that of the entry one clock before
    within the DSP, that of the entry two clocks before at stage 8.

    Args:
        sizes: of the engine.
        primitive: whether to instantiate a DSP48E1.
    """

    def __init__(self, sizes: Sizes, primitive: bool) -> None:
        self._sizes, self._primitive = sizes, primitive
        design = sizes.design
        element = signed(ELEMENT_BITS)
        super().__init__(
            {
                "shared": In(shared_layout(sizes)),
                "word2": In(design.widths.word_bits),  # of entries
                "book_enable": In(1),
                "book_address": In(8),
                "book_data": In(16),
                "column6": Out(sizes.column_bits),
                "a7": In(element),
                "b7": In(element),
                "drain_row": In(sizes.row_bits),
                "drained": Out(data.ArrayLayout(signed(design.acc_bits), design.acc_banks)),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        """The stages in their order."""
        m = Module()
        gap4, code4, placed4, weight4 = self._fetch(m)
        row6, enabled6, code6 = self._locate(m, gap4, code4, placed4, weight4)
        level7 = self._level(m, code6)
        self._accumulate(m, later(m, row6, name="row7"), later(m, enabled6, name="enabled7"), level7)
        return m

    def _fetch(self, m: Module) -> tuple[Value, Value, Value, Value]:
        """Stage 3: gap, code, whether the entry takes a position, and whether it carries a weight."""
        widths, shared = self._sizes.design.widths, self.shared
        ternary = widths.code_bits == 1
        word3 = later(m, self.word2, name="word3")
        entry3 = Signal(widths.entry_bits)
        full3 = Signal(widths.slot_width(True))
        with m.Switch(shared.slot3):
            for slot in range(widths.per_word(widths.full_phases)):
                with m.Case(slot):
                    for field, full in ((entry3, False), (full3, True)):
                        if slot < widths.per_word(full):
                            m.d.comb += field.eq(word3.word_select(slot, len(field)))
        gap3 = entry3[: widths.gap_bits]
        padding3 = gap3.all() if ternary else Const(0, 1)
        # an entry that waits for its column passes no position; a gap of zero passes none anyhow
        waits3 = Const(0, 1)
        if self._sizes.design.window:
            waits3 = entry3.all() if ternary else entry3 == 0
        gap4 = Signal(max(widths.gap_bits, self._sizes.row_bits if widths.full_phases else 0), reset_less=True)
        code4 = Signal(widths.code_bits, reset_less=True)
        placed4, weight4 = Signal(reset_less=True), Signal(reset_less=True)
        m.d.sync += [
            gap4.eq(Mux(shared.sweep3 | (waits3 if ternary else 0), 0, gap3)),
            code4.eq(entry3[widths.gap_bits :]),
            placed4.eq(~(padding3 | waits3)),
            weight4.eq(~padding3),
        ]
        if widths.full_phases:
            with m.If(shared.full3):
                m.d.sync += [
                    gap4.eq(shared.jump3),
                    code4.eq(full3[1:] if ternary else full3),
                    placed4.eq(1),
                    weight4.eq(full3.any() if ternary else 1),
                ]
        return gap4, code4, placed4, weight4

    def _locate(
        self, m: Module, gap4: Value, code4: Value, placed4: Value, weight4: Value
    ) -> tuple[Value, Value, Value]:
        """Stages 4 and 5: row, whether the accumulator is written, and code; and the column at stage 6."""
        sizes, shared = self._sizes, self.shared
        here5, placed5 = Signal(sizes.position_bits, reset_less=True), Signal(reset_less=True)
        with m.If(shared.run4 | shared.sweep4):  # while nothing comes, the position stays
            m.d.sync += [
                here5.eq(gap4 + Mux(shared.first4, shared.start4, here5) + (placed5 & ~shared.first4)),
                placed5.eq(placed4),
            ]
        enabled5 = Signal()
        m.d.sync += enabled5.eq((shared.run4 & weight4) | shared.sweep4)
        column5 = Signal(sizes.column_bits)
        with m.Switch(shared.stride5):
            for stride in range(sizes.row_bits + 1):
                with m.Case(stride):
                    m.d.comb += column5.eq(here5 >> stride)
        row6, column6 = Signal(sizes.row_bits, reset_less=True), Signal(sizes.column_bits, reset_less=True)
        m.d.sync += [row6.eq(here5 & shared.mask5), column6.eq(column5)]
        m.d.comb += self.column6.eq(column6)
        return row6, later(m, enabled5, name="enabled6", reset=True), later(m, code4, 2, name="code")

    def _level(self, m: Module, code6: Value) -> Value:
        """Stage 6: the weight's level, which is 1 or -1, the code, or an entry of the codebook."""
        kind = self._sizes.design.weights
        level7 = Signal(signed(16), reset_less=True)
        if kind == "ternary":
            negative7 = later(m, code6, name="negative7")
            m.d.comb += level7.eq(Mux(negative7, -1, 1))
        elif kind == "codebook4":
            m.submodules.book = book = Memory(shape=signed(16), depth=256, init=[], attrs={"ram_style": "distributed"})
            write, read = book.write_port(), book.read_port(domain="comb")
            m.d.comb += [
                write.en.eq(self.book_enable),
                write.addr.eq(self.book_address),
                write.data.eq(self.book_data),
                read.addr.eq(Cat(code6, self.shared.book6)),
            ]
            m.d.sync += level7.eq(read.data)
        else:
            m.d.sync += level7.eq(code6.as_signed())
        return level7

    def _accumulate(self, m: Module, row7: Value, enabled7: Value, level7: Value) -> None:
        """Stages 7 to 10: the sum of a row, with forwarding, and the accumulators of both sets and all banks."""
        sizes, shared = self._sizes, self.shared
        banks, acc = sizes.design.acc_banks, signed(sizes.design.acc_bits)
        m.submodules.mac = mac = Mac(sizes.design.acc_bits, self._primitive)
        key7: Value = row7
        if banks > 1:
            bank = Mux(level7[-1], shared.bank_negative7, shared.bank_positive7)
            key7 = Cat(row7, bank[: ceil_log2(banks)])
        key8 = later(m, key7, name="key8")
        key9 = later(m, key8, name="key9")
        key10 = later(m, key9, name="key10")
        enabled8 = later(m, enabled7, name="enabled8", reset=True)
        enabled9 = later(m, enabled8, name="enabled9", reset=True)
        enabled10 = later(m, enabled9, name="enabled10", reset=True)
        one8, two8 = (Signal(name=name, reset_less=True) for name in ("one8", "two8"))
        m.d.sync += [
            one8.eq(enabled8 & shared.one_ahead7 & (key7 == key8)),
            two8.eq(enabled9 & shared.two_ahead7 & (key7 == key9)),
        ]
        drained = Signal(data.ArrayLayout(acc, banks), reset_less=True)
        stored8 = [[Signal(acc, name=f"stored8_{s}_{b}") for b in range(banks)] for s in range(2)]
        for s in range(2):
            for b in range(banks):
                m.submodules[f"acc_{s}_{b}"] = memory = Memory(
                    shape=acc, depth=sizes.rows, init=[], attrs={"ram_style": "distributed"}
                )
                write, read = memory.write_port(), memory.read_port(domain="comb")
                here = (key10[len(row7) :] == b) | shared.clear10 if banks > 1 else Const(1, 1)
                m.d.comb += [
                    write.en.eq(enabled10 & here & (shared.set10 == s)),
                    write.addr.eq(key10[: len(row7)]),
                    write.data.eq(mac.sum10),
                    read.addr.eq(Mux(shared.fills8[s], key8[: len(row7)], self.drain_row)),
                    stored8[s][b].eq(read.data),
                ]
        before8 = Signal(acc)
        bank8 = key8[len(row7) :] if banks > 1 else Const(0, 1)
        with m.Switch(Cat(shared.set8, bank8)):
            for s in range(2):
                for b in range(banks):
                    with m.Case(s | b << 1):
                        m.d.comb += before8.eq(stored8[s][b])
        with m.If(shared.drain_step):
            m.d.sync += [drained[b].eq(Mux(shared.drain_set, stored8[1][b], stored8[0][b])) for b in range(banks)]
        m.d.comb += [
            mac.a7.eq(self.a7),
            mac.b7.eq(self.b7),
            mac.level7.eq(level7),
            mac.source7.eq(shared.source7),
            mac.clear7.eq(shared.clear7),
            mac.before8.eq(Mux(two8, mac.sum10, before8)),
            mac.feedback8.eq(one8),
            mac.clear8.eq(shared.clear8),
            self.drained.eq(drained),
        ]
