# SPDX-License-Identifier: Apache-2.0
"""A transcript as a picture: phones over time in lanes, as SVG without scripts; equal phones give equal text."""

from __future__ import annotations

import html
from collections.abc import Iterator

from ese_host.decoding.transcript import SpokenPhone, Transcript

FRAMES = 240
"""Frames of one row; a longer utterance has several."""
STEP, LANE, MARGIN, AXIS, GAP, TITLE = 5, 24, 70, 18, 16, 34
"""Pixels: width of a frame, height of a lane, width of the names, heights of the axis, a gap and the title."""
TICK = 20
"""Frames between numbers at the axis."""
NARROWEST = 7
"""Pixels that a letter of a phone's name needs."""
STYLE = (
    "text{font:12px sans-serif;fill:#222}.n{text-anchor:middle}.r{text-anchor:end}.a{fill:#666;font-size:10px}"
    "rect{stroke:#fff;stroke-width:1}.same{fill:#cfe3d4}.other{fill:#f3c6b8}.labels{fill:#d5dcea}"
)


def svg(transcript: Transcript, title: str) -> str:
    """The picture: a lane for the labels if there are any, and one for each way of decoding.

    A phone is red if the label in the middle of it is another one. It may still be no error: only the order of phones
    counts, and not their time.

    Args:
        transcript: the phones.
        title: text above the picture.
    """
    lanes = list(transcript.lanes)
    height = len(lanes) * LANE + AXIS + GAP
    starts = range(0, max(1, transcript.frames), FRAMES)
    width, total = MARGIN + FRAMES * STEP + 10, TITLE + len(starts) * height
    parts = [f'<text x="8" y="22">{html.escape(title)}</text>']
    for row, start in enumerate(starts):
        top = TITLE + row * height
        for number, lane in enumerate(lanes):
            parts.append(f'<text class="r" x="{MARGIN - 8}" y="{top + number * LANE + 16}">{lane}</text>')
            parts += _lane(transcript, lane, start, top + number * LANE)
        for frame in range(start, min(start + FRAMES, transcript.frames) + 1, TICK):
            place = MARGIN + (frame - start) * STEP
            parts.append(f'<text class="n a" x="{place}" y="{top + len(lanes) * LANE + 12}">{frame}</text>')
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{total}" viewBox="0 0 {width} {total}">'
    ground = f'<rect width="{width}" height="{total}" fill="#fff"/>'
    return "\n".join([head, f"<style>{STYLE}</style>", ground, *parts, "</svg>"]) + "\n"


def _lane(transcript: Transcript, lane: str, start: int, top: int) -> Iterator[str]:
    """The phones of a lane in a row of the picture."""
    for item in transcript.segments(lane):
        begin, end = max(item.begin, start), min(item.end, start + FRAMES)
        if begin >= end:
            continue
        name = html.escape(transcript.names[item.phone])
        left, width = MARGIN + (begin - start) * STEP, (end - begin) * STEP
        yield (
            f'<rect class="{_kind(transcript, lane, item)}" x="{left}" y="{top + 1}" width="{width}" '
            f'height="{LANE - 2}"><title>{name}: frames {item.begin} to {item.end - 1}</title></rect>'
        )
        if width >= NARROWEST * len(transcript.names[item.phone]):
            yield f'<text class="n" x="{left + width / 2:g}" y="{top + 16}">{name}</text>'


def _kind(transcript: Transcript, lane: str, item: SpokenPhone) -> str:
    """The class of a phone's rectangle: of the labels, as the label in its middle, or another one."""
    labels = transcript.lanes.get("labels")
    if lane == "labels" or labels is None:
        return "labels"
    return "same" if labels[(item.begin + item.end - 1) // 2] == item.phone else "other"
