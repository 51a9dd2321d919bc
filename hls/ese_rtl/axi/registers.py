# SPDX-License-Identifier: Apache-2.0
"""The registers of docs/reference/packets.md, laid out and behaving as those that Vitis HLS makes for csrc."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from ese_host.image import Design
from ese_host.protocol import PROTOCOL_VERSION, REGISTERS, TRAILER
from ese_rtl.axi.lite import ADDRESS_BITS, AXI_LITE
from ese_rtl.packet import Report

BLOCK_BITS = 4
"""Bits of an offset within one of the registers, which lie 16 bytes apart."""
CONTROL, GLOBAL_ENABLE, ENABLE, STATUS = 0x00, 0x04, 0x08, 0x0C
"""Offsets of the control register, and of the interrupt's three registers in front of the first result."""


class Registers(wiring.Component):
    """The registers. A write or a read is answered with OKAY, whatever its offset.

    Control register: bit 0 starts, and falls with the answer to a packet unless bit 7 is set (auto-restart); bits 1
    (done) and 3 (ready) tell that a packet was answered without auto-restart, and fall when read; bit 2 is idle, bit 9
    the interrupt. The interrupt is enabled by bit 0 at 0x04; bits 0 and 1 at 0x08 let it rise at done and at ready;
    the same bits at 0x0c tell which it was, and are toggled by writing ones.

    Attributes:
        bus: reads and writes.
        started: a packet may be taken.
        idle: no packet is under way.
        answered: a packet has been answered; for one clock.
        report: the words of its trailer.
        interrupt: to the processor; a register.
    """

    def __init__(self, design: Design) -> None:
        """Make the registers of the engine of a design."""
        self._design_id = design.design_id
        super().__init__(
            {
                "bus": In(AXI_LITE),
                "started": Out(1),
                "idle": In(1),
                "answered": In(1),
                "report": In(Report),
                "interrupt": Out(1),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        """The circuit."""
        m = Module()
        restart, done, ready, enabled = Signal(), Signal(), Signal(), Signal()
        sources, causes = Signal(2), Signal(2)
        write, place, value = self._writes(m)
        read = Signal()  # the offset of a read has come in the clock before
        offset = Signal(ADDRESS_BITS)

        with m.If(self.answered):
            m.d.sync += self.started.eq(restart)
        with m.If(read & (offset == CONTROL)):
            m.d.sync += [done.eq(0), ready.eq(0)]
        with m.If(self.answered & ~restart):
            m.d.sync += [done.eq(1), ready.eq(1)]
        toggled = Signal(2)
        with m.If(write), m.Switch(place):
            with m.Case(CONTROL):
                m.d.sync += restart.eq(value[7])
                with m.If(value[0]):
                    m.d.sync += self.started.eq(1)
            with m.Case(GLOBAL_ENABLE):
                m.d.sync += enabled.eq(value[0])
            with m.Case(ENABLE):
                m.d.sync += sources.eq(value)
            with m.Case(STATUS):
                m.d.comb += toggled.eq(value)
        m.d.sync += causes.eq(Mux(self.answered, sources, 0) | (causes ^ toggled))
        m.d.sync += self.interrupt.eq(enabled & causes.any())

        control = Cat(self.started, done, self.idle, ready, Const(0, 3), restart, Const(0, 1), self.interrupt)
        stored = self._stored(m, offset)
        bus = self.bus
        arready, rvalid, rdata = Signal(init=1), Signal(), Signal(32, reset_less=True)
        m.d.comb += [bus.arready.eq(arready), bus.rvalid.eq(rvalid), bus.rdata.eq(rdata)]
        m.d.sync += read.eq(bus.arvalid & arready)
        with m.If(bus.arvalid & arready):
            m.d.sync += [offset.eq(bus.araddr), arready.eq(0)]
        with m.If(read):
            m.d.sync += rvalid.eq(1)
            with m.Switch(offset):
                with m.Case(CONTROL):
                    m.d.sync += rdata.eq(control)
                with m.Case(GLOBAL_ENABLE):
                    m.d.sync += rdata.eq(enabled)
                with m.Case(ENABLE):
                    m.d.sync += rdata.eq(sources)
                with m.Case(STATUS):
                    m.d.sync += rdata.eq(causes)
                with m.Default():
                    m.d.sync += rdata.eq(stored)
        with m.If(rvalid & bus.rready):
            m.d.sync += [rvalid.eq(0), arready.eq(1)]
        return m

    def _writes(self, m: Module) -> tuple[Signal, Signal, Signal]:
        """Take in address and data, in either order. Returns when to write, the offset, and the low byte if it counts.

        Everything that can be written is in a register's lowest byte.
        """
        bus = self.bus
        awready, wready, bvalid = Signal(init=1), Signal(init=1), Signal()
        place, value, strobe = Signal(ADDRESS_BITS), Signal(8), Signal()
        complete = Signal()
        m.d.comb += [
            bus.awready.eq(awready),
            bus.wready.eq(wready),
            bus.bvalid.eq(bvalid),
            complete.eq(~awready & ~wready & ~bvalid),
        ]
        with m.If(bus.awvalid & awready):
            m.d.sync += [awready.eq(0), place.eq(bus.awaddr)]
        with m.If(bus.wvalid & wready):
            m.d.sync += [wready.eq(0), value.eq(bus.wdata), strobe.eq(bus.wstrb[0])]
        with m.If(complete):
            m.d.sync += bvalid.eq(1)
        with m.If(bvalid & bus.bready):
            m.d.sync += [bvalid.eq(0), awready.eq(1), wready.eq(1)]
        write = Signal()
        m.d.comb += write.eq(complete & strobe)
        return write, place, value

    def _stored(self, m: Module, offset: Signal) -> Signal:
        """The constants and the results of the last packet, in one small memory. Results are zero after a reset."""
        constants = {"design_id": self._design_id, "version": PROTOCOL_VERSION}
        contents = [0] * (1 << ADDRESS_BITS - BLOCK_BITS)
        results = {}
        for name, register in REGISTERS.items():
            block = register.offset >> BLOCK_BITS
            if name in constants:
                contents[block] = constants[name]
            elif name in TRAILER:
                results[TRAILER.index(name)] = block
        m.submodules.contents = words = memory.Memory(shape=32, depth=len(contents), init=contents)
        words.attrs["ram_style"] = "distributed"
        write, read = words.write_port(), words.read_port(domain="comb")
        m.d.comb += [write.data.eq(self.report.data), read.addr.eq(offset[BLOCK_BITS:])]
        with m.Switch(self.report.place):
            for index, block in results.items():
                with m.Case(index):
                    m.d.comb += [write.en.eq(self.report.valid), write.addr.eq(block)]
        reported, constant, stored = Signal(), Signal(), Signal(32)
        with m.If(self.answered):
            m.d.sync += reported.eq(1)
        with m.Switch(offset[BLOCK_BITS:]), m.Case(*(REGISTERS[name].offset >> BLOCK_BITS for name in constants)):
            m.d.comb += constant.eq(1)
        with m.If((offset[:BLOCK_BITS] == 0) & (constant | reported)):
            m.d.comb += stored.eq(read.data)
        return stored
