# SPDX-License-Identifier: Apache-2.0
"""The IP core: AXI4-Stream, AXI4-Lite and the engine, with the ports that Vitis HLS gives to the top of csrc."""

from __future__ import annotations

from amaranth.hdl import ClockDomain, ClockSignal, Module, ResetSignal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ese_host.image import Design
from ese_rtl.axi import AXI_LITE, Registers
from ese_rtl.packet import Packets

NAME = "ese_top"
"""Name of the module, and of the IP core."""
IN, OUT, CONTROL = "in_r", "out_r", "s_axi_control"
"""Interfaces, as the block design names them."""
_STREAM = {"TDATA": 32, "TKEEP": 4, "TSTRB": 4, "TLAST": 1, "TVALID": 1}
_TO_CORE = ("load", "header", "start", "zero", "steps", "trace", "abort", "forget")
_FROM_CORE = ("done", "counting", "forgotten")


class Top(wiring.Component):
    """The engine of a design. All of it runs on `ap_clk`; `ap_rst_n` resets it, but not its memories.

    After a reset no image is loaded.
    """

    def __init__(self, design: Design, primitive: bool = False, core: wiring.Component | None = None) -> None:
        """Make the engine.

        Args:
            design: the design.
            primitive: whether to instantiate the FPGA's own multipliers, which only its tools and models know.
            core: what computes; by default the core of the design.
        """
        if core is None:
            from ese_rtl.control import Core  # a stand-in for it must not need it

            core = Core(design, primitive)
        self._design, self._core = design, core
        ports = {"ap_clk": In(1), "ap_rst_n": In(1), "interrupt": Out(1)}
        for signal, width in _STREAM.items():
            ports |= {f"{IN}_{signal}": In(width), f"{OUT}_{signal}": Out(width)}
        ports |= {f"{IN}_TREADY": Out(1), f"{OUT}_TREADY": In(1)}
        ports |= {f"{CONTROL}_{name.upper()}": member.flip() for name, member in AXI_LITE.members.items()}
        super().__init__(ports)

    def elaborate(self, _platform: object) -> Module:
        """The circuit."""
        m = Module()
        m.domains.sync = ClockDomain()
        m.submodules.packets = packets = Packets(self._design)
        m.submodules.registers = registers = Registers(self._design)
        m.submodules.core = core = self._core
        m.d.comb += [ClockSignal().eq(self.ap_clk), ResetSignal().eq(~self.ap_rst_n)]
        m.d.comb += [getattr(core, name).eq(getattr(packets, name)) for name in _TO_CORE]
        m.d.comb += [getattr(packets, name).eq(getattr(core, name)) for name in _FROM_CORE]
        wiring.connect(m, packets.frames, core.frames)
        wiring.connect(m, core.results, packets.results)
        m.d.comb += [
            packets.started.eq(registers.started),
            registers.idle.eq(packets.idle),
            registers.answered.eq(packets.answered),
            registers.report.eq(packets.report),
            self.interrupt.eq(registers.interrupt),
        ]
        words, answer = packets.words, packets.answer
        m.d.comb += [
            words.payload.data.eq(getattr(self, f"{IN}_TDATA")),
            words.payload.last.eq(getattr(self, f"{IN}_TLAST")),
            words.valid.eq(getattr(self, f"{IN}_TVALID")),
            getattr(self, f"{IN}_TREADY").eq(words.ready),
            getattr(self, f"{OUT}_TDATA").eq(answer.payload.data),
            getattr(self, f"{OUT}_TLAST").eq(answer.payload.last),
            getattr(self, f"{OUT}_TKEEP").eq(-1),
            getattr(self, f"{OUT}_TSTRB").eq(-1),
            getattr(self, f"{OUT}_TVALID").eq(answer.valid),
            answer.ready.eq(getattr(self, f"{OUT}_TREADY")),
        ]
        for name, member in AXI_LITE.members.items():
            inner, outer = getattr(registers.bus, name), getattr(self, f"{CONTROL}_{name.upper()}")
            m.d.comb += inner.eq(outer) if member.flow is Out else outer.eq(inner)
        return m
