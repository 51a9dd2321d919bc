# SPDX-License-Identifier: Apache-2.0
"""Both vector RAMs in four banks each: a row of four elements is read in a clock, while others are written."""

from __future__ import annotations

from amaranth.hdl import Module
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ese_rtl.pipeline import later
from ese_rtl.records import writes_layout
from ese_rtl.sizes import Sizes
from ese_rtl.vectors.wide_ram import BANK_BITS, ROW, WideRam, row_bits


class BankedVectors(wiring.Component):
    """The vector RAMs A and B. Both read the same row; what is written at once lies side by side, in different banks.

    Args:
        sizes: of the engine.
    """

    def __init__(self, sizes: Sizes) -> None:
        self._depth = sizes.design.vector_depth
        super().__init__(
            {
                "writes": In(writes_layout(sizes.column_bits, sizes.elements)),
                "enable": In(1),  # read a row,
                "row": In(row_bits(self._depth)),
                "values": Out(data.ArrayLayout(ROW, 2)),  # which is there a clock later
            }
        )

    def elaborate(self, _platform: object) -> Module:
        """The RAMs, and the bank of each element that is written."""
        m = Module()
        writes = later(m, self.writes, name="writes")
        for r, name in enumerate(("ram_a", "ram_b")):
            m.submodules[name] = ram = WideRam(self._depth)
            m.d.comb += [ram.enable.eq(self.enable), ram.row.eq(self.row), self.values[r].eq(ram.values)]
            for bank, target in enumerate(ram.writes):
                for asked in writes.rams[r]:
                    with m.If(asked.enable & (asked.address[:BANK_BITS] == bank)):
                        m.d.comb += [
                            target.enable.eq(1),
                            target.row.eq(asked.address[BANK_BITS:]),
                            target.value.eq(asked.value),
                        ]
        return m
