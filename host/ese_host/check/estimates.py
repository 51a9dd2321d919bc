# SPDX-License-Identifier: Apache-2.0
"""Figures of a check's report from the estimator: a step's energy and timeline, and the boards that hold it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ese_host.boards import board_names, load_board
from ese_host.estimate import basis, cycles, energy_of, of_image, over, percentages, use
from ese_host.image import Design, Image, Phase
from ese_host.ir import PARTS, Layer

ENERGY_BASIS = (
    "modelled",
    "pJ per step by the 45 nm table of Song Han's talk, b bits as b / 32 of an access; no clock tree, no leakage",
)


def boards_basis(design: Design, engine: cycles.Engine) -> tuple[str, str]:
    """Whether the shares of boards are counted or modelled, and how.

    Args:
        design: the design.
        engine: the engine in HLS (csrc) or in RTL.
    """
    if engine == "hls":
        return "modelled", "block RAM, LUTRAM, DSP counted from csrc; LUT and FF modelled, no vendor synthesis"
    label, _, text = basis(design, engine)["luts"].partition(": ")
    return label, text


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


def matrix_name(layers: Sequence[Layer], phase: Phase) -> str:
    """Name of a phase's matrix: its layer's, and which of the layer's matrices it is."""
    known = phase.layer < len(layers) and phase.part < len(PARTS)
    return f"{layers[phase.layer].name} {PARTS[phase.part]}" if known else f"layer {phase.layer}, part {phase.part}"


def step_timeline(image: Image, design: Design, layers: Sequence[Layer], engine: cycles.Engine) -> dict[str, Any]:
    """The work of each part of the engine in a step in the steady state.

    `busy` are the cycles in which each part works, `overlapped` those of them in which the PEs work too. Each of the
    `spans` has a `part`, the cycles from `begin` to `end`, and the `matrix` that the part works on (`ahead` if that is
    the next step's), or the cause of a `wait`; an input frame has neither.

    Args:
        image: the encoded network.
        design: the design that the image is for.
        layers: the network's layers, whose names are shown.
        engine: the engine in HLS (csrc) or in RTL.
    """
    spans = cycles.timeline(image, design, engine=engine)
    working = [span for span in spans if span.cause is None]
    matrices = [span for span in working if span.lane == "PEs"]
    busy, overlapped = dict.fromkeys(cycles.LANES, 0), dict.fromkeys(cycles.LANES[1:], 0)
    for span in working:
        busy[span.lane] += span.end - span.begin
        if span.lane in overlapped:
            overlapped[span.lane] += sum(max(0, min(span.end, m.end) - max(span.begin, m.begin)) for m in matrices)
    rows = []
    for span in spans:
        row: dict[str, Any] = {"part": span.lane, "begin": span.begin, "end": span.end}
        if span.phase is not None:
            phase = image.phases[span.phase]
            row |= {"matrix": matrix_name(layers, phase), "ahead": phase.has("ahead")}
        elif span.cause is not None:
            row["wait"] = span.cause
        rows.append(row)
    total = max((span.end for span in spans), default=0)
    return {"cycles": total, "busy": busy, "overlapped": overlapped, "spans": rows}


def boards(design: Design, engine: cycles.Engine) -> dict[str, dict[str, Any]]:
    """For each board: its part, whether the design fits, what it lacks, and the share of each resource in percent.

    Args:
        design: the design.
        engine: the engine in HLS (csrc) or in RTL.
    """
    result = {}
    for name in board_names():
        board = load_board(name)
        resources = use(design, board, engine)
        lacking = over(resources)
        result[name] = {"part": board.part, "fits": not lacking, "over": lacking, "percent": percentages(resources)}
    return result
