# SPDX-License-Identifier: Apache-2.0
"""The vector RAMs A and B: one copy of each for two PEs, which read it through its two ports."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, signed
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ese_rtl.pipeline import later
from ese_rtl.records import ELEMENT_BITS, writes_layout
from ese_rtl.sizes import Sizes


class Copies(wiring.Component):
    """All copies of both vector RAMs.

    A port either reads or writes in a clock: the sequencer never lets an element be written to a RAM in a clock in
    which PEs read it, so that what a port reads while it writes has no meaning. (A read enable would not be the block
    RAM's own then, and would take a LUT and a register for each bit.) Two elements are written at once, one through
    each port.

    Args:
        sizes: of the engine.
    """

    def __init__(self, sizes: Sizes) -> None:
        self._sizes = sizes
        element = signed(ELEMENT_BITS)
        super().__init__(
            {
                "writes": In(writes_layout(sizes.column_bits, sizes.elements)),
                "column6": In(data.ArrayLayout(sizes.column_bits, 2 * sizes.pairs)),
                "values7": Out(data.ArrayLayout(data.ArrayLayout(element, 2 * sizes.pairs), 2)),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        """All copies; an address belongs to a write or to a read."""
        m = Module()
        sizes = self._sizes
        writes = later(m, self.writes, name="writes")
        for r in range(2):
            for q in range(sizes.pairs):
                m.submodules[f"ram_{'ab'[r]}_{q}"] = ram = Memory(
                    shape=signed(ELEMENT_BITS), depth=sizes.design.vector_depth, init=[],
                    attrs={"ram_style": "block"},
                )  # fmt: skip
                for port in range(2):
                    write, read = ram.write_port(), ram.read_port()
                    asked = writes.rams[r][port]
                    column = self.column6[2 * q + port]
                    address = Mux(asked.enable, asked.address, column)
                    m.d.comb += [
                        write.en.eq(asked.enable),
                        write.addr.eq(address),
                        write.data.eq(asked.value),
                        read.addr.eq(address),
                        self.values7[r][2 * q + port].eq(read.data),
                    ]
        return m
