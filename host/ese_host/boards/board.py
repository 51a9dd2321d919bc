"""Boards: one JSON data file each in ese_host/boards, read by emitter, estimator, block design and `check`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal

from ese_host.errors import UnsupportedError


@dataclass(frozen=True)
class Board:
    """A board and what its programmable logic offers.

    Attributes:
        name: as users write it. family: of its processing system.
        part: AMD's part name. board_part: Vivado's board file, which holds the processing system's preset.
        clock_mhz: clock the engine is built for unless told otherwise. max_clock_mhz: the fastest that is accepted.
        ps_clock_mhz: the processing system's crystal. fabric_clock_mhz: what it gives to the clock wizard.
        memory_port_bits: width of the port through which the DMA reaches the DDR. dma_memory_bits: the DMA's own.
        ddr_mib: memory of the processors.
        power_rails: names of the power rails that the board measures and pynq can read; none where it measures none.
        luts, lutram, flip_flops, dsps, bram36, uram: what there is in all; lutram counts the LUTs usable as memory.
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
    """The board of that name.

    Raises:
        UnsupportedError: there is none.
    """
    if name not in board_names():
        raise UnsupportedError(f"board is {name!r}; known boards: {', '.join(board_names())}: choose one of them")
    value = json.loads((files("ese_host.boards") / "data" / f"{name}.json").read_text(encoding="utf-8"))
    return Board(**{**value, "power_rails": tuple(value["power_rails"])})
