# SPDX-License-Identifier: Apache-2.0
"""The activation window: a few columns of the vector, in LUTRAM of each PE, in place of copies of the vector RAMs."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from ese_host.image import WINDOW_STEP
from ese_rtl.pipeline import later
from ese_rtl.records import ELEMENT_BITS, LoadTarget, load_layout, writes_layout
from ese_rtl.sizes import Sizes
from ese_rtl.vectors.banked import BankedVectors
from ese_rtl.vectors.wide_ram import BANK_BITS

STEP_BITS = exact_log2(WINDOW_STEP)
"""Bits of a column's number that name its place in what enters at once."""


def advance_layout(sizes: Sizes) -> data.StructLayout:
    """Parts of a beat that the window takes: which of the advances belongs to it, and where its matrix begins.

    Args:
        sizes: of the engine.
    """
    return data.StructLayout(
        {
            "run": 1,
            "first": 1,  # beat of a matrix,
            "base": sizes.column_bits,  # whose vector begins here,
            "source_ram": 1,  # in this RAM
            "address": sizes.entry_address_bits,
            "slot": max(1, sizes.design.widths.slot_bits),
        }
    )


class Window(wiring.Component):
    """The vector RAMs, and in each PE the columns that entered last.

    The image says in which beats the window goes on. So nothing has to be decided here: the columns that come next are
    read again and again, and enter with the beat that has the bit. That beat's entries can read them.

    Stages, of a beat: 1 and 2 read its bit, and 2 the vector RAMs; 3 holds their row, 4 the columns that enter, which
    are broadcast at 5. A PE reads its window at 6.

    Args:
        sizes: of the engine.
    """

    def __init__(self, sizes: Sizes) -> None:
        self._sizes = sizes
        element = signed(ELEMENT_BITS)
        super().__init__(
            {
                "load": In(load_layout(sizes.design)),
                "writes": In(writes_layout(sizes.column_bits, sizes.elements)),
                "beat": In(advance_layout(sizes)),
                "column6": In(data.ArrayLayout(sizes.column_bits, sizes.pes)),
                # what stands at the even and at the odd place of the column's step, and which of both is the column
                "values7": Out(data.ArrayLayout(data.ArrayLayout(element, sizes.pes), WINDOW_STEP)),
                "place7": Out(data.ArrayLayout(STEP_BITS, sizes.pes)),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        """The advances, the vector RAMs, and the windows."""
        m = Module()
        sizes = self._sizes
        beats = [self.beat]
        for stage in range(1, 4):
            beats.append(later(m, beats[-1], name=f"beat{stage}", reset=True))
        advance2 = self._advance(m) & beats[2].run
        step = Signal(sizes.column_bits - STEP_BITS)  # that enters next
        here2 = Mux(beats[2].first, beats[2].base >> STEP_BITS, step)
        with m.If(beats[2].run):
            m.d.sync += step.eq(here2 + advance2)
        m.submodules.vectors = vectors = BankedVectors(sizes)
        of_row = BANK_BITS - STEP_BITS  # bits that name a step of a row
        m.d.comb += [vectors.writes.eq(self.writes), vectors.enable.eq(1), vectors.row.eq(here2 >> of_row)]
        here3 = later(m, here2, name="here3")
        row3 = Mux(beats[3].source_ram, vectors.values[1].as_value(), vectors.values[0].as_value())
        entering4 = later(m, row3.word_select(here3[:of_row], WINDOW_STEP * ELEMENT_BITS), name="entering4")
        entering5 = later(m, entering4, name="entering5")
        place5 = later(m, here3, 2, name="place5")
        advance5 = later(m, advance2, 3, name="advance5", reset=True)
        for p in range(sizes.pes):
            column6 = self.column6[p]
            m.d.comb += self.place7[p].eq(later(m, column6[:STEP_BITS], name="place7"))
            for number in range(WINDOW_STEP):
                entering = entering5.word_select(number, ELEMENT_BITS)
                value6 = self._kept(m, f"pe_{p}_{number}", advance5, place5, entering, column6)
                m.d.comb += self.values7[number][p].eq(later(m, value6, name="value7"))
        return m

    def _advance(self, m: Module) -> Any:
        """Stages 1 and 2: whether columns enter with the beat, if it is an entry's."""
        sizes, load = self._sizes, self.load
        m.submodules.advances = memory = Memory(
            shape=sizes.design.widths.advance_bits,
            depth=sizes.design.entry_depth,
            init=[],
            attrs={"ram_style": "block"},
        )
        loads = load.memory == LoadTarget.WINDOW
        address1 = later(m, Mux(loads, load.address, self.beat.address)[: sizes.entry_address_bits], name="address1")
        write, read = memory.write_port(), memory.read_port()
        m.d.comb += [
            write.en.eq(later(m, loads, name="write1", reset=True)),
            write.addr.eq(address1),
            write.data.eq(later(m, load.data, name="data1")),
            read.addr.eq(address1),
        ]
        return read.data.bit_select(later(m, self.beat.slot, 2, name="slot2"), 1)

    def _kept(self, m: Module, name: str, advance5: Any, place5: Any, entering: Any, column6: Any) -> Any:
        """Memory of a PE for the columns at one place of their steps. Returns the one that the PE asks for.

        Args:
            m: module that gets the memory.
            name: of the memory.
            advance5: whether a column enters.
            place5: the number of its step.
            entering: its value.
            column6: what the PE asks for.
        """
        steps = self._sizes.design.window // WINDOW_STEP
        m.submodules[name] = memory = Memory(
            shape=ELEMENT_BITS, depth=steps, init=[], attrs={"ram_style": "distributed"}
        )
        write, read = memory.write_port(), memory.read_port(domain="comb")
        m.d.comb += [
            write.en.eq(advance5),
            write.addr.eq(place5),
            write.data.eq(entering),
            read.addr.eq(column6[STEP_BITS:]),
        ]
        return read.data
