"""The files of a check's report: report.json, and a report.html that needs no other file."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ese_host.estimate import NAMES
from ese_host.files import templates, write_together

JSON_NAME, HTML_NAME = "report.json", "report.html"
CHARTS = ("accuracy", "entries", "cycles", "bytes", "energy", "boards", "session")
UNBALANCED = "magnitude (unbalanced)"


def write(report: dict[str, Any], folder: Path) -> list[Path]:
    """Write report.json and report.html, both completely or neither, and return their paths.

    Raises:
        OSError: if they cannot be written; earlier ones are then still there.
        ValueError: if a number is not finite, which JSON cannot say.
    """
    text = json.dumps(report, indent=2, allow_nan=False) + "\n"
    page = html(report)
    data, shown = folder / JSON_NAME, folder / HTML_NAME
    write_together(
        {
            data: lambda part: part.write_text(text, encoding="utf-8"),
            shown: lambda part: part.write_text(page, encoding="utf-8"),
        }
    )
    return [data, shown]


def html(report: dict[str, Any]) -> str:
    """The page: verdict, figures with their basis, tables, and charts of them if pygal is installed."""
    entries = report["entries_per_pe"]
    rows = {"this design": {**entries, "entries": entries["total"]}, **entries["masks"]}
    masks = {UNBALANCED if name == "magnitude" else name: row for name, row in rows.items()}
    plots = _plots(report, masks) if find_spec("pygal") else dict.fromkeys(CHARTS, "")
    return (
        templates("ese_host.check")
        .get_template("report.html")
        .render(report=report, plots=plots, masks=masks, resources=NAMES)
    )


def _session(session: dict[str, Any] | None) -> str:
    """The time of a frame by the number of frames in a packet, or nothing if the model has no session."""
    from ese_host.check.plots import bars

    packets = session["packets"] if session else []
    if not packets:
        return ""
    shares = {name: [packet[f"{name}_us"] / packet["frames"] for packet in packets] for name in ("host", "engine")}
    return bars(shares, [str(packet["frames"]) for packet in packets], "us per frame")


def _plots(report: dict[str, Any], masks: dict[str, Any]) -> dict[str, str]:
    from ese_host.check.plots import bars, levels, shares  # boards do not have pygal

    pes = max(len(row["entries"]) for row in masks.values())
    charts = (
        levels({name: 100 * value for name, value in report["accuracy"].items()}, "%"),
        bars({name: row["entries"] for name, row in masks.items()}, [str(pe) for pe in range(pes)], "entries"),
        shares(report["cycles_by_cause"]),
        shares(report["bytes_by_cause"]),
        shares(report["energy_by_cause"]) if report["energy_by_cause"] else "",
        bars(
            {label: [board["percent"][name] for board in report["boards"].values()] for name, label in NAMES.items()},
            list(report["boards"]),
            "% of the board",
        ),
        _session(report.get("session")),
    )
    return dict(zip(CHARTS, charts, strict=True))
