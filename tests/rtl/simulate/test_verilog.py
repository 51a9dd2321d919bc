# SPDX-License-Identifier: Apache-2.0
"""Tests of the Verilog that is written of a core."""

from __future__ import annotations

from pathlib import Path

from amaranth.back import rtlil
from amaranth.hdl import Module
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from ese_rtl import simulate
from support.core_stand_in import installed
from support.rtl import CASES


def test_the_verilog_is_the_same_everywhere() -> None:
    design = CASES["lstm"].make()[1]
    with installed():
        text = simulate.verilog(design)
        assert text == simulate.verilog(design)
    assert "module ese_top(" in text
    assert str(Path.cwd()) not in text and "site-packages" not in text and "Yosys" not in text


class TwoMemories(wiring.Component):
    """One memory of zeros, and one that holds a seven."""

    def __init__(self) -> None:
        super().__init__({"address": In(4), "first": Out(8), "second": Out(8)})

    def elaborate(self, _: object) -> Module:
        m = Module()
        for output, contents in ((self.first, [0] * 16), (self.second, [0, 7, 0])):
            kept = memory.Memory(shape=8, depth=16, init=contents)
            m.submodules += kept
            port = kept.read_port()
            m.d.comb += [port.addr.eq(self.address), output.eq(port.data)]
        return m


def test_memories_of_zeros_have_no_contents_in_the_verilog() -> None:
    text = simulate.converted(rtlil.convert(TwoMemories(), name=simulate.TOP, emit_src=False))
    assert text.count("[15:0];") == 2 and text.count("initial begin") == 1 and text.count("[1] = 8'h07") == 1
