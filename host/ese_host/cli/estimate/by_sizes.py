# SPDX-License-Identifier: Apache-2.0
"""Estimates of layers by their sizes, as `ese4ml estimate` makes and prints them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from ese_host.boards import load_board
from ese_host.cli.estimate import explore
from ese_host.cli.estimate.options import Engines

if TYPE_CHECKING:
    from ese_host.image import LayerSize


def by_sizes(
    layers: Mapping[str, LayerSize],
    name: str,
    *,
    density: tuple[float, ...],
    masks: Any,
    weight_code: Any,
    pes: int | None,
    gap_bits: int | None,
    cells_per_cycle: int | None,
    acc_banks: str | None,
    window: str | None,
    hard: bool,
    engine: Engines,
    board: str,
    clock_mhz: int | None,
    steps: int,
    seed: int,
    search: bool,
    html: Path | None,
    as_json: bool,
) -> None:
    """Estimate layers by their sizes, on a design that is given, chosen or searched for, and print the estimate.

    Args:
        layers: their sizes by their names, in the order of computation.
        name: the layers in words.
        density: share of weights kept: one, or one for each matrix.
        masks: mask family.
        weight_code: kind of weights.
        pes: number of PEs; None for as many as a conversion takes.
        gap_bits: bits of the gap field; None for 5, or with `search` for all.
        cells_per_cycle: number of element-wise units; None for the most.
        acc_banks: accumulators per row; None for 1.
        window: columns of the activation window; None for none, or with `search` for all.
        hard: whether all activations are hard.
        engine: the engine in HLS, in RTL, or both.
        board: name of the board.
        clock_mhz: clock in MHz; None for the board's.
        steps: frames of a sequence that is timed besides one step.
        seed: of modelled masks.
        search: whether the fastest design that fits is looked for.
        html: file of the page on which designs are explored; None for none.
        as_json: whether JSON is printed.
    """
    from ese_host.cli.estimate.text import show
    from ese_host.estimate import DesignOptions, Pruning, SizedNetwork, enough_pes, most_units, sized
    from ese_host.estimate import search as searching

    sizes = list(layers.values())
    columns = None if window is None else int(window)
    any_window = search and window is None
    if engine == "rtl" and (cells_per_cycle or 1) > most_units(engine, columns or 0) and not any_window:
        raise click.UsageError("two element-wise units need a window in RTL: add --window 64, or leave one out")
    if html and search:
        raise click.UsageError("--html shows all designs, and --search looks for one: leave one of them out")
    target = load_board(board)
    densities = density[0] if len(density) == 1 else density
    given = Pruning(densities, masks, weight_code, gap_bits or 5, seed, columns or 0)
    clock = clock_mhz or target.clock_mhz

    def options_of(count: int, kind: Literal["hls", "rtl"]) -> DesignOptions:
        """The user's choices for a number of PEs."""
        units = min(cells_per_cycle or 2 - count % 2, most_units(kind, columns or 0))
        return DesignOptions(count, units, clock, int(acc_banks or 1), hard=hard)

    def of(kind: Literal["hls", "rtl"]) -> SizedNetwork:
        """The layer on its design of one engine."""
        if search:
            ranges = searching.SearchRange.of(
                kind, pes=pes, gap_bits=gap_bits, cells_per_cycle=cells_per_cycle, window=columns
            )
            best = searching.search(sizes, given, options_of(pes or 1, kind), target, ranges, kind)
            found = f"searched: {best.tried} designs; this one is the fastest that fits, or the nearest to fitting"
            return sized(name, layers, best.pruning, best.options, kind, searched=(found,))
        options = options_of(pes, kind) if pes else enough_pes(sizes, given, lambda n: options_of(n, kind))
        return sized(name, layers, given, options, kind)

    kinds: tuple[Literal["hls", "rtl"], ...] = ("hls", "rtl") if engine == "both" else (engine,)
    made = {kind: of(kind) for kind in kinds}
    if html:
        shown = made[kinds[0]]
        options = options_of(shown.design.pes, kinds[0])
        explore.write(html, name, layers, given, options, gap_bits, shown.engine, board, clock_mhz)
    show({kind: network.estimate(target, steps) for kind, network in made.items()}, as_json, html)
