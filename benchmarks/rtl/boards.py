# SPDX-License-Identifier: Apache-2.0
"""The fastest design of ESE's layer for each board, in HLS and in RTL, by the estimate's search. Writes boards.md.

    python -m benchmarks.rtl.boards

It takes seconds, and no other tool.
"""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

from benchmarks.page import filled, write
from ese_host.boards import Board, board_names, load_board
from ese_host.estimate import DesignOptions, Pruning, Subject, estimate, recorded_counts
from ese_host.estimate.cycles import MODELS, Engine
from ese_host.estimate.search import HEADROOM, MIN_REACH, search
from ese_host.image import MAX_PES
from ese_host.ir import WeightKind
from ese_rtl.count.cases import ESE_LAYER

PAGE = Path(__file__).resolve().parents[2] / "docs" / "results" / "boards.md"
DENSITY = 0.1
KINDS: tuple[WeightKind, ...] = ("ternary", "int4")
SUBJECT = Subject("ESE's layer", sum(matrix.weights for matrix in ESE_LAYER.matrices()))


def boards() -> list[tuple[str, Board]]:
    """The boards that a search tells apart, each with the names of all boards that have its FPGA and its clock."""
    alike: dict[tuple[str, int], list[Board]] = {}
    for board in map(load_board, board_names()):
        alike.setdefault((board.part, board.clock_mhz), []).append(board)
    return [(", ".join(board.name for board in group), group[0]) for group in alike.values()]


def fastest(board: Board, kind: WeightKind, engine: Engine) -> dict[str, Any]:
    """The estimate of the fastest design that fits a board at its default clock.

    Args:
        board: the board.
        kind: kind of the weights.
        engine: the engine in HLS (csrc) or in RTL.
    """
    found = search([ESE_LAYER], Pruning(DENSITY, kind=kind), DesignOptions(1, 1, board.clock_mhz), board, None, engine)
    return estimate(SUBJECT, found.timed, found.design, board, engine=engine)


def page() -> str:
    """The text of docs/results/boards.md."""
    rows = [
        {"names": names, "found": fastest(board, kind, engine)}
        for (names, board), kind, engine in product(boards(), KINDS, MODELS)
    ]
    return filled(
        Path(__file__).with_suffix(".md.jinja"),
        rows=rows,
        layer=ESE_LAYER,
        density=DENSITY,
        most_pes=MAX_PES,
        reach=MIN_REACH,
        free=1 - HEADROOM["luts"],
        counted=max(record.design.pes for record in recorded_counts().values()),
    )


if __name__ == "__main__":
    write(PAGE, page())
