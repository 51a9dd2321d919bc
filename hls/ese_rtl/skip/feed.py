# SPDX-License-Identifier: Apache-2.0
"""The feed of skip mode: from a vector to the entries that the PEs execute."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ese_host.estimate import fifo_places
from ese_rtl.records import ELEMENT_BITS, load_layout, writes_layout
from ese_rtl.sizes import Sizes
from ese_rtl.skip.column_pointers import TRAVEL, ColumnPointers
from ese_rtl.skip.scan import scan_layout
from ese_rtl.skip.scanner import Scanner
from ese_rtl.skip.taker import Taker

QUIET = TRAVEL + 3
"""Clocks after the last element was sent, until which every PE that has work from it says so."""


def entry_layout(sizes: Sizes) -> data.StructLayout:
    """The entry that a PE executes in a clock.

    Args:
        sizes: of the engine.
    """
    return data.StructLayout(
        {
            "run": 1,
            "first": 1,  # of its column
            "address": sizes.entry_address_bits,
            "slot": max(1, sizes.design.widths.slot_bits),
            "value": signed(ELEMENT_BITS),  # what it is multiplied by
        }
    )


def scan_ports(sizes: Sizes) -> dict[str, Any]:
    """The ports by which the sequencer and the feed know of one another.

    Args:
        sizes: of the engine.
    """
    return {
        "begin": In(1),  # a sequence begins
        "zero": In(1),  # from the state zero
        "number": In(range(sizes.design.phases)),  # of the phase
        "scan": In(scan_layout(sizes)),  # what it scans
        "prepare": In(1),  # it may begin in the next clock
        "run": In(1),  # it is under way
        "finished": Out(1),  # all that it has sent was executed
    }


class SkipFeed(wiring.Component):
    """Scanner, column pointers, and a taker for each PE.

    Args:
        sizes: of the engine.
    """

    def __init__(self, sizes: Sizes) -> None:
        self._sizes = sizes
        super().__init__(
            {
                "load": In(load_layout(sizes.design)),
                "writes": In(writes_layout(sizes.column_bits, sizes.elements)),
                **scan_ports(sizes),
                "entries": Out(data.ArrayLayout(entry_layout(sizes), sizes.pes)),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        """The parts. The scanner is told a clock late that a FIFO is full, and two clocks late that a PE works."""
        m = Module()
        sizes = self._sizes
        m.submodules.scanner = scanner = Scanner(sizes)
        m.submodules.pointers = pointers = ColumnPointers(sizes)
        hold, working, works, tail = (
            Signal(),
            Signal(sizes.pes),
            Signal(),
            Signal(range(fifo_places(sizes.design.fifo_depth))),
        )
        takers = []
        for p in range(sizes.pes):
            m.submodules[f"taker_{p}"] = taker = Taker(sizes)
            takers.append(taker)
            entry = self.entries[p]
            m.d.comb += [
                taker.full.eq(self.scan.full),
                taker.push.eq(pointers.arrived),
                taker.tail.eq(tail),
                taker.column.eq(pointers.columns[p]),
                entry.run.eq(taker.run),
                entry.first.eq(taker.first),
                entry.address.eq(taker.address),
                entry.slot.eq(taker.slot),
                entry.value.eq(taker.value),
            ]
        recent = Signal(QUIET)
        m.d.sync += [
            hold.eq(Cat(taker.crowded for taker in takers).any()),
            working.eq(Cat(taker.works for taker in takers)),
            works.eq(working.any()),
            tail.eq(tail + pointers.arrived),
            recent.eq(recent << 1 | scanner.scanning),
            self.finished.eq(self.run & ~scanner.scanning & ~recent.any() & ~works),
        ]
        m.d.comb += [
            scanner.scan.eq(self.scan),
            scanner.prepare.eq(self.prepare),
            scanner.run.eq(self.run),
            scanner.hold.eq(hold),
            scanner.writes.eq(self.writes),
            pointers.load.eq(self.load),
            pointers.base.eq(self.scan.pointer_base),
            pointers.full.eq(self.scan.full),
            pointers.valid.eq(scanner.valid),
            pointers.column.eq(scanner.column),
            pointers.value.eq(scanner.value),
        ]
        if sizes.design.delta_depth:
            self._freshness(m, scanner.fresh)
        return m

    def _freshness(self, m: Module, fresh: Signal) -> None:
        """Whether the phase runs for the first time since the state was zero: then nothing was sent before."""
        unused, now = Signal(self._sizes.design.phases), Signal()  # phases that have not run since
        m.d.comb += fresh.eq(now)
        with m.If(self.prepare):
            m.d.sync += now.eq(unused.bit_select(self.number, 1))
        with m.If(self.run):
            m.d.sync += unused.bit_select(self.number, 1).eq(0)
        with m.If(self.begin & self.zero):
            m.d.sync += unused.eq(-1)
