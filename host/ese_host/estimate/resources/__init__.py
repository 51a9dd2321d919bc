# SPDX-License-Identifier: Apache-2.0
"""Block RAM, LUTs, flip-flops and DSPs that a design takes of a board, as the engine in HLS (csrc) or in RTL."""

from __future__ import annotations

from ese_host.boards import Board
from ese_host.estimate.cycles import Engine
from ese_host.estimate.memories import memories_of
from ese_host.estimate.resources import hls, rtl
from ese_host.estimate.resources.budget import NAMES, ResourceUse, over, percentages
from ese_host.estimate.resources.counts import Count, Recorded
from ese_host.estimate.resources.counts import read as recorded_counts
from ese_host.estimate.resources.counts import write as record_counts
from ese_host.estimate.resources.hls import drain_luts, multiplier
from ese_host.image import Design

__all__ = [
    "NAMES",
    "Count",
    "Recorded",
    "ResourceUse",
    "basis",
    "bits_by_cause",
    "drain_luts",
    "luts_upper",
    "multiplier",
    "over",
    "percentages",
    "record_counts",
    "recorded_counts",
    "use",
]


def use(design: Design, board: Board, engine: Engine = "hls") -> dict[str, ResourceUse]:
    """Use of each resource of the board by the design, by the names in `NAMES`.

    Args:
        design: the design.
        board: the board.
        engine: the engine in HLS (csrc) or in RTL.
    """
    return rtl.use(design, board) if engine == "rtl" else hls.use(design, board)


def basis(design: Design, engine: Engine = "hls") -> dict[str, str]:
    """How each of the figures of `use` is found, by the same names.

    Args:
        design: the design.
        engine: the engine in HLS (csrc) or in RTL.
    """
    return rtl.basis(design) if engine == "rtl" else hls.BASIS


def luts_upper(resources: dict[str, ResourceUse], design: Design, engine: Engine = "hls") -> float:
    """Upper count of LUTs: none is paired with another.

    Args:
        resources: what `use` has found.
        design: the design.
        engine: the engine in HLS (csrc) or in RTL.
    """
    return rtl.luts_upper(resources, design) if engine == "rtl" else hls.luts_upper(resources)


def bits_by_cause(design: Design, engine: Engine = "hls") -> dict[str, int]:
    """Bits that each memory holds, by cause.

    Args:
        design: the design.
        engine: the engine in HLS (csrc) or in RTL.
    """
    return {m.cause: m.capacity for m in (rtl.memories_of if engine == "rtl" else memories_of)(design)}
