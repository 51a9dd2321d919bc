# SPDX-License-Identifier: Apache-2.0
"""The commands `ese4ml emit`, `ese4ml build`, `ese4ml rebuild` and `ese4ml pack`."""

from __future__ import annotations

import contextlib
import json
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from ese_host.boards import board_names
from ese_host.bundle import BIT, description
from ese_host.cli import AS_JSON, FOLDER, INPUT_FILE, MODEL_FILE, NEW_FOLDER, is_quiet, note, renamed, say
from ese_host.device import recorded
from ese_host.files import check_target
from ese_host.image import Mode
from ese_host.ir import WEIGHT_KINDS, WeightKind
from ese_host.tensorflow_startup import quiet_tensorflow

if TYPE_CHECKING:
    from ese_hls.build import Emulator
    from ese_hls.encode import Storage
    from ese_host.bundle import FlowName, Manifest


@click.command()
@click.argument("model", type=MODEL_FILE)
@click.option(
    "--out", required=True, type=NEW_FOLDER, help="Folder for the project; an earlier project there is replaced."
)
@click.option("--pes", type=int, help="Number of PEs.  [default: as the masks were made for, else by size]")
@click.option("--gap-bits", type=int, help="Bits of the relative index.  [default: as the masks were made for, else 5]")
@click.option("--acc-banks", type=int, help="Accumulators per row: 1, 2 or 4.  [default: as few as the scales allow]")
@click.option(
    "--cells-per-cycle",
    type=int,
    help="Element-wise units: 1 or 2.  [default: 2; 1 if the number of PEs is odd, or with --flow rtl]",
)
@click.option(
    "--flow",
    default="hls",
    show_default=True,
    type=click.Choice(["hls", "rtl"]),
    help="hls: the engine for a board is C++, for Vitis HLS. rtl: it is Verilog, and needs Vivado only.",
)
@click.option(
    "--board",
    default="pynq-z2",
    show_default=True,
    type=click.Choice(board_names()),
    help="Board that the design is for.",
)
@click.option("--clock-mhz", type=int, help="Clock in MHz.  [default: the board's]")
@click.option(
    "--mode",
    default="stream",
    show_default=True,
    type=click.Choice(["stream", "skip"]),
    help="stream: every activation is multiplied (ESE). skip: only those that are not zero or have changed (EIE).",
)
@click.option("--fifo-depth", default=8, show_default=True, help="Columns that the FIFO of a PE holds, in skip mode.")
@click.option(
    "--weight-code",
    type=click.Choice([*WEIGHT_KINDS]),
    help="How the engine stores a weight.  [default: the narrowest code that holds every weight of the model]",
)
@renamed("--weights", "--weight-code")
@click.option(
    "--storage",
    default="auto",
    show_default=True,
    type=click.Choice(["auto", "sparse", "full"]),
    help="sparse: matrices without their zeros. full: with every weight and no gaps. auto: each the cheaper way.",
)
@click.option(
    "--window",
    type=int,
    help="Columns of the activation window, a power of two from 8 to 256, in stream mode; 0: none.  "
    "[default: 0; with --flow rtl 64 from 16 PEs on]",
)
@click.option(
    "--test",
    type=INPUT_FILE,
    help="An .npz file for the test set of the design, with samples `x_test` and labels `y_test`, or else `x` and `y`.",
)
@click.option(
    "--calibration",
    type=INPUT_FILE,
    help="An .npz file with samples `x`, or an .npy file, by which formats are chosen.",
)
@click.option(
    "--classes",
    help="Names of classes, separated by commas, or @FILE with one a line.  [default: those of the training data]",
)
@click.option(
    "--scaling",
    type=INPUT_FILE,
    help="An .npz file with `mean` and `deviation` of recorded values.  [default: those of the training data]",
)
@click.option("--self-check", type=click.IntRange(min=0), help="Samples that the self-check runs; 0 turns it off.")
@click.option("--strict", is_flag=True, help="Refuse a conversion that loses values, instead of warning.")
@AS_JSON
def emit(
    model: Path,
    out: Path,
    pes: int | None,
    gap_bits: int | None,
    acc_banks: int | None,
    cells_per_cycle: int | None,
    flow: FlowName,
    board: str,
    clock_mhz: int | None,
    mode: Mode,
    fifo_depth: int,
    weight_code: WeightKind | None,
    storage: Storage,
    window: int | None,
    test: Path | None,
    calibration: Path | None,
    classes: str | None,
    scaling: Path | None,
    self_check: int | None,
    strict: bool,
    as_json: bool,
) -> None:
    """Convert MODEL (a .keras file) through hls4ml with backend ESE, and emit a project."""
    check_target(out, description.NAME)
    with quiet_tensorflow():
        from ese_hls.backend import emit as run
        from ese_hls.backend import names_from
        from ese_hls.warnings import ConversionWarning

    options = {
        "pes": pes,
        "gap_bits": gap_bits,
        "acc_banks": acc_banks,
        "cells_per_cycle": cells_per_cycle,
        "board": board,
        "clock_mhz": clock_mhz,
        "mode": mode,
        "fifo_depth": fifo_depth,
        "weights": weight_code,
        "storage": storage,
        "self_check": self_check,
        "strict": strict,
        "flow": flow,
        "window": window,
    }
    names = None if classes is None else names_from(classes)
    with warnings.catch_warnings():
        # they are printed below, without the lines of source that Python would add
        warnings.simplefilter("ignore", ConversionWarning)
        project, conversion = run(
            model, out, options, test=test, calibration=calibration, classes=names, scaling=scaling
        )
    if as_json or is_quiet():
        for warning in conversion.summary.warnings:
            say(f"warning: {warning}", err=True)
    described = project.description
    if as_json:
        _print({"project": str(out), **{key: value for key, value in described.items() if key != "design"}})
        return
    note(str(conversion))
    design = f"design {described['design_id']}, {project.design.pes} PEs"
    say(f"{design}, image {described['image_id']}: project in {out}")


@click.command()
@click.argument("project", type=FOLDER)
@click.option("--out", type=NEW_FOLDER, help="Design folder to make, e.g. bitstreams/<name>; not with vitis or bambu.")
@click.option(
    "--with",
    "tool",
    type=click.Choice(["g++", "verilator", "vitis", "vivado", "bambu"]),
    help="Tool that builds it.  [default: g++; verilator for a project of --flow rtl]",
)
@click.option(
    "--step",
    "steps",
    multiple=True,
    type=click.Choice(["reset", "csim", "synth", "cosim", "export", "vsynth"]),
    help="Step of Vitis HLS to run; may be repeated.  [default: synth, cosim, export]",
)
@click.option(
    "--timeout",
    default=86400,
    show_default=True,
    type=click.FloatRange(0, min_open=True),
    help="Seconds that Vitis HLS, Vivado or Bambu may take.",
)
@AS_JSON
def build(
    project: Path, out: Path | None, tool: str | None, steps: tuple[str, ...], timeout: float, as_json: bool
) -> None:
    """Build an emitted PROJECT: emulated bitstream, IP core (vitis), bitstream (vivado), proof in RTL (bambu).

    An emulated bitstream is compiled of the engine's C++ with g++, or of its RTL with verilator, which simulates every
    clock.
    """
    if tool == "vitis":
        from ese_hls.build import NAME, build_project

        chosen = set(steps or ("synth", "cosim", "export"))
        flags = {step: step in chosen for step in ("reset", "csim", "synth", "cosim", "export", "vsynth")}
        report = build_project(project, **flags, timeout=timeout)
        if as_json:
            _print({"project": str(project), **report.to_json()})
        else:
            say(f"{report}\nfigures in {project / NAME}, logs beside it: {', '.join(report.logs)}")
        return
    if tool == "bambu":
        from ese_hls.build import bambu
        from ese_hls.project import Project

        proof = bambu.build_project(Project.open(project), timeout=timeout)
        if as_json:
            _print({"project": str(project), **proof.to_json()})
        else:
            say(f"{proof}\nfigures in {project / bambu.REPORT}, log {project / bambu.FOLDER / bambu.LOG}")
        return
    if out is None:
        with_tool = "" if tool is None else f" with {tool}"
        raise click.UsageError(f"--out is needed{with_tool}: the design folder to make, e.g. --out bitstreams/ternary")
    from ese_hls.build import build_bitstream, build_emulated

    figures = None
    if tool == "vivado":
        manifest, figures = build_bitstream(project, out, timeout=timeout)
    else:
        with _progress() as progress:
            manifest = build_emulated(project, out, cast("Emulator | None", tool), progress)
    if as_json:
        plain = {key: value for key, value in manifest.to_json().items() if key != "design"}
        _print({"out": str(out), **plain, **({} if figures is None else {"figures": figures.to_json()})})
    else:
        _say_built(manifest, out)
        if figures is not None:
            say(str(figures))


@click.command()
@click.argument("folder", type=FOLDER)
@click.option("--out", required=True, type=NEW_FOLDER, help="Design folder to make; an earlier one there is replaced.")
@AS_JSON
def pack(folder: Path, out: Path, as_json: bool) -> None:
    """Copy the design folder FOLDER with its images Huffman-coded; the host decodes an image when it loads it."""
    from ese_hls.build import pack_folder

    sizes = pack_folder(folder, out)
    if as_json:
        _print({"out": str(out), "image_bytes": sizes})
    else:
        say(f"images of {sizes['plain']:,} bytes stored in {sizes['stored']:,}: {out}")


@click.command()
@click.argument("folder", type=FOLDER)
@AS_JSON
def rebuild(folder: Path, as_json: bool) -> None:
    """Compile the emulated bitstream of the design FOLDER again, from the installed sources.

    This is for a folder that somebody else made, or that was made on a machine of another kind: nothing of it is run.
    """
    from ese_hls.build import rebuild as run

    with _progress() as progress:
        manifest = run(folder, progress)
    if as_json:
        _print({"out": str(folder), "files": manifest.files, "tools": manifest.tools})
    else:
        _say_built(manifest, folder)


def _say_built(manifest: Manifest, out: Path) -> None:
    """Say what was built, and whether it can be loaded without --trust."""
    emulated = manifest.kind == "emulated"
    of = " of the RTL" if manifest.engine == "rtl" else ""
    kind = f"emulated bitstream{of} (it runs on this machine only)" if emulated else "bitstream"
    say(f"{kind} of design {manifest.design.design_id:#010x} for {manifest.board} in {out}")
    if emulated and not recorded(manifest.files[BIT]):
        say(
            "this user's record of builds cannot be written, so `ese4ml run` and `ese4ml check` will need --trust to "
            "load it: set XDG_STATE_HOME to a folder that can be written"
        )


@contextlib.contextmanager
def _progress() -> Iterator[Callable[[str], None]]:
    """A function that shows how far a long build is, in one line on a terminal; elsewhere, or if quiet, not at all."""
    shown = False

    def say_progress(text: str) -> None:
        nonlocal shown
        if sys.stderr.isatty() and not is_quiet():
            click.echo(f"\r\033[K{text}", err=True, nl=False)
            shown = True

    try:
        yield say_progress
    finally:
        if shown:
            click.echo("\r\033[K", err=True, nl=False)


def _print(value: dict[str, Any]) -> None:
    say(json.dumps(value, indent=2, sort_keys=True))
