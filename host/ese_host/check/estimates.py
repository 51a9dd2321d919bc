"""What a check's report takes from the estimator: energy of a step by cause, and the boards that hold the design."""

from __future__ import annotations

from typing import Any

from ese_host.boards import board_names, load_board
from ese_host.estimate import energy_of, of_image, over, percentages, use
from ese_host.image import Design, Image

BASIS = {
    "energy_by_cause": (
        "modelled",
        "pJ a steady step by the 45 nm table of the talk, b bits as b / 32 of an access; no clock tree, no leakage",
    ),
    "boards": (
        "modelled",
        "block RAM, LUTRAM, DSP counted from csrc; LUT and FF modelled, no vendor synthesis",
    ),
}


def energy_by_cause(image: Image, design: Design, dense_weights: int) -> dict[str, float]:
    """Energy of a steady step in pJ; nothing in skip mode, where it depends on the data."""
    if design.mode == "skip":
        return {}
    return energy_of(of_image(image, design).step(), dense_weights, design).parts


def boards(design: Design) -> dict[str, dict[str, Any]]:
    """Of each board: its part, whether the design fits, what is over, and the share of each resource in percent."""
    result = {}
    for name in board_names():
        board = load_board(name)
        uses = use(design, board)
        lacking = over(uses)
        result[name] = {"part": board.part, "fits": not lacking, "over": lacking, "percent": percentages(uses)}
    return result
