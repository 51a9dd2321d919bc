# SPDX-License-Identifier: Apache-2.0
"""Stages of an engine: which path belongs to which, and what Yosys's sta finds in one of them."""

from pathlib import Path
from typing import Any

import pytest
from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from benchmarks.rtl import stages
from ese_rtl.count import mapped


@pytest.mark.parametrize(
    ("name", "stage"),
    [
        ("core.array.pe_3.mac.sum10[4]", "PE: DSP, stages 7 to 10"),
        ("core.array.pe_12.acc_0_0.0.3", "PE: accumulators, stages 8 and 10"),
        ("core.array.pe_12.feedback8[0]", "PE: to stage 8"),
        ("core.array.pe_12.key10[3]", "PE: to stage 10"),
        ("core.array.pe_0.shared[3]", "PE: registers without a stage"),
        ("core.array.drain.row_3[0]", "array: drain"),
        ("core.unit_0.lane_f.bank0.product[0]", "unit: sums of rows"),
        ("core.sequencer.some[1]", "control: sequencer"),
        ("core.pending[0]", "control: others"),
        ("packets._left[32]", "packets: others"),
        ("packets.intake.queue.level[5]", "packets: intake"),
        ("registers.offset[0]", "registers"),
        ("s_axi_control_RDATA[1]", stages.ELSE),
    ],
)
def test_a_register_belongs_to_a_stage(name: str, stage: str) -> None:
    assert stages.stage_of(name) == stage


class TwoPaths(wiring.Component):
    """A register behind a LUT, and one behind a LUTRAM and a carry chain of 16 bits."""

    def __init__(self) -> None:
        super().__init__({"which": In(1), "a": In(16), "b": In(16), "short": Out(1), "long": Out(16)})

    def elaborate(self, _: object) -> Module:
        m = Module()
        words = memory.Memory(shape=16, depth=32, init=[], attrs={"ram_style": "distributed"})
        m.submodules.words = words
        write, read = words.write_port(), words.read_port(domain="comb")
        address, b, total, chosen = (
            Signal(w, name=n) for n, w in (("address", 16), ("held", 16), ("total", 16), ("chosen", 1))
        )
        m.d.sync += [address.eq(self.a), b.eq(self.b), total.eq(read.data + b), chosen.eq(Mux(address[0], b[1], b[2]))]
        m.d.comb += [write.addr.eq(address), write.data.eq(b), write.en.eq(self.which), read.addr.eq(address)]
        m.d.comb += [self.long.eq(total), self.short.eq(chosen)]
        return m


def test_the_latest_arrival_of_a_part(tmp_path: Path) -> None:
    """The sums of the cells' delays in Yosys's library: 303 ps from clock to output, LUTs, LUTRAM and carries."""
    netlist = mapped(TwoPaths()).netlist
    cells = stages.named(netlist)
    ends = {name: [cell for cell in cells if cell.startswith(name)] for name in ("chosen", "total")}
    short, long = (_arrival(netlist, cells, ends[name], tmp_path) for name in ("chosen", "total"))
    every = _arrival(
        netlist, cells, [name for name in cells if not stages.LOGIC.fullmatch(cells[name]["type"])], tmp_path
    )
    assert short.end == "chosen[0]" and long.end.startswith("total[")
    assert 303 < short.ps < 1000 < long.ps == every.ps


def _arrival(netlist: Any, cells: Any, ends: list[str], folder: Path) -> stages.Arrival:
    found = stages.arrival(stages.cone(netlist, cells, ends), folder)
    assert found is not None
    return found
