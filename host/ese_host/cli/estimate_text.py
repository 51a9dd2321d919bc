"""An estimate as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ese_host.estimate import NAMES

BAR = 24


def text(estimate: Mapping[str, Any]) -> str:
    """All of an estimate, in tables."""
    e = estimate
    lines = [
        f"{e['subject']}",
        f"{e['weights']} weights, {e['gap_bits']}-bit gaps, {e['pes']} PEs, {e['cells_per_cycle']} cells a cycle; "
        f"{e['board']} ({e['part']}) at {e['clock_mhz']} MHz, one stream",
        "",
        *_time(e),
        "",
        "Cycles a step, by cause (modelled)",
        *_shares(e["cycles_by_cause"], e["cycles_per_step"]),
        "",
        "Resources",
        *_resources(e["resources"], e["percent"]),
        "",
        "BRAM36 by cause",
        *_shares(e["resources"]["bram36"]["parts"], e["resources"]["bram36"]["used"]),
        "",
        "LUT by cause",
        *_shares(e["resources"]["luts"]["parts"], e["resources"]["luts"]["used"]),
        "",
        "LUTRAM by cause",
        *_shares(e["resources"]["lutram"]["parts"], e["resources"]["lutram"]["used"]),
        "",
        "Energy a step, pJ (modelled, 45 nm table)",
        *_energy(e["energy_pj"]),
        "",
        *(f"- {sentence}" for sentence in e["assumed"]),
        "",
        *_verdict(e),
    ]
    return "\n".join(lines)


def _time(e: Mapping[str, Any]) -> Iterable[str]:
    sequence = e["sequence"]
    rows = [
        ("cycles a step", f"{e['cycles_per_step']:,.1f}"),
        ("latency a step", f"{e['latency_us']:,.2f} us"),
        ("frames a second", f"{e['frames_per_s']:,.0f}"),
        (f"sequence of {sequence['steps']}", f"{sequence['cycles']:,} cycles, {sequence['latency_us']:,.1f} us"),
        (
            "utilisation",
            f"{100 * e['utilisation']:.1f}% of the step, {100 * e['matvec_utilisation']:.1f}% of the matrices",
        ),
        ("weights", f"{e['nonzero_weights']:,} of {e['dense_weights']:,} ({100 * e['density']:.1f}%)"),
        ("GOP/s", f"{e['effective_gops']:.2f} effective, {e['dense_equivalent_gops']:.2f} dense-equivalent"),
    ]
    return (f"  {name:<18} {value}" for name, value in rows)


def _shares(parts: Mapping[str, float], total: float) -> Iterable[str]:
    for name, value in sorted(parts.items(), key=lambda part: -part[1]):
        if value:
            share = value / total if total else 0.0
            yield f"  {name:<36} {_number(value):>12} {100 * share:5.1f}%  {'#' * round(BAR * share)}"


def _resources(resources: Mapping[str, Any], percent: Mapping[str, float]) -> Iterable[str]:
    for name, item in resources.items():
        share = percent[name]
        filled = min(BAR, round(BAR * share / 100))
        bar = "#" * filled + "." * (BAR - filled)
        kind = item["basis"].partition(":")[0]
        mark = "" if share <= 100 else "  OVER"
        used = f"{_number(item['used']):>9} of {item['budget']:>8,} {share:6.1f}%"
        yield f"  {NAMES[name]:<7} {used}  [{bar}] {kind}{mark}"


def _energy(energy: Mapping[str, Any]) -> Iterable[str]:
    yield from _shares(energy["parts"], energy["total"])
    yield f"  {'all':<36} {_number(energy['total']):>12}"
    yield f"  {'the same weights from DRAM alone':<36} {_number(energy['same_weights_from_dram']):>12}"
    yield f"  {'dense float32 weights from DRAM alone':<36} {_number(energy['dense_float32_from_dram']):>12}"


def _verdict(e: Mapping[str, Any]) -> Iterable[str]:
    if e["fits"]:
        yield f"fits {e['board']}"
        return
    yield f"does NOT fit {e['board']}:"
    for sentence in e["over"]:
        yield f"  {sentence}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if float(value).is_integer() or value >= 1000 else f"{value:,.1f}"
