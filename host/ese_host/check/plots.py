"""Charts as SVG text to be placed inside a page: without script or font, in the colours of the page's style sheet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pygal
from markupsafe import Markup

from ese_host.files import chart_style, svg_text

WIDTH, HEIGHT = 640, 300
_STYLE = chart_style(
    background="transparent",
    plot_background="transparent",
    foreground="var(--muted)",
    foreground_strong="var(--text)",
    foreground_subtle="var(--line)",
    colors=tuple(f"var(--series-{number})" for number in range(1, 9)),
    value_colors=("var(--text)",) * 8,
    guide_stroke_color="var(--line)",
    major_guide_stroke_color="var(--line)",
    guide_stroke_dasharray="none",
    major_guide_stroke_dasharray="none",
    font_family="inherit",
    value_font_family="inherit",
    value_font_size=12,
    opacity_hover="1",
)


def bars(series: Mapping[str, Sequence[float]], labels: Sequence[str], unit: str) -> Markup:
    """A chart of bars side by side, one group for each label, one colour for each series.

    Args:
        series: values by the name of the series, one value for each label.
        labels: names of the groups.
        unit: text at the value axis.
    """
    chart = pygal.Bar(
        **_options(),
        x_labels=list(labels),
        y_title=unit,
        show_legend=len(series) > 1,
        value_formatter=lambda value: f"{value:,.0f}",
        truncate_label=-1,
    )
    for name, values in series.items():
        chart.add(name, list(values))
    return _inline(chart)


def levels(values: Mapping[str, float], unit: str) -> Markup:
    """A line chart with one point for each name; the axis shows the range that the values span."""
    chart = pygal.Line(
        **{**_options(), "include_x_axis": False, "margin_right": 60},
        x_labels=list(values),
        y_title=unit,
        show_legend=False,
        dots_size=5,
        print_values=True,
        print_values_position="top",
        value_formatter=lambda value: f"{value:.1f}",
        range=(max(0.0, min(values.values(), default=0.0) - 1), min(100.0, max(values.values(), default=0.0) + 1)),
        truncate_label=-1,
    )
    chart.add("", list(values.values()))
    return _inline(chart)


def shares(parts: Mapping[str, float]) -> Markup:
    """A bar chart of the parts of a whole, largest first; parts of 0 are left out."""
    ordered = sorted(((name, value) for name, value in parts.items() if value), key=lambda item: item[1])
    chart = pygal.HorizontalBar(
        **_options(),
        x_labels=[name for name, _ in ordered],
        show_legend=False,
        value_formatter=lambda value: f"{value:,.0f}",
        truncate_label=-1,
    )
    chart.add("", [value for _, value in ordered])
    return _inline(chart)


def _options() -> dict[str, Any]:
    return {
        "style": _STYLE,
        "js": [],
        "width": WIDTH,
        "height": HEIGHT,
        "explicit_size": False,
        "include_x_axis": True,
        "legend_at_bottom": True,
        "disable_xml_declaration": True,
        "margin": 8,
    }


def _inline(chart: Any) -> Markup:
    """The SVG of a chart, which may stand in a page without escaping."""
    return Markup(svg_text(chart))  # noqa: S704 - pygal escapes labels
