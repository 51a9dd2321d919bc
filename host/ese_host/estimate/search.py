"""The fastest design that fits a board: PEs, gap bits and units, all tried, the hopeless ones by a bound."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ese_host.boards import Board
from ese_host.errors import CapacityError, UnsupportedError
from ese_host.estimate.design_choice import DesignOptions, design_of
from ese_host.estimate.masks import MatrixEntries, Pruning, least_work
from ese_host.estimate.resources import ResourceUse, percentages, use
from ese_host.estimate.timing import TimedNetwork, planned, timed_of, works_of
from ese_host.image import Design, LayerSize, StepPlan

MIN_REACH = 2.5
"""A gap-aware mask is tried where the gap field passes at least this many mean distances of kept weights; at ESE's
layer and 10% 5 bits pass 3.1 and keep 98% of the magnitude, 4 bits 1.5 and 90%."""
HEADROOM = {"luts": 0.95, "flip_flops": 0.95}
"""Share of a board that a search may fill: what is modelled keeps some free."""


@dataclass(frozen=True)
class SearchRange:
    """What is tried; one value each where the user has given it."""

    pes: Sequence[int] = range(1, 129)
    gap_bits: Sequence[int] = range(2, 13)
    cells_per_cycle: Sequence[int] = (1, 2)


@dataclass(frozen=True, eq=False)
class Candidate:
    """A candidate: its choices, design, time and entries; `tried`: designs that were looked at."""

    pruning: Pruning
    choices: DesignOptions
    design: Design
    timed: TimedNetwork
    works: list[MatrixEntries]
    cycles: float
    tried: int = 0


def search(
    layers: Sequence[LayerSize],
    pruning: Pruning,
    choices: DesignOptions,
    board: Board,
    tried: SearchRange | None = None,
) -> Candidate:
    """The fastest design that fits; of equal ones the one with less block RAM, then the wider gap.

    Where none fits: the one that comes nearest, by its scarcest resource.

    Raises:
        UnsupportedError: no design has memories for the layers at all.
    """
    plan = planned(layers)
    hopeful: list[tuple[float, float, int, Pruning, DesignOptions]] = []
    nearest: tuple[float, Pruning, DesignOptions] | None = None
    count = 0
    times: dict[tuple[int, int], float] = {}
    for one_pruning, one_choices in _candidates(pruning, choices, tried or SearchRange()):
        works = works_of(plan, one_pruning, one_choices.pes, least_work)
        if pruning.balance.no_padding and min(work.reach for work in works) < _least_reach(tried):
            continue
        try:
            design = design_of(plan, works, one_pruning, one_choices)
        except CapacityError:
            continue
        count += 1
        uses = use(design, board)
        if not _fits(uses):
            scarcest = max(percentages(uses).values())
            if nearest is None or scarcest < nearest[0]:
                nearest = (scarcest, one_pruning, one_choices)
            continue
        key = (one_choices.pes, one_choices.cells_per_cycle)
        if key not in times:
            times[key] = timed_of(plan, works, one_choices.cells_per_cycle).step().cycles
        hopeful.append((times[key], uses["bram36"].used, -one_pruning.gap_bits, one_pruning, one_choices))
    best: Candidate | None = None
    for bound, _, _, one_pruning, one_choices in sorted(hopeful, key=lambda item: item[:3]):
        if best is not None and bound >= best.cycles:
            break
        found = _found(plan, one_pruning, one_choices)
        if (best is None or found.cycles < best.cycles) and _fits(use(found.design, board)):
            best = found
    if best is None and nearest is not None:
        best = _found(plan, nearest[1], nearest[2])
    if best is None:
        raise UnsupportedError(
            "no design with 1 to 128 PEs, an even number with 2 cells a cycle, has memories for these layers: prune "
            "more, or give --gap-bits and --pes"
        )
    return replace(best, tried=count)


def _candidates(
    pruning: Pruning, choices: DesignOptions, tried: SearchRange
) -> Iterator[tuple[Pruning, DesignOptions]]:
    for pes in tried.pes:
        for units in tried.cells_per_cycle:
            if pes % units:
                continue
            for gap_bits in tried.gap_bits:
                yield replace(pruning, gap_bits=gap_bits), replace(choices, pes=pes, cells_per_cycle=units)


def _fits(uses: dict[str, ResourceUse]) -> bool:
    return all(item.used <= HEADROOM.get(name, 1.0) * item.budget for name, item in uses.items())


def _least_reach(tried: SearchRange | None) -> float:
    """A gap width that the user has chosen is taken as it is."""
    return 0.0 if tried is not None and len(tried.gap_bits) == 1 else MIN_REACH


def _found(plan: StepPlan, pruning: Pruning, choices: DesignOptions) -> Candidate:
    works = works_of(plan, pruning, choices.pes)
    design = design_of(plan, works, pruning, choices)
    timed = timed_of(plan, works, choices.cells_per_cycle)
    return Candidate(pruning, choices, design, timed, works, timed.step().cycles)
