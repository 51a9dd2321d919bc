# SPDX-License-Identifier: Apache-2.0
"""The scanner: it finds the elements of a vector that count, and sends them one by one."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ese_host.image import SCAN_WIDTH
from ese_rtl.pipeline import later
from ese_rtl.records import ELEMENT_BITS, writes_layout
from ese_rtl.sizes import Sizes
from ese_rtl.skip.scan import COLUMN_BITS, THRESHOLD_BITS, scan_layout
from ese_rtl.vectors import BANK_BITS, ROW, BankedVectors, WideRam, row_bits


class Scanner(wiring.Component):
    """Reads a vector four elements at a time, a row, and sends those that count.

    One is sent in a clock (EIE, section IV: leading non-zero detection); a row of which none counts takes a clock, too.

    In a delta phase an element counts if it differs from the value that was sent last by more than a threshold. The
    difference is sent, and the new value takes the place of the other one.

    Stages: 1 reads the RAMs, 2 holds a row, 3 subtracts, 4 compares and sends. A row goes on when the row before it is
    sent.

    Args:
        sizes: of the engine.
    """

    def __init__(self, sizes: Sizes) -> None:
        self._sizes = sizes
        super().__init__(
            {
                "scan": In(scan_layout(sizes)),
                "prepare": In(1),  # the scan may begin in the next clock
                "run": In(1),  # it is under way
                "fresh": In(1),  # what was sent last is zero
                "hold": In(1),  # nothing may be sent
                "writes": In(writes_layout(sizes.column_bits, sizes.elements)),
                "scanning": Out(1),  # elements are still to be read or to be sent
                "valid": Out(1),  # an element is sent: registers
                "column": Out(COLUMN_BITS),
                "value": Out(signed(ELEMENT_BITS)),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        """The memories, and the pipeline of rows."""
        m = Module()
        scan, depth = self.scan, self._sizes.design.vector_depth
        m.submodules.vectors = vectors = BankedVectors(self._sizes)
        shift = Signal()  # the row at stage 4 leaves, and all others go on
        left = Signal(signed(COLUMN_BITS - BANK_BITS + 1))  # rows that are not yet read, less one
        final, last = Signal(), Signal(BANK_BITS)  # the last row is next; its last element
        row, column = Signal(row_bits(depth)), Signal(COLUMN_BITS - BANK_BITS)
        reads = self.run & ~left[-1]
        with m.If(self.prepare):
            m.d.sync += [
                Cat(last, left).eq(scan.columns - 1),
                final.eq(scan.columns <= SCAN_WIDTH),
                row.eq(scan.source_base >> BANK_BITS),
                column.eq(0),
            ]
        with m.Elif(shift & reads):
            m.d.sync += [left.eq(left - 1), final.eq(left == 1), row.eq(row + 1), column.eq(column + 1)]
        m.d.comb += [vectors.writes.eq(self.writes), vectors.enable.eq(shift), vectors.row.eq(row)]
        present0 = Cat(reads & (~final | (last >= element)) for element in range(SCAN_WIDTH))  # elements that exist
        values2 = Signal(ROW, reset_less=True)
        with m.If(shift):
            present1 = later(m, present0, name="present1", reset=True)
            present2 = later(m, present1, name="present2", reset=True)
            present3 = later(m, present2, name="present3", reset=True)
            column4 = later(m, column, 4, name="column4")
            m.d.sync += values2.eq(Mux(scan.source_ram, vectors.values[1].as_value(), vectors.values[0].as_value()))
        found3, sent3 = (
            self._changes(m, shift, reads, values2, present3)
            if self._sizes.design.delta_depth
            else self._not_zero(m, shift, values2)
        )
        found4, sent4 = Signal(SCAN_WIDTH), Signal(ROW, reset_less=True)
        rest4 = Signal(SCAN_WIDTH)  # what is left when the first one is sent
        sends = found4.any() & ~self.hold
        m.d.comb += [
            *(rest4[element].eq(found4[element] & found4[:element].any()) for element in range(SCAN_WIDTH)),
            shift.eq(~found4.any() | (~rest4.any() & ~self.hold)),
            self.scanning.eq(reads | Cat(present1[0], present2[0], present3[0]).any() | found4.any()),
        ]
        with m.If(shift):
            m.d.sync += [found4.eq(found3 & present3), sent4.eq(sent3)]
        with m.Elif(sends):
            m.d.sync += found4.eq(rest4)
        m.d.sync += self.valid.eq(sends)
        for element in reversed(range(SCAN_WIDTH)):
            with m.If(found4[element]):
                m.d.sync += [self.column.eq(Cat(Const(element, BANK_BITS), column4)), self.value.eq(sent4[element])]
        return m

    def _not_zero(self, m: Module, shift: Value, values2: Signal) -> tuple[Value, Signal]:
        """Stage 3 without delta phases: which elements are not zero, and the elements."""
        with m.If(shift):
            sent3 = later(m, values2, name="sent3")
        return Cat(sent3[element].any() for element in range(SCAN_WIDTH)), sent3

    def _changes(
        self, m: Module, shift: Value, reads: Value, values2: Signal, present3: Signal
    ) -> tuple[Value, Signal]:
        """Stages 1 to 3 with delta phases: which elements have changed by more than the threshold, and what is sent.

        Args:
            m: module that gets the logic.
            shift: whether rows go on.
            reads: whether a row is read.
            values2: the row at stage 2.
            present3: which elements of the row at stage 3 exist.
        """
        scan, depth = self.scan, self._sizes.design.delta_depth
        m.submodules.last = last = WideRam(depth)
        read, written = Signal(row_bits(depth)), Signal(row_bits(depth))
        with m.If(self.prepare):
            m.d.sync += read.eq(scan.last_base >> BANK_BITS)
        with m.Elif(shift & reads):
            m.d.sync += read.eq(read + 1)
        m.d.comb += [last.enable.eq(shift), last.row.eq(read)]
        before2, sent3 = Signal(ROW, reset_less=True), Signal(ROW, reset_less=True)
        with m.If(shift):
            m.d.sync += [
                before2.eq(Mux(self.fresh, 0, last.values.as_value())),
                *(sent3[e].eq(values2[e] - Mux(scan.delta, before2[e], 0)) for e in range(SCAN_WIDTH)),
            ]
            values3, before3 = later(m, values2, name="values3"), later(m, before2, name="before3")
        found3 = Signal(SCAN_WIDTH)
        threshold = Signal(signed(THRESHOLD_BITS + 1))
        m.d.comb += threshold.eq(Mux(scan.delta, scan.threshold, 0))
        m.d.comb += [found3[e].eq((sent3[e] > threshold) | (sent3[e] < -threshold)) for e in range(SCAN_WIDTH)]
        # what was sent last is written a clock after it has been compared
        stores = Signal()
        kept = Signal(ROW, reset_less=True)
        m.d.sync += stores.eq(shift & scan.delta & present3[0])
        m.d.sync += [kept[e].eq(Mux(found3[e] & present3[e], values3[e], before3[e])) for e in range(SCAN_WIDTH)]
        with m.If(self.prepare):
            m.d.sync += written.eq(scan.last_base >> BANK_BITS)
        with m.Elif(stores):
            m.d.sync += written.eq(written + 1)
        for e, target in enumerate(last.writes):
            m.d.comb += [target.enable.eq(stores), target.row.eq(written), target.value.eq(kept[e])]
        return found3, sent3
