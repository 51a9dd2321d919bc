# SPDX-License-Identifier: Apache-2.0
"""Copies of the cells that drive many others, one for each room of the engine, in a netlist of an ECP5.

An engine's enables and orders go to thousands of cells all over the FPGA. Yosys makes one cell drive all of them, and
merges registers that the source has once in each PE. nextpnr takes the netlist as it is, whereas commercial tools copy
such cells. A copy has the same inputs and parameters as the cell that it is made of, so that both hold the same value.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

COPIED = ("TRELLIS_FF", "LUT4")
"""Cells that are copied, registers first: the copy of a register has an enable, which is copied after it."""
CLOCKS = ("CLK", "CLKA", "CLKB", "WCK")
COPY = ".copy_"
"""Stands in the name of a copy."""
LIMIT = 64
"""Inputs that one cell drives before it is copied."""
DEPTH = 3
"""Levels of the hierarchy that name a room."""

Json = dict[str, Any]


def room_of(cell: str) -> str:
    """The room in which a cell lies, by its name."""
    return ".".join(cell.split(".")[:-1][:DEPTH])


def spread(module: Json, limit: int = LIMIT) -> int:
    """Copy cells in place, so that each room has its own one, and return how many copies were made.

    Args:
        module: the netlist in the form of Yosys's `write_json`, without hierarchy.
        limit: the most inputs that a cell drives without being copied.
    """
    cells: Json = module["cells"]
    fresh = 1 + max(bit for cell in cells.values() for bits in cell["connections"].values() for bit in _wires(bits))
    made = 0
    for kind in COPIED:
        loads = _loads(cells)
        for name, cell in [item for item in cells.items() if item[1]["type"] == kind]:
            (port,) = (port for port, way in cell["port_directions"].items() if way == "output")
            driven = loads[cell["connections"][port][0]]
            rooms: dict[str, list[tuple[list[Any], int]]] = defaultdict(list)
            for room, bits, place in driven:
                rooms[room].append((bits, place))
            if len(driven) <= limit or len(rooms) == 1:
                continue
            rooms.pop(room_of(name), None)
            for room, places in rooms.items():
                connections = {pin: list(bits) for pin, bits in cell["connections"].items()}
                connections[port] = [fresh]
                cells[f"{room}{COPY}{fresh}_of_{name}"] = {**cell, "connections": connections}
                for bits, place in places:
                    bits[place] = fresh
                fresh, made = fresh + 1, made + 1
    return made


def _loads(cells: Json) -> dict[Any, list[tuple[str, list[Any], int]]]:
    """The inputs that each wire drives: the room of the cell, the connection, and the place in it."""
    loads: dict[Any, list[tuple[str, list[Any], int]]] = defaultdict(list)
    for name, cell in cells.items():
        for port, bits in cell["connections"].items():
            if cell["port_directions"][port] == "input" and port not in CLOCKS:
                for place, bit in enumerate(bits):
                    if isinstance(bit, int):
                        loads[bit].append((room_of(name), bits, place))
    return loads


def _wires(bits: list[Any]) -> list[int]:
    """The wires of a connection, without its constants."""
    return [bit for bit in bits if isinstance(bit, int)]
