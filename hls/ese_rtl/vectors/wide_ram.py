# SPDX-License-Identifier: Apache-2.0
"""A memory of elements in four banks: in one clock a row of four is read, and any element of a row is written."""

from __future__ import annotations

from amaranth.hdl import Module, signed
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2, exact_log2

from ese_host.image import SCAN_WIDTH
from ese_rtl.records import ELEMENT_BITS

BANK_BITS = exact_log2(SCAN_WIDTH)
"""Bits of an element's address that name its bank."""
ROW = data.ArrayLayout(signed(ELEMENT_BITS), SCAN_WIDTH)
"""A row: one element of each bank."""


def bank_write_layout(depth: int) -> data.StructLayout:
    """One element that is written to a bank.

    Args:
        depth: elements of all banks.
    """
    return data.StructLayout({"enable": 1, "row": row_bits(depth), "value": signed(ELEMENT_BITS)})


def row_bits(depth: int) -> int:
    """Bits of a row's number.

    Args:
        depth: elements of all banks.
    """
    return ceil_log2(depth // SCAN_WIDTH)


class WideRam(wiring.Component):
    """Four block RAMs, each with a port that reads and one that writes.

    Args:
        depth: elements of all banks.
    """

    def __init__(self, depth: int) -> None:
        self._rows = depth // SCAN_WIDTH
        super().__init__(
            {
                "enable": In(1),  # read a row,
                "row": In(row_bits(depth)),
                "values": Out(ROW),  # which is there a clock later
                "writes": In(data.ArrayLayout(bank_write_layout(depth), SCAN_WIDTH)),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        """The banks."""
        m = Module()
        for bank in range(SCAN_WIDTH):
            m.submodules[f"bank_{bank}"] = ram = Memory(
                shape=signed(ELEMENT_BITS), depth=self._rows, init=[], attrs={"ram_style": "block"}
            )
            write, read = ram.write_port(), ram.read_port()
            asked = self.writes[bank]
            m.d.comb += [
                write.en.eq(asked.enable),
                write.addr.eq(asked.row),
                write.data.eq(asked.value),
                read.en.eq(self.enable),
                read.addr.eq(self.row),
                self.values[bank].eq(read.data),
            ]
        return m
