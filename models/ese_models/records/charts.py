# SPDX-License-Identifier: Apache-2.0
"""Charts for docs/figures: self-contained SVG files without scripts; the same numbers give the same file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pygal

from ese_host.files import chart_style, svg_text, write_file

STYLE = chart_style(
    background="#ffffff",
    plot_background="#ffffff",
    foreground="#444444",
    foreground_strong="#111111",
    foreground_subtle="#bbbbbb",
    colors=(
        "#1f77b4",
        "#d98200",
        "#2a8c55",
        "#b03060",
        "#7a5cc0",
        "#8c6d31",
        "#17899c",
        "#777777",
        "#c0392b",
        "#111111",
    ),
    font_family="sans-serif",
    title_font_size=15,
    value_font_size=11,
)
OPTIONS: dict[str, Any] = {
    "style": STYLE,
    "js": [],
    "no_prefix": True,
    "width": 900,
    "height": 400,
    "explicit_size": True,
    "truncate_legend": -1,
    "truncate_label": -1,
    "margin": 12,
}


def bars(path: Path, title: str, labels: Sequence[str], unit: str, series: Mapping[str, Sequence[float]]) -> None:
    """Write a chart of vertical bars, one group of bars per label.

    Args:
        path: SVG file to write.
        title: of the chart.
        labels: of the groups.
        unit: title of the vertical axis.
        series: name of each series -> its values, one per label.
    """
    chart = pygal.Bar(**OPTIONS, title=title, x_labels=list(labels), y_title=unit)
    _write(chart, series, path)


def lines(
    path: Path,
    title: str,
    labels: Sequence[str],
    axes: tuple[str, str],
    series: Mapping[str, Sequence[float | None]],
) -> None:
    """Write a chart of lines, one per series.

    Args:
        path: SVG file to write.
        title: of the chart.
        labels: of the points on the horizontal axis.
        axes: titles of the horizontal and the vertical axis.
        series: name of each series -> its values, one per label; None leaves a gap.
    """
    chart = pygal.Line(
        **OPTIONS,
        title=title,
        x_labels=list(labels),
        x_title=axes[0],
        y_title=axes[1],
        dots_size=2.5,
        include_x_axis=True,
    )
    _write(chart, series, path)


def _write(chart: Any, series: Mapping[str, Sequence[float | None]], path: Path) -> None:
    chart.value_formatter = lambda value: f"{value:.3g}"
    for name, values in series.items():
        chart.add(name, list(values))
    write_file(path, svg_text(chart) + "\n")
