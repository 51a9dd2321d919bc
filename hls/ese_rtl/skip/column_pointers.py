# SPDX-License-Identifier: Apache-2.0
"""The column pointers of all PEs: for a column, where its entries begin and end in each of them."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ese_host.image import RAM_BITS
from ese_rtl.pipeline import later
from ese_rtl.records import ELEMENT_BITS, LoadTarget, load_layout
from ese_rtl.sizes import Sizes
from ese_rtl.skip.pointer import following
from ese_rtl.skip.scan import COLUMN_BITS, column_layout

TRAVEL = 4
"""Clocks from an element that is sent to its column at the FIFOs."""


class ColumnPointers(wiring.Component):
    """A block RAM for each PE.

    One of its ports reads where a column begins, and writes what LOAD gives; the other one reads where the next column
    begins.

    Stages: 1 adds the phase's first pointer, 2 reads, 3 holds what was read, 4 compares.

    Args:
        sizes: of the engine.
    """

    def __init__(self, sizes: Sizes) -> None:
        self._sizes = sizes
        super().__init__(
            {
                "load": In(load_layout(sizes.design)),
                "base": In(sizes.pointer_address_bits),
                "full": In(1),
                "valid": In(1),  # an element is sent
                "column": In(COLUMN_BITS),
                "value": In(signed(ELEMENT_BITS)),
                "arrived": Out(1),  # its column is there
                "columns": Out(data.ArrayLayout(column_layout(), sizes.pes)),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        """The memories, and what all PEs share."""
        m = Module()
        sizes, load = self._sizes, self.load
        loads = load.memory == LoadTarget.POINTER
        here1, next1 = (Signal(sizes.pointer_address_bits, name=name, reset_less=True) for name in ("here1", "next1"))
        write1 = Signal(sizes.pes)
        m.d.sync += [
            here1.eq(Mux(loads, load.address, self.base + self.column)),
            next1.eq(self.base + self.column + 1),
            *(write1[p].eq(loads & (load.lane == p)) for p in range(sizes.pes)),
        ]
        data1 = later(m, load.data[:RAM_BITS], name="data1")
        value4 = later(m, self.value, TRAVEL, name="value4")
        m.d.comb += self.arrived.eq(later(m, self.valid, TRAVEL, name="valid4", reset=True))
        for p in range(sizes.pes):
            m.submodules[f"pe_{p}"] = memory = Memory(
                shape=RAM_BITS, depth=sizes.design.pointer_depth, init=[], attrs={"ram_style": "block"}
            )
            write, here, behind = memory.write_port(), memory.read_port(), memory.read_port()
            m.d.comb += [
                write.en.eq(write1[p]),
                write.addr.eq(here1),
                write.data.eq(data1),
                here.addr.eq(here1),
                behind.addr.eq(next1),
            ]
            begin3, end3 = later(m, here.data, name=f"begin3_{p}"), later(m, behind.data, name=f"end3_{p}")
            column4 = Signal(column_layout(), name=f"column4_{p}", reset_less=True)
            second = following(m, sizes, begin3, self.full, f"second_{p}")
            m.d.sync += [
                column4.begin.eq(begin3),
                column4.end.eq(end3),
                column4.some.eq(begin3 < end3),
                column4.brief.eq(second >= end3),
            ]
            m.d.comb += [self.columns[p].eq(column4), self.columns[p].value.eq(value4)]
        return m
