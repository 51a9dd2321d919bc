# SPDX-License-Identifier: Apache-2.0
"""Reading what Yosys reports on a module that it has mapped to the cells of a 7-series FPGA."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ese_host.estimate import Count

LUTRAM = {
    "RAM32X1S": 1,
    "RAM64X1S": 1,
    "RAM128X1S": 2,
    "RAM256X1S": 4,
    "RAM32X1D": 2,
    "RAM64X1D": 2,
    "RAM128X1D": 4,
    "RAM256X1D": 8,
    "RAM32M": 4,
    "RAM64M": 4,
}
"""LUTs of each LUTRAM primitive."""
LUTS = re.compile(r"LUT[1-6]")
"""LUTs of logic."""
SRL = ("SRL16E", "SRLC32E")
"""Shift registers, one LUT each."""
_CELL = re.compile(r"^\s+(\d+)\s+([A-Z]\w+)\s*$", re.MULTILINE)
_LOGIC = re.compile(r"Estimated number of LCs:\s+(\d+)")


def cells_of(report: str) -> tuple[int, dict[str, int]]:
    """Read the report of `stat -tech xilinx`.

    Returns:
        The estimated number of LUTs after pairing, and the number of cells by name.

    Raises:
        ValueError: if the report has no such estimate.
    """
    logic = _LOGIC.search(report)
    if logic is None:
        raise ValueError("the report has no 'Estimated number of LCs'; it must be one of Yosys's `stat -tech xilinx`")
    return int(logic.group(1)), {name: int(number) for number, name in _CELL.findall(report)}


def unpaired(cells: Mapping[str, int]) -> int:
    """LUTs of logic among cells, if none are paired."""
    return sum(number for name, number in cells.items() if LUTS.fullmatch(name))


def count_of(logic: int, cells: Mapping[str, int], levels: float) -> Count:
    """Add up the cells of a module.

    Args:
        logic: the estimated number of LUTs after pairing.
        cells: number of cells by name.
        levels: of logic between two registers, at most.

    Raises:
        ValueError: if there is a LUTRAM of unknown size.
    """
    memories = {name: number for name, number in cells.items() if re.match(r"RAM\d", name)}
    if unknown := sorted(set(memories) - set(LUTRAM)):
        raise ValueError(f"the report has {', '.join(unknown)}, whose LUTs are not known: add them to the table LUTRAM")
    return Count(
        logic=logic,
        lutram=sum(number * LUTRAM[name] for name, number in memories.items()),
        srl=sum(cells.get(name, 0) for name in SRL),
        flip_flops=sum(number for name, number in cells.items() if re.fullmatch(r"FD[RSCP]E(_1)?", name)),
        ramb18=cells.get("RAMB18E1", 0),
        ramb36=cells.get("RAMB36E1", 0),
        dsps=cells.get("DSP48E1", 0),
        carry4=cells.get("CARRY4", 0),
        muxf=cells.get("MUXF7", 0) + cells.get("MUXF8", 0),
        unpaired=unpaired(cells),
        levels=levels,
    )
