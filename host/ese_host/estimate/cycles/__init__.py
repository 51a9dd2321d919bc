# SPDX-License-Identifier: Apache-2.0
"""Cycle models: the schedules of both engines, in HLS (csrc) and in RTL; each equals its engine's own counter."""

from __future__ import annotations

from typing import Literal

from ese_host.estimate.cycles.hls import HlsCycleModel
from ese_host.estimate.cycles.rtl import RtlCycleModel
from ese_host.estimate.cycles.schedule import CAUSES, LANES, STEADY, Account, CycleModel, PhaseWork, Span
from ese_host.image import Design, Image

__all__ = [
    "CAUSES",
    "LANES",
    "MODELS",
    "STEADY",
    "Account",
    "CycleModel",
    "Engine",
    "PhaseWork",
    "Span",
    "account",
    "most_units",
    "timeline",
]

Engine = Literal["hls", "rtl"]
MODELS: dict[Engine, type[CycleModel]] = {"hls": HlsCycleModel, "rtl": RtlCycleModel}
"""The cycle models by the engine's name."""


def most_units(engine: Engine, window: int) -> int:
    """The most element-wise units that an engine has in stream mode.

    Args:
        engine: the engine in HLS (csrc) or in RTL.
        window: columns of the activation window. Without one, the vector RAMs of the engine in RTL take two elements a
            clock, which is what one unit computes.
    """
    return 1 if engine == "rtl" and not window else 2


def account(
    image: Image, design: Design, steps: int, *, keep: bool = False, trace: bool = False, engine: Engine = "hls"
) -> Account:
    """Cycles of one sequence by cause: modelled, and equal to the engine's own counter.

    Args:
        image: the encoded network.
        design: the design that the image is for.
        steps: number of frames.
        keep: whether the sequence continues from the state of the one before instead of the zero state.
        trace: whether the engine sends a trace of every stage.
        engine: whose cycles are counted: the engine in HLS (csrc) or in RTL.

    Raises:
        UnsupportedError: if the design is in skip mode, where iterations depend on the data.
        FormatError: if a phase waits for an input frame after the last one has been read.
    """
    return MODELS[engine].of_image(image, design).sequence(steps, keep=keep, trace=trace)


def timeline(image: Image, design: Design, *, engine: Engine = "hls") -> tuple[Span, ...]:
    """The work of each part of the engine in a step in the steady state: modelled, by the schedule that `account` runs.

    Args:
        image: the encoded network.
        design: the design that the image is for.
        engine: the engine in HLS (csrc) or in RTL.

    Raises:
        UnsupportedError: as in `account`.
        FormatError: as in `account`.
    """
    return MODELS[engine].of_image(image, design).timeline(STEADY)
