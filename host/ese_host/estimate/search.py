# SPDX-License-Identifier: Apache-2.0
"""Search for the fastest design of either engine that fits a board, over PEs, gap bits, windows and units.

Every combination is sized without padding first. Its cycles are then a lower bound, so that only combinations whose
bound beats the best design so far need their padding counted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

from ese_host.boards import Board
from ese_host.errors import CapacityError, UnsupportedError
from ese_host.estimate.cycles import Engine, most_units
from ese_host.estimate.design_choice import DesignOptions, design_of
from ese_host.estimate.masks import MatrixEntries, Pruning, least_entries
from ese_host.estimate.resources import ResourceUse, percentages, use
from ese_host.estimate.timing import TimedNetwork, entries_of_plan, planned, timed_of
from ese_host.image import GAP_BITS, MAX_PES, USUAL_WINDOW, Design, LayerSize, StepPlan, idle_pes

MIN_REACH = 2.5
"""Least reach of the gap field, in mean distances of kept weights, with which a gap-aware mask is tried.

For ESE's layer at a density of 10%, 5 bits reach 3.1 mean distances and keep 98% of the magnitude, 4 bits reach 1.5 and
keep 90%."""
HEADROOM = {"luts": 0.95, "flip_flops": 0.95}
"""Share of a board's budget that a search may use; of modelled resources some is left free."""


@dataclass(frozen=True)
class SearchRange:
    """Values that a search tries; a single one for a field that the user has chosen.

    Each field is one of `DesignOptions` or `Pruning` of the same name.

    Attributes:
        pes: numbers of processing elements.
        gap_bits: bits of the relative index.
        cells_per_cycle: numbers of element-wise units.
        window: columns of the activation window.
    """

    pes: Sequence[int] = range(1, MAX_PES + 1)
    gap_bits: Sequence[int] = GAP_BITS
    cells_per_cycle: Sequence[int] = (1, 2)
    window: Sequence[int] = (0,)

    @classmethod
    def of(cls, engine: Engine, **chosen: int | None) -> SearchRange:
        """All values that an engine can have.

        Args:
            engine: the engine in HLS (csrc) or in RTL.
            chosen: by the name of a field, the only value to try; None for all values.
        """
        only = {name: (value,) for name, value in chosen.items() if value is not None}
        return replace(cls(window=(0, USUAL_WINDOW) if engine == "rtl" else (0,)), **only)


@dataclass(frozen=True, eq=False)
class Candidate:
    """A design that a search has found.

    Attributes:
        pruning: pruning with the candidate's gap bits and window.
        options: the options that the design was made with.
        design: the design.
        timed: timing of the layers on the design.
        matrices: entries of the matrix of each phase.
        cycles: iterations of a step in the steady state.
        tried: number of designs that the search has sized.
    """

    pruning: Pruning
    options: DesignOptions
    design: Design
    timed: TimedNetwork
    matrices: list[MatrixEntries]
    cycles: float
    tried: int = 0


def search(
    layers: Sequence[LayerSize],
    pruning: Pruning,
    options: DesignOptions,
    board: Board,
    ranges: SearchRange | None = None,
    engine: Engine = "hls",
) -> Candidate:
    """The fastest design that fits; of equally fast ones the one with less block RAM, then the wider gap.

    If none fits, the design whose scarcest resource exceeds the board least.

    Args:
        layers: sizes of the layers in the order of computation.
        pruning: density, mask family and weight codes; gap bits and window are replaced by those of the range.
        options: the design's other options; PEs and element-wise units are replaced by those of the range.
        board: the board that the design shall fit.
        ranges: values to try; all that the engine can have by default. Of several numbers of PEs those are left out
            that leave PEs without rows of the largest layer.
        engine: the engine in HLS (csrc) or in RTL.

    Raises:
        UnsupportedError: if in every design of the range a memory or the reach of the gaps is too small for the layers,
            or if the layers cannot be estimated.
    """
    ranges = ranges or SearchRange.of(engine)
    if (
        len(ranges.pes) > 1
    ):  # a PE without rows keeps no weights, so that such a design would do less than it is asked for
        named = {str(number): layer for number, layer in enumerate(layers)}
        ranges = replace(ranges, pes=[pes for pes in ranges.pes if not idle_pes(named, pes)[0]])
    plans = {window: planned(layers, window) for window in ranges.window}
    fitting: list[tuple[float, float, int, Pruning, DesignOptions]] = []
    nearest: tuple[float, Pruning, DesignOptions] | None = None
    tried = 0
    bounds: dict[tuple[DesignOptions, int], float] = {}
    for candidate_pruning, candidate_options in _combinations(pruning, options, ranges, engine):
        plan = plans[candidate_pruning.window]
        matrices = entries_of_plan(plan, candidate_pruning, candidate_options.pes, least_entries)
        if pruning.balance.no_padding and min(matrix.reach for matrix in matrices) < _least_reach(ranges):
            continue
        try:
            design = design_of(plan, matrices, candidate_pruning, candidate_options)
        except CapacityError:
            continue
        tried += 1
        resources = use(design, board, engine)
        if not _fits(resources):
            scarcest = max(percentages(resources).values())
            if nearest is None or scarcest < nearest[0]:
                nearest = (scarcest, candidate_pruning, candidate_options)
            continue
        kind = candidate_options, candidate_pruning.window
        if kind not in bounds:
            bounds[kind] = _timed(plan, matrices, candidate_options, engine).step().cycles
        fitting.append(
            (
                bounds[kind],
                resources["bram36"].used,
                -candidate_pruning.gap_bits,
                candidate_pruning,
                candidate_options,
            )
        )
    best: Candidate | None = None
    for bound, _, _, candidate_pruning, candidate_options in sorted(fitting, key=lambda item: item[:3]):
        if best is not None and bound >= best.cycles:
            break
        candidate = _candidate(plans[candidate_pruning.window], candidate_pruning, candidate_options, engine)
        if (best is None or candidate.cycles < best.cycles) and _fits(use(candidate.design, board, engine)):
            best = candidate
    if best is None and nearest is not None:
        best = _candidate(plans[nearest[1].window], nearest[1], nearest[2], engine)
    if best is None:
        raise UnsupportedError(
            "no design of the search holds these layers: the memories are too small, or the gaps do not bridge the "
            "distances between kept weights: prune more, or choose the design yourself with --gap-bits and --pes"
        )
    return replace(best, tried=tried)


def _combinations(
    pruning: Pruning, options: DesignOptions, ranges: SearchRange, engine: Engine
) -> Iterator[tuple[Pruning, DesignOptions]]:
    """Pruning and options of every combination of a range."""
    for pes, bits, units, window in product(ranges.pes, ranges.gap_bits, ranges.cells_per_cycle, ranges.window):
        if pes % units == 0 and units <= most_units(engine, window):
            chosen = replace(options, pes=pes, cells_per_cycle=units)
            yield replace(pruning, gap_bits=bits, window=window), chosen


def _fits(resources: dict[str, ResourceUse]) -> bool:
    return all(resource.used <= HEADROOM.get(name, 1.0) * resource.budget for name, resource in resources.items())


def _least_reach(ranges: SearchRange) -> float:
    """Least reach of the gap field with which a design is tried; none if the user has chosen the gap bits."""
    return 0.0 if len(ranges.gap_bits) == 1 else MIN_REACH


def _timed(plan: StepPlan, matrices: Sequence[MatrixEntries], options: DesignOptions, engine: Engine) -> TimedNetwork:
    return timed_of(plan, matrices, options.cells_per_cycle, engine, options.acc_banks)


def _candidate(plan: StepPlan, pruning: Pruning, options: DesignOptions, engine: Engine) -> Candidate:
    matrices = entries_of_plan(plan, pruning, options.pes)
    design = design_of(plan, matrices, pruning, options)
    timed = _timed(plan, matrices, options, engine)
    return Candidate(pruning, options, design, timed, matrices, timed.step().cycles)
