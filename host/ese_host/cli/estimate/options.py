# SPDX-License-Identifier: Apache-2.0
"""Options of `ese4ml estimate`, and what its help says of all estimates."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any, Literal

import click

from ese_host.boards import board_names
from ese_host.cli.options import AS_JSON, renamed
from ese_host.cli.paths import WritablePath
from ese_host.image import MAX_PES, WINDOWS
from ese_host.ir import ESTIMATED, WEIGHT_KINDS

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


def together(*options: Callable[[Function], Function]) -> Callable[[Function], Function]:
    """Several options as one decorator, in the order of the help."""
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
BY_SIZES = together(
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
FORMATS = together(
    click.option("--hard", is_flag=True, help="Hard activations, which need no table."),
    click.option("--exact-output", is_flag=True, help="No output quantizer: each output value takes two words."),
)
