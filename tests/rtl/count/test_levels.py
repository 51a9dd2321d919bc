# SPDX-License-Identifier: Apache-2.0
"""Levels of logic: of small modules that Yosys maps, and of netlists written by hand."""

from __future__ import annotations

from graphlib import CycleError
from typing import Any

import pytest
from amaranth.hdl import Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ese_host.estimate import recorded_counts
from ese_rtl.count import count, paths_of

ALLOWED, ONE_MORE = 5, {"ternary-32", "ternary-64", "int4-8", "delta-8", "delta-64", "ternary-64-both"}
"""Levels of logic, and the engines that have one more (docs/explanation/rtl-engine.md, "Budgets and counts")."""
RECORDS = recorded_counts()


@pytest.mark.parametrize("name", RECORDS)
def test_no_engine_has_more_levels_than_allowed(name: str) -> None:
    assert RECORDS[name].count.levels <= ALLOWED + (name in ONE_MORE)


class Between(wiring.Component):
    """What lies between two registers: a parity of 5 bits, a sum of 16 bits, a product."""

    def __init__(self) -> None:
        super().__init__(
            {"bits": In(5), "a": In(16), "b": In(16), "parity": Out(1), "total": Out(16), "product": Out(signed(32))}
        )

    def elaborate(self, _: object) -> Module:
        m = Module()
        a, b, bits = Signal(16), Signal(16), Signal(5)
        m.d.sync += [a.eq(self.a), b.eq(self.b), bits.eq(self.bits)]
        m.d.sync += [self.parity.eq(bits.xor()), self.total.eq(a + b)]
        m.d.sync += self.product.eq((a ^ b).as_signed() * self.b.as_signed())
        return m


def test_levels_of_a_module() -> None:
    """A sum of 16 bits is a LUT and four CARRY4."""
    paths = count(Between()).paths
    found = {path.end.split()[1]: path for path in paths if path.end.endswith(" D")}
    assert found["parity[0]"].levels == 1 and found["parity[0]"].begin.startswith("bits")
    assert found["total[15]"].levels == 2
    # a LUT, and the multiplier behind it, which takes none of its two inputs from a register of its own
    assert paths[0].levels == 3


def cell(kind: str, connections: dict[str, int], outputs: str = "O", **parameters: str) -> dict[str, Any]:
    """A cell of a netlist; ports are named with the number of their wire."""
    return {
        "type": kind,
        "parameters": parameters,
        "port_directions": {port: "output" if port in outputs.split() else "input" for port in connections},
        "connections": {port: [wire] for port, wire in connections.items()},
    }


def netlist(**cells: dict[str, Any]) -> dict[str, Any]:
    names = {f"w{wire}": wire for part in cells.values() for (wire,) in part["connections"].values()}
    return {
        "ports": {"out": {"direction": "output", "bits": [9, "0"]}},
        "netnames": {name: {"bits": [wire]} for name, wire in names.items()},
        "cells": cells,
    }


def test_multiplexers_count_with_the_lut_before_them() -> None:
    module = netlist(
        one=cell("LUT6", {"I0": 1, "O": 2}),
        choice=cell("MUXF7", {"I0": 2, "I1": 3, "S": 4, "O": 5}),
        two=cell("LUT2", {"I0": 5, "I1": 4, "O": 9}),
        kept=cell("FDRE", {"D": 5, "CE": 9, "C": 7, "Q": 4}, "Q"),
    )
    assert paths_of(module) == [
        (2.0, "w1[0]", "FDRE w4[0] CE"),
        (2.0, "w1[0]", "output out"),
        (1.0, "w1[0]", "FDRE w4[0] D"),
        (0.0, "w7[0]", "FDRE w4[0] C"),
    ]


def test_each_port_of_a_lutram_is_read_by_its_own_address() -> None:
    module = netlist(
        slow=cell("LUT1", {"I0": 1, "O": 2}),
        words=cell("RAM64M", {"ADDRA": 2, "ADDRD": 3, "DIA": 4, "DOA": 5, "DOD": 9, "WCLK": 7}, "DOA DOD"),
        kept=cell("FDRE", {"D": 5, "C": 7, "Q": 8}, "Q"),
    )
    found = {path.end: path for path in paths_of(module)}
    assert found["FDRE w8[0] D"] == (2.0, "w1[0]", "FDRE w8[0] D")
    assert found["output out"] == (1.0, "w3[0]", "output out")


def test_a_multiplier_without_registers_counts() -> None:
    module = netlist(
        product=cell("DSP48E1", {"A": 1, "B": 2, "P": 9}, "P", AREG="0", BREG="1", PREG="0"),
    )
    assert {path.end: path.levels for path in paths_of(module)} == {
        "DSP48E1 w9[0] A": 2.0,
        "DSP48E1 w9[0] B": 0.0,
        "output out": 2.0,
    }


def test_a_loop_is_refused() -> None:
    with pytest.raises(CycleError):
        paths_of(netlist(one=cell("LUT1", {"I0": 2, "O": 1}), two=cell("LUT1", {"I0": 1, "O": 2})))
