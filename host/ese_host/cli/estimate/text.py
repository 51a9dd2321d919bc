# SPDX-License-Identifier: Apache-2.0
"""An estimate as text for a terminal."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import click

from ese_host.cli.output import say
from ese_host.cli.verbosity import note
from ese_host.errors import ExitCode
from ese_host.estimate import NAMES

BAR = 24
"""Characters of a full bar."""


ENGINES = {"hls": "engine in HLS", "rtl": "engine in RTL"}


def text(estimate: Mapping[str, Any], rtl: Mapping[str, Any] | None = None) -> str:
    """An estimate, as `ese_host.estimate.estimate` returns it, as tables for a terminal.

    Args:
        estimate: the estimate.
        rtl: that of the engine in RTL, of which only the main figures are shown.
    """
    lines = [
        f"{estimate['subject']}",
        f"{ENGINES[estimate['engine']]}: {estimate['weights']} weights, {_sizes(estimate)}; "
        f"{estimate['board']} ({estimate['part']}) at {estimate['clock_mhz']} MHz, one stream",
        "",
        *_time(estimate),
        "",
        "Cycles per step, by cause (modelled)",
        *_shares(estimate["cycles_by_cause"], estimate["cycles_per_step"]),
        "",
        "Resources",
        *_resources(estimate["resources"], estimate["percent"]),
        "",
        "BRAM36 by cause",
        *_shares(estimate["resources"]["bram36"]["parts"], estimate["resources"]["bram36"]["used"]),
        "",
        "LUT by cause",
        *_shares(estimate["resources"]["luts"]["parts"], estimate["resources"]["luts"]["used"]),
        "",
        "LUTRAM by cause",
        *_shares(estimate["resources"]["lutram"]["parts"], estimate["resources"]["lutram"]["used"]),
        "",
        "Energy per step, pJ (modelled, 45 nm table)",
        *_energy(estimate["energy_pj"]),
        "",
        *(f"- {sentence}" for sentence in estimate["assumed"]),
        "",
        *_verdict(estimate),
        *(_beside(rtl) if rtl else ()),
    ]
    return "\n".join(lines)


def _sizes(estimate: Mapping[str, Any]) -> str:
    """The sizes of a design that a search chooses."""
    return (
        f"{estimate['gap_bits']}-bit gaps, {estimate['pes']} PEs, "
        f"{'one cell' if estimate['cells_per_cycle'] == 1 else 'two cells'} per cycle"
    )


def _time(estimate: Mapping[str, Any]) -> Iterable[str]:
    sequence = estimate["sequence"]
    partly = estimate["nonzero_weights"] != estimate["kept_weights"]
    rows = [
        ("cycles per step", f"{estimate['cycles_per_step']:,.1f}"),
        ("latency per step", f"{estimate['latency_us']:,.2f} us"),
        ("frames per second", f"{estimate['frames_per_s']:,.0f}"),
        (f"sequence of {sequence['steps']}", f"{sequence['cycles']:,} cycles, {sequence['latency_us']:,.1f} us"),
        (
            "utilisation",
            f"{100 * estimate['utilisation']:.1f}% of the step, "
            f"{100 * estimate['matvec_utilisation']:.1f}% of the matrices",
        ),
        (
            "weights",
            f"{estimate['kept_weights']:,} of {estimate['dense_weights']:,} ({100 * estimate['density']:.1f}%)"
            + f", {estimate['nonzero_weights']:,} of them used in every step" * partly,
        ),
        (
            "GOP/s",
            f"{estimate['effective_gops']:.2f} effective, {estimate['dense_equivalent_gops']:.2f} dense-equivalent",
        ),
    ]
    return (f"  {name:<18} {value}" for name, value in rows)


def _shares(parts: Mapping[str, float], total: float) -> Iterable[str]:
    for name, value in sorted(parts.items(), key=lambda part: -part[1]):
        if value:
            share = value / total if total else 0.0
            yield f"  {name:<36} {_number(value):>12} {100 * share:5.1f}%  {'#' * round(BAR * share)}"


def _resources(resources: Mapping[str, Any], percent: Mapping[str, float]) -> Iterable[str]:
    for name, resource in resources.items():
        share = percent[name]
        filled = min(BAR, round(BAR * share / 100))
        bar = "#" * filled + "." * (BAR - filled)
        basis = resource["basis"].partition(":")[0]
        mark = "" if share <= 100 else "  OVER"
        used = f"{_number(resource['used']):>9} of {resource['budget']:>8,} {share:6.1f}%"
        yield f"  {NAMES[name]:<7} {used}  [{bar}] {basis}{mark}"


def _energy(energy: Mapping[str, Any]) -> Iterable[str]:
    yield from _shares(energy["parts"], energy["total"])
    yield f"  {'all':<36} {_number(energy['total']):>12}"
    yield f"  {'the same weights from DRAM':<36} {_number(energy['same_weights_from_dram']):>12}"
    yield f"  {'dense float32 weights from DRAM':<36} {_number(energy['dense_float32_from_dram']):>12}"


def _verdict(estimate: Mapping[str, Any]) -> Iterable[str]:
    if estimate["fits"]:
        yield f"fits {estimate['board']}"
        return
    yield f"does NOT fit {estimate['board']}:"
    for sentence in estimate["over"]:
        yield f"  {sentence}"


def _beside(estimate: Mapping[str, Any]) -> Iterable[str]:
    yield from ("", f"The {ENGINES[estimate['engine']]}: {_sizes(estimate)} (all of it: --engine rtl)")
    yield from list(_time(estimate))[:2]
    yield from _resources(estimate["resources"], estimate["percent"])
    yield from (f"  {line}" for line in _verdict(estimate))


def _number(value: float) -> str:
    return f"{value:,.0f}" if float(value).is_integer() or value >= 1000 else f"{value:,.1f}"


def show(estimates: dict[str, Any], as_json: bool, page: Path | None = None) -> None:
    """Print the first estimate, of which one of the engine in RTL that comes after it is part, and the page's path.

    The exit code is that of a difference if the design does not fit the board.

    Args:
        estimates: estimates by their engine.
        as_json: whether JSON is printed.
        page: file of a page that was written; None for none.
    """
    value, *others = estimates.values()
    rtl = others[0] if others else None
    if as_json:
        say(json.dumps({**value, "rtl": rtl} if rtl else value, indent=2))
    else:
        say(text(value, rtl))
        if page:
            note(f"\npage: {page}")
    if not value["fits"]:
        click.get_current_context().exit(ExitCode.DIFFERS)
