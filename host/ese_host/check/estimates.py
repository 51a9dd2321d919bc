"""Figures of a check's report from the estimator: energy of a step by cause, and the boards that hold the design."""

from __future__ import annotations

from typing import Any

from ese_host.boards import board_names, load_board
from ese_host.estimate import energy_of, of_image, over, percentages, use
from ese_host.image import Design, Image

BASIS = {
    "energy_by_cause": (
        "modelled",
        "pJ per step by the 45 nm table of Song Han's talk, b bits as b / 32 of an access; no clock tree, no leakage",
    ),
    "boards": (
        "modelled",
        "block RAM, LUTRAM, DSP counted from csrc; LUT and FF modelled, no vendor synthesis",
    ),
}


def energy_by_cause(image: Image, design: Design, dense_weights: int) -> dict[str, float]:
    """Energy of a step in the steady state in pJ, by cause; empty in skip mode, where it depends on the data.

    Args:
        image: the encoded network.
        design: the design that the image is for.
        dense_weights: number of weights before pruning.
    """
    if design.mode == "skip":
        return {}
    return energy_of(of_image(image, design).step(), dense_weights, design).parts


def boards(design: Design) -> dict[str, dict[str, Any]]:
    """For each board: its part, whether the design fits, what it lacks, and the share of each resource in percent."""
    result = {}
    for name in board_names():
        board = load_board(name)
        resources = use(design, board)
        lacking = over(resources)
        result[name] = {"part": board.part, "fits": not lacking, "over": lacking, "percent": percentages(resources)}
    return result
