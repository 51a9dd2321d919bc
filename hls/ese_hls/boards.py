"""Boards: one JSON data file each, in ese_host/boards, shared with the host."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.resources import files

from ese_host.errors import UnsupportedError


@dataclass(frozen=True)
class Board:
    """A board and what its programmable logic offers.

    Attributes:
        name: as users write it. part: AMD's part name. board_part: Vivado's board file.
        clock_mhz: clock the engine is built for unless told otherwise.
        bram36, luts, flip_flops, dsps: what there is in all.
    """

    name: str
    part: str
    board_part: str
    clock_mhz: int
    bram36: int
    luts: int
    flip_flops: int
    dsps: int


def board_names() -> list[str]:
    """Names of all boards."""
    folder = files("ese_host") / "boards"
    return sorted(item.name.removesuffix(".json") for item in folder.iterdir() if item.name.endswith(".json"))


def load_board(name: str) -> Board:
    """The board of that name.

    Raises:
        UnsupportedError: there is none.
    """
    if name not in board_names():
        raise UnsupportedError(f"board is {name!r}; known boards: {', '.join(board_names())}: choose one of them")
    text = (files("ese_host") / "boards" / f"{name}.json").read_text(encoding="utf-8")
    return Board(**json.loads(text))
