# SPDX-License-Identifier: Apache-2.0
"""The taker: a PE's FIFO of columns, and the column whose entries the PE executes."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from ese_host.estimate import fifo_places
from ese_rtl.records import ELEMENT_BITS
from ese_rtl.sizes import Sizes
from ese_rtl.skip.pointer import following
from ese_rtl.skip.scan import column_layout


class Taker(wiring.Component):
    """Takes one column after the other from the FIFO, and gives one of its entries in each clock.

    A column without entries takes a clock, too.

    The FIFO holds the columns of the design, and those that are under way when it is full. All PEs get their columns at
    once, so that the place of the next one is the same in all FIFOs.

    Args:
        sizes: of the engine.
    """

    def __init__(self, sizes: Sizes) -> None:
        self._sizes = sizes
        self._places = fifo_places(sizes.design.fifo_depth)
        super().__init__(
            {
                "full": In(1),  # entries are codes without gaps
                "push": In(1),
                "tail": In(range(self._places)),  # place of the column that is pushed
                "column": In(column_layout()),
                "crowded": Out(1),  # the FIFO holds as many columns as the design says, or more
                "works": Out(1),  # entries are still to be given, or columns to be taken
                "run": Out(1),  # an entry
                "first": Out(1),  # it is the first one of its column
                "address": Out(sizes.entry_address_bits),
                "slot": Out(max(1, sizes.design.widths.slot_bits)),
                "value": Out(signed(ELEMENT_BITS)),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        """The FIFO, and the registers of the column under way."""
        m = Module()
        sizes = self._sizes
        slot_bits = sizes.design.widths.slot_bits
        m.submodules.fifo = fifo = Memory(
            shape=column_layout(), depth=self._places, init=[], attrs={"ram_style": "distributed"}
        )
        write, read = fifo.write_port(), fifo.read_port(domain="comb")
        head, held = Signal(range(self._places)), Signal(range(self._places + 1))
        column = Signal(column_layout(), reset_less=True)
        ahead = Signal.like(column.begin, reset_less=True)  # the entry behind the present one
        free, take = Signal(init=1), Signal()  # nothing is left of the column behind the present clock
        m.d.comb += [
            take.eq(held.any() & free),
            write.en.eq(self.push),
            write.addr.eq(self.tail),
            write.data.eq(self.column),
            read.addr.eq(head),
            self.crowded.eq(held[exact_log2(sizes.design.fifo_depth) :].any()),
            self.works.eq(self.run | held.any()),
            self.address.eq(column.begin[slot_bits:]),
            self.slot.eq(column.begin[:slot_bits]),
            self.value.eq(column.value),
        ]
        m.d.sync += head.eq(head + take)
        with m.If(self.push ^ take):
            m.d.sync += held.eq(held + Mux(take, -1, 1))
        second = following(m, sizes, read.data.begin, self.full, "second")
        third = following(m, sizes, ahead, self.full, "third")
        with m.If(take):
            m.d.sync += [
                column.eq(read.data),
                ahead.eq(second),
                free.eq(read.data.brief),
                self.first.eq(1),
                self.run.eq(read.data.some),
            ]
        with m.Elif(free):
            m.d.sync += self.run.eq(0)
        with m.Else():
            m.d.sync += [
                column.begin.eq(ahead),
                ahead.eq(third),
                free.eq(third >= column.end),
                self.first.eq(0),
            ]
        return m
