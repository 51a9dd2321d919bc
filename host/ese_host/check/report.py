# SPDX-License-Identifier: Apache-2.0
"""The files of a check's report: report.json, and a report.html that needs no other file."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from ese_host.check.basis import MARKS
from ese_host.estimate import NAMES
from ese_host.estimate.cycles import CAUSES
from ese_host.files import templates, write_together

JSON_NAME, HTML_NAME = "report.json", "report.html"
UNBALANCED = "magnitude (unbalanced)"
SECTIONS = {
    "accuracy": "accuracy",
    "outputs": "accuracy",
    "phones": "phones",
    "entries_per_pe": "entries",
    "chains": "chains",
    "host_seconds": "chains",
    "cycles_by_cause": "cycles",
    "bytes_by_cause": "bytes",
    "energy_by_cause": "energy",
    "step_timeline": "step",
    "boards": "boards",
    "session": "session",
}
"""The sections of the page, by the figures that they show."""
MOST_CLASSES = 12
"""Most classes whose confusion matrix is shown whole; of more, only as many of the worst are listed."""
HALF = 9
"""Most classes whose confusion matrix fits half of a wide page."""
SHORT = 3
"""Most letters of a class's name above a column of a confusion matrix."""


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
    """The page: what it is, the verdict, the figures with their marks, and a section for each group of them."""
    from ese_host.check.plots import COLOURS, colours, columns, matrix, timeline  # with jinja2, which only a page needs

    masks = _masks(report["entries_per_pe"])
    top = max(max(row["entries"], default=0) for row in masks.values())
    return (
        templates("ese_host.check")
        .get_template("report.html")
        .render(
            report=report,
            date=datetime.fromisoformat(report["date"]),
            marks=MARKS,
            causes=CAUSES,
            masks=masks,
            resources=NAMES,
            sections=_sections(report),
            classified=[_classified(row) for row in report["outputs"] if "classes" in row],
            columns=lambda row, name: columns(row["entries"], max(1, top), name),
            timeline=timeline,
            matrix=matrix,
            numbered=lambda step: [
                (number, (number - 1) % COLOURS + 1, name) for name, number in colours(step["spans"]).items()
            ],
        )
    )


def _sections(report: dict[str, Any]) -> dict[str, str]:
    """The section of the page that shows a figure of several values, by the figure's name, if it has one."""
    shown = {
        "accuracy": bool(report["accuracy"]),
        "outputs": bool(report["accuracy"]) or any("classes" in row for row in report["outputs"]),
        "phones": "phones" in report,
        "chains": len(report["chains"]) > 1,
        "host_seconds": len(report["chains"]) > 1,
        "energy_by_cause": bool(report["energy_by_cause"]),
        "step_timeline": bool(report["step_timeline"]),
    }
    return {name: section for name, section in SECTIONS.items() if shown.get(name, True)}


def _masks(entries: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Entries of each PE by family of masks, those of the design first."""
    rows = {"this design": {"entries": entries["total"], "iterations": entries["iterations"]}, **entries["masks"]}
    return {UNBALANCED if name == "magnitude" else name: row for name, row in rows.items()}


def _classified(output: dict[str, Any]) -> dict[str, Any]:
    """The confusion matrix of an output, or the worst of its classes if there are many.

    The columns of a matrix have the names of their classes if these are short, and otherwise numbers, which the rows
    then have beside the names.
    """
    classes = output["classes"]
    names = {str(row["class"]): row["name"] for row in classes}
    table = {"output": output["output"], "classes": len(classes), "heads": [], "wide": False}
    if len(classes) > MOST_CLASSES:
        labelled = [_class_row(row, names) for row in classes if row["samples"]]
        return {**table, "rows": sorted(labelled, key=lambda row: (row["accuracy"], -row["samples"]))[:MOST_CLASSES]}
    short = all(len(name) <= SHORT for name in names.values())
    rows = []
    for row in classes:
        number = str(row["class"])
        told = {**row["taken_for"], number: row["right"]}
        cells = [{"count": told.get(other, 0), "right": other == number} for other in names]
        head = row["name"] if short or row["name"] == number else f"{number} {row['name']}"
        rows.append({**_class_row(row, names), "head": head, "cells": cells})
    heads = list(names.values() if short else names)
    return {**table, "heads": heads, "wide": not short or len(heads) > HALF, "rows": rows}


def _class_row(row: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    """A class with its accuracy, and with the class that it is most often taken for, if there is one."""
    most = max(row["taken_for"], key=lambda number: row["taken_for"][number], default=None)
    return {
        "name": row["name"],
        "samples": row["samples"],
        "accuracy": row["right"] / row["samples"] if row["samples"] else None,
        "taken_for": f"{names[most]} ({row['taken_for'][most]:,})" if most is not None else "",
    }
