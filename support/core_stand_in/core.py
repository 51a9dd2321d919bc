# SPDX-License-Identifier: Apache-2.0
"""The stand-in for the core, and the context in which it takes the place of the engine."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from amaranth.hdl import ClockDomain, Const, Module, Signal
from amaranth.lib import crc, wiring
from amaranth.lib.wiring import In, Out

from ese_host.image import Design
from ese_host.protocol import PROTOCOL_VERSION, REGISTERS, Operation, packets

BEAT = {"TDATA": 32, "TKEEP": 4, "TSTRB": 4, "TLAST": 1, "TVALID": 1}
PORTS: dict[str, Any] = {
    "ap_clk": In(1), "ap_rst_n": In(1), "interrupt": Out(1),
    **{f"in_r_{name}": In(width) for name, width in BEAT.items()}, "in_r_TREADY": Out(1),
    **{f"out_r_{name}": Out(width) for name, width in BEAT.items()}, "out_r_TREADY": In(1),
    "s_axi_control_AWADDR": In(7), "s_axi_control_AWVALID": In(1), "s_axi_control_AWREADY": Out(1),
    "s_axi_control_WDATA": In(32), "s_axi_control_WSTRB": In(4), "s_axi_control_WVALID": In(1),
    "s_axi_control_WREADY": Out(1), "s_axi_control_BRESP": Out(2), "s_axi_control_BVALID": Out(1),
    "s_axi_control_BREADY": In(1), "s_axi_control_ARADDR": In(7), "s_axi_control_ARVALID": In(1),
    "s_axi_control_ARREADY": Out(1), "s_axi_control_RDATA": Out(32), "s_axi_control_RRESP": Out(2),
    "s_axi_control_RVALID": Out(1), "s_axi_control_RREADY": In(1),
}  # fmt: skip
"""The ports of the core, as Vitis HLS names them."""
HANGS, RETRACTS, CHANGES, DROPS = range(4, 8)
"""What the core does wrong after a packet whose first word is one of these: it stops in the middle of the answer, takes
back or changes words that were not taken, or leaves out a byte of each."""
LAST = len(packets.TRAILER) - 1
CYCLES = packets.TRAILER.index("cycles_low")


class CoreStandIn(wiring.Component):
    """Takes a packet to its end and answers with a trailer without errors.

    Its image id is the last word of the last packet that was no RUN. Its cycles are the clocks in which the core took
    no word since it started.
    """

    def __init__(self, design: Design, primitive: bool = False) -> None:
        self.design, self.primitive = design, primitive
        super().__init__(PORTS)

    def elaborate(self, _: Any) -> Module:
        m = Module()
        m.domains.sync = sync = ClockDomain()
        m.d.comb += [sync.clk.eq(self.ap_clk), sync.rst.eq(~self.ap_rst_n)]
        started, image_id, operation, first = Signal(), Signal(32), Signal(3), Signal(init=1)
        cycles, shown, index, answering = Signal(64), Signal(64), Signal(4), Signal()
        m.submodules.crc = summed = crc.Algorithm(
            crc_width=32, polynomial=0x04C11DB7, initial_crc=0xFFFFFFFF, reflect_input=True, reflect_output=True,
            xor_output=0xFFFFFFFF,
        )(data_width=32).create()  # fmt: skip
        m.d.comb += self.in_r_TREADY.eq(started & ~answering)
        with m.If(self.in_r_TVALID & self.in_r_TREADY):
            m.d.sync += first.eq(self.in_r_TLAST)
            with m.If(first):
                m.d.sync += operation.eq(self.in_r_TDATA)
            with m.If(self.in_r_TLAST):
                m.d.sync += [answering.eq(1), index.eq(0), shown.eq(cycles)]
                with m.If(operation != Operation.RUN):
                    m.d.sync += image_id.eq(self.in_r_TDATA)
        with m.Else():
            m.d.sync += cycles.eq(cycles + 1)
        words = [Const(packets.TRAILER_MAGIC, 32), operation, Const(0), image_id, Const(0), Const(0)]
        words += [shown[:32], shown[32:], summed.crc]
        with m.Switch(index):
            for number, word in enumerate(words):
                with m.Case(number):
                    m.d.comb += self.out_r_TDATA.eq(word)
        taken = self.out_r_TVALID & self.out_r_TREADY
        m.d.comb += [
            self.out_r_TVALID.eq(answering), self.out_r_TLAST.eq(index == LAST), self.out_r_TKEEP.eq(15),
            self.out_r_TSTRB.eq(15), summed.start.eq(~answering), summed.valid.eq(taken),
            summed.data.eq(self.out_r_TDATA),
        ]  # fmt: skip
        with m.If(taken):
            m.d.sync += index.eq(index + 1)
            with m.If(self.out_r_TLAST):
                m.d.sync += answering.eq(0)
        self._go_wrong(m, operation, index)
        self._registers(m, started, image_id, shown)
        return m

    def _go_wrong(self, m: Any, operation: Any, index: Any) -> None:
        toggle = Signal()
        m.d.sync += toggle.eq(~toggle)
        with m.If((operation == HANGS) & (index == CYCLES)):
            m.d.comb += self.out_r_TVALID.eq(0)
        with m.If((operation == RETRACTS) & toggle):
            m.d.comb += self.out_r_TVALID.eq(0)
        with m.If((operation == CHANGES) & toggle):
            m.d.comb += self.out_r_TDATA.eq(0)
        with m.If(operation == DROPS):
            m.d.comb += self.out_r_TKEEP.eq(7)

    def _registers(self, m: Any, started: Any, image_id: Any, cycles: Any) -> None:
        """Reads are answered a clock later; a write of bit 0 to the control register starts the core for good."""
        values: dict[str, Any] = {
            "design_id": self.design.design_id, "version": PROTOCOL_VERSION, "image_id": image_id,
            "cycles_low": cycles[:32], "cycles_high": cycles[32:],
        }  # fmt: skip
        m.d.comb += self.s_axi_control_ARREADY.eq(~self.s_axi_control_RVALID)
        with m.If(self.s_axi_control_ARVALID & self.s_axi_control_ARREADY):
            m.d.sync += [self.s_axi_control_RVALID.eq(1), self.s_axi_control_RDATA.eq(0)]
            with m.Switch(self.s_axi_control_ARADDR):
                for name, value in values.items():
                    with m.Case(REGISTERS[name].offset):
                        m.d.sync += self.s_axi_control_RDATA.eq(value)
        with m.Elif(self.s_axi_control_RREADY):
            m.d.sync += self.s_axi_control_RVALID.eq(0)
        both = self.s_axi_control_AWVALID & self.s_axi_control_WVALID & ~self.s_axi_control_BVALID
        m.d.comb += [self.s_axi_control_AWREADY.eq(both), self.s_axi_control_WREADY.eq(both)]
        with m.If(both):
            m.d.sync += self.s_axi_control_BVALID.eq(1)
            with m.If((self.s_axi_control_AWADDR == REGISTERS["CTRL"].offset) & self.s_axi_control_WSTRB[0]):
                m.d.sync += started.eq(self.s_axi_control_WDATA[0])
        with m.Elif(self.s_axi_control_BREADY):
            m.d.sync += self.s_axi_control_BVALID.eq(0)


@contextlib.contextmanager
def installed() -> Iterator[None]:
    """Context in which `ese_rtl.top.Top` is the stand-in."""
    name = "ese_rtl.top"
    before, module = sys.modules.get(name), ModuleType(name)
    module.__dict__["Top"] = CoreStandIn
    sys.modules[name] = module
    try:
        yield
    finally:
        del sys.modules[name]
        if before is not None:
            sys.modules[name] = before
