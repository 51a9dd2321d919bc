# SPDX-License-Identifier: Apache-2.0
"""Drawings as SVG to be placed inside a page: without script or font, in the colours of the page's style sheet.

Widths are given in percent and texts in pixels, so that a narrow page narrows the drawing and leaves its texts as
large as all others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

LANES = {"PEs": "PEs", "element-wise": "Element-wise stage", "input": "Input of frames"}
"""Titles of the lanes of a timeline, by the part of the engine, from top to bottom."""
TITLE, BAR, GAP, AXIS = 20, 26, 12, 20
"""Heights of a lane's title, of its bars, and of the gap below, and of the axis, in pixels."""
COLOURS = 8
"""Colours that the style sheet has, as classes c1, c2 and so on."""
NARROWEST = 3.0
"""Percent of the width from which on a bar has room for its number."""
TICKS = 5
"""Most numbers at the axis."""


def columns(values: Sequence[float], top: float, name: str) -> Markup:
    """Columns side by side, from zero.

    Args:
        values: heights.
        top: height of the drawing, in the same unit.
        name: what the drawing shows, for those who do not see it.
    """
    width = 100 / max(1, len(values))
    bars = (
        Markup('<rect x="{:.3f}%" y="{:.2f}%" width="{:.3f}%" height="{:.2f}%"/>').format(
            number * width, 100 - 100 * value / top, width * 0.86, 100 * value / top
        )
        for number, value in enumerate(values)
    )
    return Markup('<svg class="columns" role="img" aria-label="{}">{}</svg>').format(name, Markup().join(bars))


def colours(spans: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Numbers of the matrices of a timeline, from 1, in the order in which the engine begins them."""
    names = dict.fromkeys(matrix(span) for span in spans if "matrix" in span)
    return {name: number for number, name in enumerate(names, 1)}


def matrix(span: Mapping[str, Any]) -> str:
    """Name of the matrix that a span works on, and whether that is the next step's."""
    return f"{span['matrix']} (next step)" if span["ahead"] else str(span["matrix"])


def timeline(step: Mapping[str, Any], name: str) -> Markup:
    """The parts of the engine as lanes, over the cycles of one step.

    Args:
        step: an item of the report's `step_timeline`.
        name: what the drawing shows, for those who do not see it.
    """
    total, numbers = max(1, step["cycles"]), colours(step["spans"])
    height = len(LANES) * (TITLE + BAR + GAP) + AXIS
    parts = [_axis(total, height)]
    for lane, (part, title) in enumerate(LANES.items()):
        top = lane * (TITLE + BAR + GAP)
        busy = f"busy in {step['busy'][part]:,} of {total:,} cycles"
        parts.append(
            Markup('<text x="0" y="{0}">{1}</text><text class="end" x="100%" y="{0}">{2}</text>').format(
                top + TITLE - 6, title, busy
            )
        )
        parts += [_bar(span, total, top + TITLE, numbers) for span in step["spans"] if span["part"] == part]
    return Markup('<svg class="timeline" height="{}" role="img" aria-label="{}">{}</svg>').format(
        height, name, Markup().join(parts)
    )


def _bar(span: Mapping[str, Any], total: int, top: int, numbers: Mapping[str, int]) -> Markup:
    begin, width = 100 * span["begin"] / total, 100 * (span["end"] - span["begin"]) / total
    number, kind, what = None, "frame", "words of a frame"
    if "matrix" in span:
        what = matrix(span)
        number = numbers[what]
        kind = f"c{(number - 1) % COLOURS + 1}"
    elif "wait" in span:
        kind, what = "wait", f"waiting: {span['wait']}"
    bar = Markup(
        '<rect class="{}" x="{:.3f}%" y="{}" width="{:.3f}%" height="{}"><title>{}: cycles {} to {}</title></rect>'
    ).format(kind, begin, top, width, BAR, what, span["begin"], span["end"])
    if number is None or width < NARROWEST:
        return bar
    label = Markup('<text class="number" x="{:.3f}%" y="{}">{}</text>')
    return bar + label.format(begin + width / 2, top + BAR / 2 + 4, number)


def _axis(total: int, height: int) -> Markup:
    """Lines behind the bars at round numbers of cycles and at the end of the step, and the numbers below."""
    least = total / TICKS
    power = 10 ** (len(str(int(least))) - 1)
    apart = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= least)
    ticks = [tick for tick in range(0, total, apart) if total - tick >= apart / 2]
    line = Markup('<line x1="{0:.3f}%" x2="{0:.3f}%" y1="{1}" y2="{2}"/>')
    text = Markup('<text class="{}" x="{:.3f}%" y="{}">{:,}</text>')
    tops = [lane * (TITLE + BAR + GAP) + TITLE for lane in range(len(LANES))]
    parts = []
    for tick, anchor in [*((tick, "middle" if tick else "begin") for tick in ticks), (total, "end")]:
        place = 100 * tick / total
        parts += [line.format(place, top - 2, top + BAR + 2) for top in tops]
        parts.append(text.format(anchor, place, height - 4, tick))
    return Markup().join(parts)
