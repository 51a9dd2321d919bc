# SPDX-License-Identifier: Apache-2.0
"""Estimates of a network's layers over PEs, densities, codes of weights, element-wise units and both engines.

Many points share a timing or the use of a resource. Each of these is listed once, and a point has its number. What does
not fit into a design at all is a point too: the number of the sentence that says why.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

from ese_host.boards import board_names, load_board
from ese_host.errors import EseError
from ese_host.estimate.by_sizes import SizedNetwork, sized
from ese_host.estimate.cycles import CAUSES, Engine, most_units
from ese_host.estimate.design_choice import DesignOptions
from ese_host.estimate.masks import MatrixEntries, Pruning, least_entries
from ese_host.estimate.resources import NAMES, ResourceUse, luts_upper, use
from ese_host.estimate.search import MIN_REACH
from ese_host.estimate.timing import TimedNetwork, planned, timed_of
from ese_host.image import GAP_BITS, LayerSize, StepPlan
from ese_host.ir import WEIGHT_KINDS, WeightKind

PES = (1, 2, 4, 8, 12, 16, 24, 32, 40, 48, 56, 64, 72, 80, 88, 96, 112, 128, 144, 160, 176, 192, 208, 224, 240, 256)
DENSITIES = (0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.125, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.75, 1.0)
ENGINES: tuple[Engine, ...] = ("hls", "rtl")
UNITS = (1, 2)
USUAL_GAP_BITS = 5
FIGURES = ("cycles_per_step", "utilisation", "matvec_utilisation", "nonzero_weights", "padding_entries", "kept_weights")
"""Figures of a timing in a grid, before its cycles by cause."""

Progress = Callable[[int, int], None]


@dataclass
class _Listed:
    """Values, each listed once, and their numbers."""

    numbers: dict[Any, int] = field(default_factory=dict)

    def number(self, value: Any) -> int:
        """The number of a value, which is listed if it is new."""
        return self.numbers.setdefault(value, len(self.numbers))

    def values(self) -> list[Any]:
        """All values by their numbers."""
        return list(self.numbers)


class _Times:
    """Timings of one network, each made once: whatever the weights' codes are, equal entries take equal time."""

    def __init__(self) -> None:
        self.known: dict[Any, TimedNetwork] = {}

    def __call__(
        self, plan: StepPlan, matrices: Sequence[MatrixEntries], units: int, engine: Engine, banks: int
    ) -> TimedNetwork:
        """The timing, as of `timed_of`."""
        entries = tuple(
            (matrix.entries.max(initial=0), matrix.weights.sum(), matrix.padding.sum(), matrix.exact)
            for matrix in matrices
        )
        key = entries, len(matrices[0].entries), units, engine, banks
        if key not in self.known:
            self.known[key] = timed_of(plan, matrices, units, engine, banks)
        return self.known[key]


class _Grid:
    """The points of a grid, and what they share."""

    def __init__(self, name: str, layers: Mapping[str, LayerSize], pruning: Pruning, options: DesignOptions) -> None:
        self.name, self.layers, self.pruning, self.options = name, layers, pruning, options
        boards = [load_board(board) for board in board_names()]
        self.boards = list({board.family: board for board in boards}.values())
        self.texts, self.parts, self.uses, self.times, self.bases = (_Listed() for _ in range(5))
        self.timing = _Times()

    def point(
        self, engine: Engine, units: int, kind: WeightKind, density: Any, pes: int, gap_bits: int
    ) -> int | list[float]:
        """The numbers of a point, or the number of the sentence that refuses it.

        They are: bits of the gap field, number of the timing, energy, numbers of the bases and of what is assumed, and
        for each family of boards the numbers of the uses of its resources and the upper count of LUTs.
        """
        pruning = replace(self.pruning, density=density, kind=kind, gap_bits=gap_bits)
        options = replace(self.options, pes=pes, cells_per_cycle=units)
        try:
            made = sized(self.name, self.layers, pruning, options, engine, timing=self.timing)
        except EseError as error:
            return self.texts.number(str(error))
        return self._numbers(made)

    def _numbers(self, made: SizedNetwork) -> list[float]:
        value = made.estimate(self.boards[0])
        time = (*(value[name] for name in FIGURES), *(value["cycles_by_cause"][cause] for cause in CAUSES))
        basis = tuple(self.texts.number(value["basis"][name]) for name in ("cycles_per_step", "energy_pj", *NAMES))
        numbers = [
            value["gap_bits"],
            self.times.number(time),
            value["energy_pj"]["total"],
            self.bases.number(basis),
            self.bases.number(tuple(map(self.texts.number, made.subject.assumed))),
        ]
        for board in self.boards:
            resources = use(made.design, board, made.engine)
            numbers += [self._use(resources[name]) for name in NAMES]
            numbers.append(round(luts_upper(resources, made.design, made.engine)))
        return numbers

    def _use(self, resource: ResourceUse) -> int:
        names = self.parts.number(tuple(resource.parts))
        return self.uses.number((names, resource.used, *resource.parts.values()))


def enough_gap_bits(layers: Sequence[LayerSize], pruning: Pruning, pes: int) -> int:
    """The least bits of the gap field, from 5 on, that bridge 2.5 mean distances of kept weights; else the most.

    Args:
        layers: sizes of the layers in the order of computation.
        pruning: density, mask family and kind of weights.
        pes: number of processing elements.
    """
    plan = planned(layers)
    for bits in range(USUAL_GAP_BITS, GAP_BITS[-1]):
        tried = replace(pruning, gap_bits=bits)
        reaches = (least_entries(phase.matrix, phase.number, tried, pes).reach for phase in plan.phases)
        if min(reaches) >= MIN_REACH:
            return bits
    return GAP_BITS[-1]


def grid_of(
    name: str,
    layers: Mapping[str, LayerSize],
    pruning: Pruning,
    options: DesignOptions,
    gap_bits: int | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Estimates of a network over all that a user may choose, as plain values for JSON.

    A list `points[engine][units][code][density][pes]` holds a point, or the number of the sentence in `texts` that says
    why there is no design, or None if the engine cannot have so many units.

    Args:
        name: the layers in words.
        layers: their sizes by their names, in the order of computation.
        pruning: mask family, seed and window of all points; a density that is to be among those of the grid.
        options: the fields of the design that all points share; a number of PEs that is to be among those of the grid.
        gap_bits: bits of the gap field of all points; None for enough of them at each point.
        progress: function, if any, that is told the number of points since its last call, and that of all.
    """
    densities: list[Any] = [pruning.density]
    if not isinstance(pruning.density, tuple):
        densities = sorted({*DENSITIES, pruning.density})
    all_pes = sorted({*PES, options.pes})
    made = _Grid(name, layers, pruning, options)
    shape = (len(ENGINES), len(UNITS), len(WEIGHT_KINDS), len(densities), len(all_pes))
    points = _nested(shape)
    # what is drawn at random depends on density and PEs, and is remembered for a while
    for (d, density), (p, pes) in product(enumerate(densities), enumerate(all_pes)):
        for k, kind in enumerate(WEIGHT_KINDS):
            bits = gap_bits or enough_gap_bits(list(layers.values()), replace(pruning, density=density, kind=kind), pes)
            for (e, engine), (u, units) in product(enumerate(ENGINES), enumerate(UNITS)):
                if units <= most_units(engine, pruning.window) and pes % units == 0:
                    points[e][u][k][d][p] = made.point(engine, units, kind, density, pes, bits)
        if progress:
            progress(1, len(densities) * len(all_pes))
    return {
        "name": name,
        "axes": {
            "engine": list(ENGINES),
            "units": list(UNITS),
            "code": list(WEIGHT_KINDS),
            "density": densities,
            "pes": all_pes,
        },
        "boards": _boards(board.family for board in made.boards),
        "resources": NAMES,
        "causes": CAUSES,
        "figures": FIGURES,
        "dense_weights": sum(matrix.weights for layer in layers.values() for matrix in layer.matrices()),
        "texts": made.texts.values(),
        "parts": made.parts.values(),
        "uses": made.uses.values(),
        "times": made.times.values(),
        "bases": made.bases.values(),
        "points": points,
    }


def _nested(shape: Sequence[int]) -> Any:
    """Lists in lists, with None in the innermost."""
    first, *rest = shape
    return [_nested(rest) if rest else None for _ in range(first)]


def _boards(families: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Of each board what a page needs: its part, clocks and budgets, and the number of its family."""
    order = list(families)
    result = {}
    for name in board_names():
        board = load_board(name)
        result[name] = {
            "part": board.part,
            "family": order.index(board.family),
            "clock_mhz": board.clock_mhz,
            "max_clock_mhz": board.max_clock_mhz,
            **{resource: getattr(board, resource) for resource in NAMES},
        }
    return result
