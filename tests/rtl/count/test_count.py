# SPDX-License-Identifier: Apache-2.0
"""Tests of counting: the recorded counts are those of the present source, and small engines are counted again."""

from __future__ import annotations

import time
from functools import cache

import pytest
from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out
from click.testing import CliRunner

from ese_host.estimate import Count, recorded_counts
from ese_host.run_tool import ToolError
from ese_rtl.count import CASES, cells_of, count, count_of, digest, text_of
from ese_rtl.count.__main__ import main

ALLOWED = 4500
"""LUTs that are allowed for the AXI DMA and the interconnect."""
DMA_BRAM36 = 3
"""Block RAM that is assumed for the AXI DMA."""
BUDGETS = {"ternary-64": (26_000, 115), "int4-64": (30_000, 140), "ternary-128": (36_000, 140)}
"""LUTs and BRAM36 of everything but the processing system."""
LIVE = ("ternary-4", "ternary-8")
QUICK = (*LIVE, "int4-8", "ternary-64")
"""Engines whose records are compared with the source in every run; the others are of the same source."""
RECORDS = recorded_counts()


@cache
def text(name: str) -> str:
    """The RTLIL of a case."""
    return text_of(CASES[name])


def stale(name: str) -> str:
    return f"the record of {name} is of another source: run `make count`, which takes some minutes, and commit it"


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in QUICK else pytest.mark.slow) for name in RECORDS]
)
def test_a_record_is_of_the_present_source(name: str) -> None:
    assert RECORDS[name].design == CASES[name]
    assert digest(text(name)) == RECORDS[name].rtlil, stale(name)


def test_all_cases_are_recorded() -> None:
    assert list(RECORDS) == list(CASES)


@pytest.mark.slow
@pytest.mark.parametrize("name", LIVE)
def test_small_engines_take_what_the_record_says(name: str) -> None:
    found = count(text(name))
    assert found.count == RECORDS[name].count


@pytest.mark.parametrize("name", BUDGETS)
def test_eses_layer_keeps_to_its_budget(name: str) -> None:
    luts, bram36 = BUDGETS[name]
    found = RECORDS[name].count
    assert found.luts + ALLOWED <= luts and found.bram36 + DMA_BRAM36 <= bram36
    assert found.dsps <= 220


class ChoiceAndMemory(wiring.Component):
    """A register of 8 bits behind a choice of two, and a memory of 64 words of 3 bits."""

    def __init__(self) -> None:
        super().__init__({"which": In(1), "a": In(8), "b": In(8), "kept": Out(8), "address": In(6), "word": Out(3)})

    def elaborate(self, _: object) -> Module:
        m = Module()
        words = memory.Memory(shape=3, depth=64, init=[], attrs={"ram_style": "distributed"})
        m.submodules.words = words
        write, read = words.write_port(), words.read_port(domain="comb")
        chosen = Signal(8)
        m.d.comb += [
            chosen.eq(Mux(self.which, self.a, self.b)),
            write.addr.eq(self.a),
            write.data.eq(self.b),
            write.en.eq(self.which),
            read.addr.eq(self.address),
            self.word.eq(read.data),
        ]
        m.d.sync += self.kept.eq(chosen)
        return m


def test_a_small_module_is_counted() -> None:
    found = count(ChoiceAndMemory())
    # 8 functions of three inputs, which the estimate does not pair; 64 words of 3 bits are one RAM64M
    expected = Count(
        logic=8, lutram=4, srl=0, flip_flops=8, ramb18=0, ramb36=0, dsps=0, carry4=0, muxf=0, unpaired=8, levels=1
    )
    assert found.count == expected and found.count.luts == 12


def test_moved_code_is_the_same_text() -> None:
    assert text_of(ChoiceAndMemory()) == text_of(ChoiceAndMemory())
    assert "src" not in text_of(ChoiceAndMemory())


def test_a_deadline_ends_yosys() -> None:
    begin = time.monotonic()
    with pytest.raises(ToolError, match=r"did not end within 0\.1 s"):
        count(ChoiceAndMemory(), timeout=0.1)
    assert time.monotonic() - begin < 60


REPORT = """
=== top ===

        7   LUT2
        5   LUT6
        3   FDRE
        2   FDSE
        2   RAM32M
        1   RAM128X1D
        4   SRL16E
        1   RAMB36E1
        3   RAMB18E1
        2   MUXF7

   Estimated number of LCs:          9
"""


def test_a_report_is_read() -> None:
    found = count_of(*cells_of(REPORT), 3.25)
    assert (found.logic, found.lutram, found.srl, found.luts) == (9, 12, 4, 25)
    assert (found.flip_flops, found.bram36, found.muxf, found.unpaired) == (5, 2.5, 2, 12)


def test_reports_that_cannot_be_counted_are_refused() -> None:
    with pytest.raises(ValueError, match="Estimated number of LCs"):
        cells_of("=== top ===")
    with pytest.raises(ValueError, match="RAM512X1D, whose LUTs are not known"):
        count_of(1, {"RAM512X1D": 1}, 1)


def test_the_command_shows_what_is_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ese_rtl.count.__main__.CASES", {"ternary-4": CASES["ternary-4"]})
    result = CliRunner().invoke(main, [])
    assert result.exit_code == 0 and "(recorded)" in result.output
