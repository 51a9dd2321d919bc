# SPDX-License-Identifier: Apache-2.0
"""The page of a check in Chromium, at the widths of a screen and of a phone, in light and dark."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ese_host.check import check, report
from support.pages import browser

FRAMES = (("small", 1280), ("small", 390), ("large", 1280), ("large", 390))
"""The reports that are shown side by side, and the width of each."""


def larger(found: dict[str, Any]) -> dict[str, Any]:
    """A report with much of everything that a design may have much of, and with long names."""
    rng, pes = np.random.default_rng(4), 256
    name = "bidirectional_lstm_of_the_encoder"
    matrices = [
        {"matrix": f"{name}_{number} recurrent", "entries": rng.integers(900, 1400, pes).tolist(), "max_over_mean": 1.2}
        for number in range(12)
    ]
    spans: list[dict[str, Any]] = []
    for number, matrix in enumerate(matrices):
        begin = 1000 * number
        work = {"matrix": matrix["matrix"], "ahead": number % 2 == 1}
        spans += [
            {"part": "PEs", "begin": begin, "end": begin + 20, "wait": "fill"},
            {"part": "PEs", "begin": begin + 20, "end": begin + 1000, **work},
            {"part": "element-wise", "begin": begin + 300, "end": begin + 700, **work},
        ]
    step = {
        "cycles": 12_000,
        "busy": {"PEs": 11_760, "element-wise": 4800, "input": 0},
        "overlapped": {"element-wise": 4780, "input": 0},
        "spans": spans,
    }
    lacking = "LUT: 153,200 needed, the board has 53,200: PEs 120,000, element-wise unit 20,000, others 13,200"
    classes = [
        {"class": number, "name": f"utterance {number}", "samples": 1000, "right": 900, "taken_for": {"0": 99, "1": 1}}
        for number in range(40)
    ]
    (output,) = found["outputs"]
    return {
        **found,
        "design": "a-design-whose-name-says-all-that-there-is-to-say-of-it",
        "bit_exact": False,
        "mismatches": 12_345,
        "first_mismatch": f"chain {name}: {name}_11 exact: sequence 11, step 2, item 0: engine -123456789, golden 1",
        "accuracy": {f"stage number {number}": 0.9 for number in range(8)} | {"engine": 0.9},
        "entries_per_pe": {**found["entries_per_pe"], "total": matrices[0]["entries"], "matrices": matrices},
        "step_timeline": [{"chain": chain, **step} for chain in ("forward", "backward")],
        "chains": [{**found["chains"][0], "chain": chain} for chain in ("forward", "backward")],
        "boards": {name: {**board, "fits": False, "over": [lacking]} for name, board in found["boards"].items()},
        "outputs": [{**output, "classes": classes}, {**output, "output": "second", "classes": classes[:12]}],
        "cycles_per_step": 1_234_567.8,
        "frames_per_s": 12_345_678.9,
        "latency_ms": {"p50": 12_345.6, "p99": 99_999.9},
    }


@pytest.fixture
def pages(folder: Path) -> dict[str, str]:
    found = check(folder, driver="adapter")
    return {"small": report.html(found), "large": report.html(larger(found))}


@browser.needed
@pytest.mark.parametrize("scheme", [browser.LIGHT, browser.DARK], ids=["light", "dark"])
def test_a_page_can_be_read_on_a_screen_and_on_a_phone(pages: dict[str, str], tmp_path: Path, scheme: int) -> None:
    frames = browser.frames([(pages[name], width) for name, width in FRAMES])
    measured, picture = browser.measured(frames, sum(width for _, width in FRAMES), tmp_path, scheme)
    found = dict(zip(FRAMES, measured, strict=True))
    for (name, width), frame in found.items():
        assert frame["width"] == width, (name, width, frame["overflowing"][:3])
        assert frame["overflowing"] == [] and frame["colliding"] == [] and frame["pale"] == [], (name, width)
        assert name == "large" or frame["broken"] == [], width
        assert (frame["ground"] > 0.8) == (scheme == browser.LIGHT) and (frame["ground"] < 0.1) == (
            scheme == browser.DARK
        )
    for name in pages:
        assert found[name, 390]["height"] <= 3 * found[name, 1280]["height"]
    inked, left = browser.ink(picture), 0
    assert inked.shape == (browser.HEIGHT, sum(width for _, width in FRAMES))
    for name, width in FRAMES:
        assert 0.01 < inked[:, left : left + width].mean() < 0.5, (name, width)
        left += width


def test_links_lead_to_sections(pages: dict[str, str]) -> None:
    for page in pages.values():
        ids = re.findall(r' id="([^"]+)"', page)
        assert len(ids) == len(set(ids)) and set(re.findall(r'href="#([^"]+)"', page)) <= set(ids)
