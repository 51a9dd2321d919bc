# SPDX-License-Identifier: Apache-2.0
"""`ese4ml estimate --html`: the page, and the command line that its estimates have in common."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from ese_host.cli.progress import progress

if TYPE_CHECKING:
    from ese_host.estimate import DesignOptions, Pruning
    from ese_host.estimate.cycles import Engine
    from ese_host.image import LayerSize

VARIED = {"density", "weight_code", "pes", "gap_bits", "cells_per_cycle", "engine", "board", "clock_mhz"}
"""Parameters that the page sets itself."""
NOT_SHOWN = {"html", "as_json", "steps", "search"}
"""Parameters that change no figure of the page."""


def write(
    path: Path,
    name: str,
    layers: Mapping[str, LayerSize],
    pruning: Pruning,
    options: DesignOptions,
    gap_bits: int | None,
    engine: Engine,
    board: str,
    clock_mhz: int | None,
) -> None:
    """Write the page.

    Args:
        path: the file.
        name: the layers in words.
        layers: their sizes by their names, in the order of computation.
        pruning: what the page shows at first; mask family, seed and window are those of all estimates.
        options: what the page shows at first; banks and activations are those of all estimates.
        gap_bits: bits of the gap field of all estimates; None for enough of them.
        engine: the engine that the page shows at first.
        board: the board that the page shows at first.
        clock_mhz: the clock that the page shows at first; None for the board's.
    """
    from ese_host.estimate import explorer
    from ese_host.files import write_file

    with progress("explore") as step:
        grid = explorer.grid_of(name, layers, pruning, options, gap_bits, step)
    view = {
        "engine": engine,
        "units": options.cells_per_cycle,
        "code": pruning.kind,
        "density": pruning.density,
        "pes": options.pes,
        "board": board,
        "clock": clock_mhz,
    }
    fixed = {
        "Gap field": f"{gap_bits} bits" if gap_bits else "enough for 2.5 mean distances of kept weights",
        "Masks": f"{pruning.masks}, seed {pruning.seed}",
        "Activations": "hard" if options.hard else "smooth",
        "Accumulators per row": str(options.acc_banks),
        "Activation window": f"{pruning.window} columns" if pruning.window else "none",
    }
    write_file(path, explorer.html(grid, _common(click.get_current_context()), view, fixed))


def _common(context: click.Context) -> str:
    """The command line without what the page sets: the layer's sizes, and the options given that change an estimate."""
    words = ["ese4ml", "estimate", str(context.info_name)]
    for parameter in context.command.params:
        value: Any = context.params.get(parameter.name or "")
        given = context.get_parameter_source(parameter.name or "") is ParameterSource.COMMANDLINE
        if given and parameter.name not in VARIED | NOT_SHOWN and parameter.name in context.params:
            name = [] if isinstance(parameter, click.Argument) else [parameter.opts[0]]
            words += name if value is True else [*name, str(value)]
    return shlex.join(words)
