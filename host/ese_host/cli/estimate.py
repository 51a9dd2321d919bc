# SPDX-License-Identifier: Apache-2.0
"""The command `ese4ml estimate`."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from ese_host.boards import board_names, load_board
from ese_host.cli import explore
from ese_host.cli.options import AS_JSON, FOLDER, renamed
from ese_host.cli.output import say
from ese_host.cli.paths import INPUT_FILE, MODEL_FILE, WritablePath
from ese_host.cli.verbosity import note
from ese_host.errors import ExitCode
from ese_host.image import MAX_PES, WINDOWS
from ese_host.ir import ESTIMATED, WEIGHT_KINDS

if TYPE_CHECKING:
    from ese_host.estimate import Encoded
    from ese_host.image import LayerSize

ASSUMES = """Assumptions.

\b
Time     The engine's schedule, iteration by iteration (equal to its own counter), at
         one iteration per clock cycle, for one stream and a step of a long sequence.
         Outputs leave the engine at every step unless --last-only is given.
Masks    gap-aware: every PE keeps round(density x weights / PEs), and no entry is
         padding, so that the counts are exact. They are modelled for pe-balanced and
         magnitude masks, and if the rows of a PE do not fill a power of two and the
         gap field cannot bridge the rest: the kept weights are then the largest of
         independent random weights (--seed). Trained weights are less balanced.
Formats  16-bit activations; smooth sigmoid and tanh from the table unless --hard is
         given; one scale per row shared by all matrices (one accumulator bank)
         unless --acc-banks is given; accumulators of 24 bits for ternary, of 24 more
         than the code for int4 to int16, of 36 for codebook4.
Memory   Block RAM, LUTRAM and DSP are counted from the engine's arrays and products
         and the primitives' widths. The AXI DMA is assumed to take 3 BRAM36 and 400
         LUTs as LUTRAM.
Logic    LUT and FF are modelled, those of the element-wise units after what an open
         HLS compiler made of an earlier engine (docs/results/parts.md), with no vendor synthesis
         behind them.
Energy   The 45 nm table of Song Han's talk; an access of b bits costs b / 32 of a
         32-bit one; no clock tree, routing or leakage.
Search   1 to 256 PEs, 1 or 2 cells per cycle, and all gap widths that bridge 2.5 mean
         distances of kept weights, at the given clock; in RTL also designs with a
         window of 64 columns. The result is the fastest design that leaves 5% of LUT
         and FF free, and of equally fast ones the one with less block RAM. Each
         engine has a search and a result of its own.
Engines  The engine in HLS has two element-wise units by default, and so has the one in
         RTL with a window; without one it has one unit. Resources of the engine in RTL
         are counted by Yosys for the designs of docs/explanation/rtl-engine.md, and for
         others modelled after these counts.

Exit code: 0 if the design fits the board (of both engines: the one in HLS), 1 if it does
not, 2 if the input is refused.
"""
Function = Callable[..., Any]
Engines = Literal["hls", "rtl", "both"]


def _options(*options: Callable[[Function], Function]) -> Callable[[Function], Function]:
    return lambda function: reduce(lambda inner, option: option(inner), reversed(options), function)


BOARD = click.option(
    "--board", default="pynq-z2", show_default=True, type=click.Choice(board_names()), help="Target board."
)
CLOCK = click.option("--clock-mhz", type=click.IntRange(1), help="Clock in MHz.  [default: the board's]")
ENGINE = click.option(
    "--engine",
    default="both",
    show_default=True,
    type=click.Choice(["hls", "rtl", "both"]),
    help="Engine in HLS, in RTL, or all of HLS and the main figures of RTL.",
)
STEPS = click.option(
    "--steps",
    default=1,
    show_default=True,
    type=click.IntRange(1, 65535),
    help="Length in frames of a sequence that is timed besides one step.",
)
PES = click.option(
    "--pes",
    type=click.IntRange(1, MAX_PES),
    help="Number of PEs.  [default: as `ese4ml emit` chooses; with --search: all]",
)
GAP_BITS = click.option(
    "--gap-bits",
    type=click.IntRange(2, 12),
    help="Bits of the relative index.  [default: as `ese4ml emit` chooses; with --search: all]",
)
CELLS = click.option(
    "--cells-per-cycle",
    type=click.IntRange(1, 2),
    help="Number of element-wise units.  [default: 2, or 1 for an odd number of PEs; with --search: both]",
)
BANKS = click.option("--acc-banks", type=click.Choice(["1", "2", "4"]), help="Accumulators per row.  [default: 1]")
WINDOW = click.option(
    "--window",
    type=click.Choice([str(columns) for columns in WINDOWS]),
    help="Columns of the activation window, in stream mode; 0: none.  [default: 0; with --search in RTL: 0 and 64]",
)
LAST_ONLY = click.option("--last-only", is_flag=True, help="Outputs leave the engine only after the last step.")
BY_SIZES = _options(
    click.option(
        "--density",
        multiple=True,
        type=float,
        default=(0.1,),
        show_default=True,
        help="Share of weights kept, 0 to 1; once, or for each matrix (kernel, recurrent, projection or candidate).",
    ),
    click.option("--masks", default="gap-aware", show_default=True, type=click.Choice(ESTIMATED), help="Mask family."),
    click.option(
        "--weight-code",
        default="ternary",
        show_default=True,
        type=click.Choice([*WEIGHT_KINDS]),
        help="How the engine stores a weight.",
    ),
    renamed("--weights", "--weight-code"),
    PES,
    GAP_BITS,
    CELLS,
    BANKS,
    WINDOW,
    click.option("--hard", is_flag=True, help="Hard activations, which need no table."),
    click.option("--exact-output", is_flag=True, help="No output quantizer: each output value takes two words."),
    ENGINE,
    BOARD,
    CLOCK,
    STEPS,
    click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Seed of modelled masks."),
    click.option(
        "--search", is_flag=True, help="Search for the fastest design that fits the board; options given are kept."
    ),
    click.option(
        "--html",
        type=WritablePath(".html"),
        help="Write a page on which PEs, density, weight code, engine and board are explored; it needs no network.",
    ),
    AS_JSON,
)


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
@BY_SIZES
def lstm(
    inputs: int, units: int, projection: int, peepholes: bool, last_only: bool, exact_output: bool, **options: Any
) -> None:
    """Estimate an LSTM layer by its sizes."""
    from ese_host.image import LstmSize

    layer = LstmSize(inputs, units, projection, peepholes, not last_only, not exact_output)
    with_projection = f", projected to {projection}" if projection else ""
    with_peepholes = ", peepholes" if peepholes else ""
    _by_sizes(layer, f"LSTM of {units} cells on {inputs} inputs{with_projection}{with_peepholes}", **options)


@estimate.command(epilog=ASSUMES)
@click.option("--inputs", required=True, type=click.IntRange(1), help="Width of the input.")
@click.option("--units", required=True, type=click.IntRange(1), help="Number of GRU cells.")
@click.option(
    "--reset-before", is_flag=True, help="r multiplies h before the candidate's matrix (Keras: reset_after=False)."
)
@LAST_ONLY
@BY_SIZES
def gru(inputs: int, units: int, reset_before: bool, last_only: bool, exact_output: bool, **options: Any) -> None:
    """Estimate a GRU layer by its sizes."""
    from ese_host.image import GruSize

    layer = GruSize(inputs, units, not reset_before, not last_only, not exact_output)
    form = ", reset before the matrix" if reset_before else ""
    _by_sizes(layer, f"GRU of {units} cells on {inputs} inputs{form}", **options)


@estimate.command(epilog=ASSUMES)
@click.option("--inputs", required=True, type=click.IntRange(1), help="Width of the input.")
@click.option("--outputs", required=True, type=click.IntRange(1), help="Width of the output.")
@BY_SIZES
def dense(inputs: int, outputs: int, exact_output: bool, **options: Any) -> None:
    """Estimate a fully connected layer by its sizes, in stream mode: every activation is used."""
    from ese_host.image import DenseSize

    _by_sizes(DenseSize(inputs, outputs, not exact_output), f"Dense of {outputs} outputs on {inputs} inputs", **options)


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
    from ese_host.estimate import emitted, most_units

    group = ctx.find_root().command
    command = group.get_command(ctx, "emit") if isinstance(group, click.Group) else None
    if command is None:
        raise click.UsageError("`ese4ml emit` is not installed: pip install 'ese4ml[hls]'")
    emit = command
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
    options.append("--quiet")
    with emitted(
        lambda arguments: emit.main(arguments, prog_name="emit", standalone_mode=False), file, options
    ) as encoded:
        _encoded(encoded, board, engine, clock_mhz, steps, as_json, file.name)


def _by_sizes(
    layer: LayerSize,
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
    from ese_host.estimate import DesignOptions, Pruning, SizedLayer, enough_pes, most_units, sized
    from ese_host.estimate import search as searching

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

    def of(kind: Literal["hls", "rtl"]) -> SizedLayer:
        """The layer on its design of one engine."""
        if search:
            ranges = searching.SearchRange.of(
                kind, pes=pes, gap_bits=gap_bits, cells_per_cycle=cells_per_cycle, window=columns
            )
            best = searching.search([layer], given, options_of(pes or 1, kind), target, ranges, kind)
            found = f"searched: {best.tried} designs; this one is the fastest that fits, or the nearest to fitting"
            return sized(name, layer, best.pruning, best.options, kind, searched=(found,))
        options = options_of(pes, kind) if pes else enough_pes([layer], given, lambda n: options_of(n, kind))
        return sized(name, layer, given, options, kind)

    kinds: tuple[Literal["hls", "rtl"], ...] = ("hls", "rtl") if engine == "both" else (engine,)
    layers = {kind: of(kind) for kind in kinds}
    if html:
        shown = layers[kinds[0]]
        options = options_of(shown.design.pes, kinds[0])
        explore.write(html, name, layer, given, options, gap_bits, shown.engine, board, clock_mhz)
    _print({kind: sized_layer.estimate(target, steps) for kind, sized_layer in layers.items()}, as_json, html)


def _encoded(
    encoded: Encoded,
    board: str | None,
    engine: Engines,
    clock_mhz: int | None,
    steps: int,
    as_json: bool,
    name: str | None = None,
) -> None:
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
    _print(estimates, as_json)


def _print(estimates: dict[str, Any], as_json: bool, page: Path | None = None) -> None:
    """Print the first estimate, of which one of the engine in RTL that comes after it is part, and the page's path."""
    from ese_host.cli import estimate_text

    value, *others = estimates.values()
    rtl = others[0] if others else None
    if as_json:
        say(json.dumps({**value, "rtl": rtl} if rtl else value, indent=2))
    else:
        say(estimate_text.text(value, rtl))
        if page:
            note(f"\npage: {page}")
    if not value["fits"]:
        click.get_current_context().exit(ExitCode.DIFFERS)
