# SPDX-License-Identifier: Apache-2.0
"""Copies of the cells of a netlist that drive many others."""

from typing import Any

import pytest

from benchmarks.rtl.spread import room_of, spread


def cell(kind: str, inputs: dict[str, list[Any]], outputs: dict[str, list[Any]]) -> dict[str, Any]:
    ways = {**dict.fromkeys(inputs, "input"), **dict.fromkeys(outputs, "output")}
    return {"type": kind, "parameters": {}, "port_directions": ways, "connections": {**inputs, **outputs}}


def register(data: Any, out: int, enable: Any = "1") -> dict[str, Any]:
    return cell("TRELLIS_FF", {"CLK": [2], "CE": [enable], "LSR": ["0"], "DI": [data]}, {"Q": [out]})


def netlist() -> dict[str, Any]:
    """A LUT that enables nine registers in three rooms, one of which a register orders to all of them."""
    cells = {
        "core.control.go_LUT4": cell("LUT4", {"A": [3], "B": [4], "C": ["0"], "D": ["x"]}, {"Z": [5]}),
        "core.control.order_TRELLIS_FF": register(3, 6, 5),
    }
    for room in range(3):
        for place in range(3):
            cells[f"core.array.pe_{room}.x{place}_TRELLIS_FF"] = register(6, 10 + 3 * room + place, 5)
    return {"cells": cells}


def sources(module: dict[str, Any]) -> dict[str, Any]:
    """What each cell computes, as a tree of cells without names, which ends at registers' data and at ports."""
    drivers = {
        bit: each
        for each in module["cells"].values()
        for port, bits in each["connections"].items()
        if each["port_directions"][port] == "output"
        for bit in bits
    }

    def tree(each: dict[str, Any]) -> Any:
        inputs = {
            port: [tree(drivers[bit]) if bit in drivers else bit for bit in bits]
            for port, bits in sorted(each["connections"].items())
            if each["port_directions"][port] == "input"
        }
        return each["type"], inputs

    return {name: tree(each) for name, each in module["cells"].items() if ".copy_" not in name}


def test_a_room_is_the_hierarchy_above_a_cell() -> None:
    assert room_of("core.array.pe_3.mac.before9_TRELLIS_FF_Q_4") == "core.array.pe_3"
    assert room_of("core.record_TRELLIS_FF_Q") == "core"


@pytest.mark.parametrize("limit", [2, 64])
def test_copies_compute_what_the_copied_cell_does(limit: int) -> None:
    """The copy of a register is enabled by its own room's copy of the LUT."""
    before, module = sources(netlist()), netlist()
    made = spread(module, limit)
    assert sources(module) == before
    cells = module["cells"]
    copies = [name for name in cells if ".copy_" in name]
    assert len(copies) == made == (6 if limit == 2 else 0)
    if made:
        for room in range(3):
            enables = {
                each["connections"]["CE"][0]
                for name, each in cells.items()
                if room_of(name) == f"core.array.pe_{room}" and each["type"] == "TRELLIS_FF"
            }
            assert len(enables) == 1
        loads = [bit for each in cells.values() for bit in each["connections"].get("CE", [])]
        assert max(loads.count(bit) for bit in loads) == 4  # three registers of a room, and its copy of the order
