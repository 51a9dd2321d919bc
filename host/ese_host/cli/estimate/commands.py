# SPDX-License-Identifier: Apache-2.0
"""The command `ese4ml estimate` and what stands below it."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from ese_host.boards import board_names, load_board
from ese_host.cli.estimate.by_sizes import by_sizes
from ese_host.cli.estimate.options import (
    ASSUMES,
    BANKS,
    BOARD,
    BY_SIZES,
    CELLS,
    CLOCK,
    ENGINE,
    FORMATS,
    GAP_BITS,
    LAST_ONLY,
    PES,
    STEPS,
    WINDOW,
    Engines,
)
from ese_host.cli.options import AS_JSON, FOLDER
from ese_host.cli.paths import INPUT_FILE, MODEL_FILE, MODEL_OR_FOLDER

if TYPE_CHECKING:
    from ese_host.estimate import Encoded


@click.group(epilog=ASSUMES)
def estimate() -> None:
    """Estimate time, resources and energy before any synthesis; no figure is measured."""


@estimate.command(epilog=ASSUMES)
@click.option("--inputs", required=True, type=click.IntRange(1), help="Width of the input.")
@click.option("--units", required=True, type=click.IntRange(1), help="Number of LSTM cells.")
@click.option(
    "--projection", default=0, type=click.IntRange(0), help="Width of the projected output; 0 for no projection."
)
@click.option("--peepholes", is_flag=True, help="Peephole weights; the engine has memory for them in any case.")
@LAST_ONLY
@FORMATS
@BY_SIZES
def lstm(
    inputs: int, units: int, projection: int, peepholes: bool, last_only: bool, exact_output: bool, **options: Any
) -> None:
    """Estimate an LSTM layer by its sizes."""
    from ese_host.image import LstmSize

    layer = LstmSize(inputs, units, projection, peepholes, not last_only, not exact_output)
    with_projection = f", projected to {projection}" if projection else ""
    with_peepholes = ", peepholes" if peepholes else ""
    name = f"LSTM of {units} cells on {inputs} inputs{with_projection}{with_peepholes}"
    by_sizes({name: layer}, name, **options)


@estimate.command(epilog=ASSUMES)
@click.option("--inputs", required=True, type=click.IntRange(1), help="Width of the input.")
@click.option("--units", required=True, type=click.IntRange(1), help="Number of GRU cells.")
@click.option(
    "--reset-before", is_flag=True, help="r multiplies h before the candidate's matrix (Keras: reset_after=False)."
)
@LAST_ONLY
@FORMATS
@BY_SIZES
def gru(inputs: int, units: int, reset_before: bool, last_only: bool, exact_output: bool, **options: Any) -> None:
    """Estimate a GRU layer by its sizes."""
    from ese_host.image import GruSize

    layer = GruSize(inputs, units, not reset_before, not last_only, not exact_output)
    form = ", reset before the matrix" if reset_before else ""
    name = f"GRU of {units} cells on {inputs} inputs{form}"
    by_sizes({name: layer}, name, **options)


@estimate.command(epilog=ASSUMES)
@click.option("--inputs", required=True, type=click.IntRange(1), help="Width of the input.")
@click.option("--outputs", required=True, type=click.IntRange(1), help="Width of the output.")
@FORMATS
@BY_SIZES
def dense(inputs: int, outputs: int, exact_output: bool, **options: Any) -> None:
    """Estimate a fully connected layer by its sizes, in stream mode: every activation is used."""
    from ese_host.image import DenseSize

    name = f"Dense of {outputs} outputs on {inputs} inputs"
    by_sizes({name: DenseSize(inputs, outputs, not exact_output)}, name, **options)


@estimate.command(epilog=ASSUMES)
@click.argument("folder", type=FOLDER)
@click.option(
    "--image", "other", type=INPUT_FILE, help="Another image of the same design, of a network of the same sizes."
)
@click.option("--board", type=click.Choice(board_names()), help="Target board.  [default: the folder's]")
@ENGINE
@CLOCK
@STEPS
@AS_JSON
def image(
    folder: Path,
    other: Path | None,
    board: str | None,
    engine: Engines,
    clock_mhz: int | None,
    steps: int,
    as_json: bool,
) -> None:
    """Estimate an encoded network in FOLDER, a design (bitstreams/<design>) or an emitted project."""
    from ese_host.estimate import read_folder

    _encoded(read_folder(folder, other), board, engine, clock_mhz, steps, as_json)


@estimate.command(epilog=ASSUMES)
@click.argument("file", type=MODEL_FILE)
@PES
@GAP_BITS
@CELLS
@BANKS
@WINDOW
@ENGINE
@BOARD
@CLOCK
@STEPS
@AS_JSON
@click.pass_context
def model(
    ctx: click.Context,
    file: Path,
    pes: int | None,
    gap_bits: int | None,
    cells_per_cycle: int | None,
    acc_banks: str | None,
    window: str | None,
    engine: Engines,
    board: str,
    clock_mhz: int | None,
    steps: int,
    as_json: bool,
) -> None:
    """Estimate a Keras model FILE (.keras) by emitting it first; needs the 'hls' extra."""
    from ese_host.estimate import most_units

    values = {
        "--pes": pes,
        "--gap-bits": gap_bits,
        "--cells-per-cycle": cells_per_cycle or (most_units(engine, int(window or 0)) if engine == "rtl" else None),
        "--acc-banks": acc_banks,
        "--window": window,
        "--board": board,
        "--clock-mhz": clock_mhz,
    }
    options = [text for name, value in values.items() if value is not None for text in (name, str(value))]
    with _emitted(ctx, file, options) as encoded:
        _encoded(encoded, board, engine, clock_mhz, steps, as_json, file.name)


@estimate.command(epilog=ASSUMES)
@click.argument("source", type=MODEL_OR_FOLDER)
@BY_SIZES
@click.pass_context
def network(ctx: click.Context, /, source: Path, density: tuple[float, ...], **options: Any) -> None:
    """Estimate the layers of SOURCE by their sizes, whatever weights they have.

    SOURCE is a design folder, an emitted project, or a Keras model (.keras), which needs the 'hls' extra. With --search
    or --html it tells which design and board a network needs, before it is pruned.
    """
    from ese_host.errors import UnsupportedError
    from ese_host.estimate import read_folder

    with nullcontext(read_folder(source)) if source.is_dir() else _emitted(ctx, source, []) as encoded:
        layers, design = encoded.layers, encoded.design
    if design.mode == "skip":
        raise UnsupportedError(
            f"{source} runs in skip mode, whose time depends on the data; only stream mode is estimated by sizes: emit "
            "the model in stream mode"
        )
    hard = all(function.hard for formats in design.sets for function in (formats.gate, formats.cell))
    by_sizes(layers, f"{source.name}: {', '.join(layers)}", density=density, hard=hard, **options)


def _emitted(ctx: click.Context, model: Path, options: list[str]) -> AbstractContextManager[Encoded]:
    """The encoded network of a Keras model, which `ese4ml emit` writes into a temporary folder."""
    from ese_host.estimate import emitted

    group = ctx.find_root().command
    emit = group.get_command(ctx, "emit") if isinstance(group, click.Group) else None
    if emit is None:
        raise click.UsageError("`ese4ml emit` is not installed: pip install 'ese4ml[hls]'")
    command = emit
    return emitted(
        lambda words: command.main(words, prog_name="emit", standalone_mode=False), model, [*options, "--quiet"]
    )


def _encoded(
    encoded: Encoded,
    board: str | None,
    engine: Engines,
    clock_mhz: int | None,
    steps: int,
    as_json: bool,
    name: str | None = None,
) -> None:
    from ese_host.cli.estimate.text import show
    from ese_host.estimate import estimate_encoded

    target = load_board(board or encoded.board)
    design = encoded.design if clock_mhz is None else replace(encoded.design, clock_mhz=clock_mhz)

    def of(kind: Literal["hls", "rtl"]) -> dict[str, Any]:
        """The estimate of one engine."""
        return estimate_encoded(encoded, design, target, steps, kind, name)

    estimates = {}
    if engine != "rtl":
        estimates["hls"] = of("hls")
    if engine == "rtl" or (engine == "both" and design.cells_per_cycle == 1):
        estimates["rtl"] = of("rtl")
    show(estimates, as_json)
