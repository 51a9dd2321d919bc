# SPDX-License-Identifier: Apache-2.0
"""Boards: one JSON file each in ese_host/boards/data, read by emission, estimate, block design and `check`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal

from ese_host.errors import UnsupportedError


@dataclass(frozen=True)
class Board:
    """A board and the resources of its FPGA.

    Attributes:
        name: name of the board, as users write it.
        family: family of its processing system.
        part: AMD's name of the FPGA.
        board_part: name of Vivado's board file, which holds the processing system's preset.
        clock_mhz: default clock of the engine.
        max_clock_mhz: fastest clock of the engine that is accepted.
        ps_clock_mhz: frequency of the processing system's crystal.
        fabric_clock_mhz: clock that the processing system gives to the clock wizard.
        memory_port_bits: width of the processing system's port through which the DMA reaches the DDR.
        dma_memory_bits: width of the DMA's port to the memory.
        ddr_mib: DDR memory of the processing system in MiB.
        power_rails: names of the power rails that the board measures and pynq can read, the one that feeds all
            others first; empty if it measures none.
        luts: number of LUTs.
        lutram: number of those LUTs that can serve as memory.
        flip_flops: number of flip-flops.
        dsps: number of DSP blocks.
        bram36: number of 36-Kbit block RAMs.
        uram: number of UltraRAM blocks.
    """

    name: str
    family: Literal["zynq-7000", "zynq-ultrascale"]
    part: str
    board_part: str
    clock_mhz: int
    max_clock_mhz: int
    ps_clock_mhz: float
    fabric_clock_mhz: int
    memory_port_bits: int
    dma_memory_bits: int
    ddr_mib: int
    power_rails: tuple[str, ...]
    luts: int
    lutram: int
    flip_flops: int
    dsps: int
    bram36: int
    uram: int


def board_names() -> list[str]:
    """Names of all boards."""
    folder = files("ese_host.boards") / "data"
    return sorted(item.name.removesuffix(".json") for item in folder.iterdir() if item.name.endswith(".json"))


@cache
def load_board(name: str) -> Board:
    """The board of this name.

    Raises:
        UnsupportedError: if there is no such board.
    """
    if name not in board_names():
        raise UnsupportedError(f"board is {name!r}; known boards: {', '.join(board_names())}: choose one of them")
    value = json.loads((files("ese_host.boards") / "data" / f"{name}.json").read_text(encoding="utf-8"))
    return Board(**{**value, "power_rails": tuple(value["power_rails"])})
