# SPDX-License-Identifier: Apache-2.0
"""The page of `ese4ml estimate --html` in Chromium: what it shows is what the command line that it names prints."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import calls
import pytest

from ese_host.boards import board_names
from ese_host.estimate import NAMES, explorer
from support.pages import browser

LAYER = ("lstm", "--inputs", "153", "--units", "1024", "--projection", "512", "--peepholes")
PES, DENSITIES = (1, 7, 64, 128), (0.05, 0.1, 0.5)
MOVES: tuple[dict[str, Any], ...] = (
    {"pes": 3},
    {"code": "int4"},
    {"density": 1},
    {"engine": "hls"},
    {"board": "zcu104", "engine": "rtl"},
    {"clock": "500"},
    {"clock": "120", "density": 0, "pes": 2, "code": "codebook4"},
    {"press": "[value=ultra96-v2]", "engine": "hls", "units": 1},
    {"pes": 1, "density": 0},
    {"press": "#reset"},
)
"""What is changed in each step: positions of sliders, values of other controls, and what is pressed."""
REFUSED = {"pes": 1, "density": 0.5}
VIEWS: tuple[dict[str, Any], ...] = ({}, {"code": "codebook4", "pes": 128, "clock": 220}, REFUSED)
"""A view that fits, one that lacks several resources, and one without a design, beside the first one."""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("page") / "explore.html"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ese_host.estimate.explorer.grid.PES", PES)
        patch.setattr("ese_host.estimate.explorer.grid.DENSITIES", DENSITIES)
        result = calls.call("estimate", *LAYER, "--pes", "64", "--html", str(path))
    assert result.exit_code == 0 and result.stdout.endswith(f"\npage: {path}\n"), result.output
    yield path


def data_of(page: Path) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="grid">(.*?)</script>', page.read_text(), flags=re.DOTALL)
    assert found is not None
    value: dict[str, Any] = json.loads(found[1])
    return value


def printed(command: str, *more: str) -> dict[str, Any]:
    name, *words = shlex.split(command)
    assert name == "ese4ml"
    result = calls.call(*words, *more, "--json")
    value: dict[str, Any] = json.loads(result.stdout) if result.exit_code in (0, 1) else {"refused": result.stderr}
    return value


@browser.needed
def test_each_view_equals_the_command_that_it_names(page: Path, tmp_path: Path) -> None:
    script = Path(__file__).with_name("explore.js").read_text().replace("MOVES", json.dumps(MOVES))
    moved = tmp_path / "moved.html"
    moved.write_text(page.read_text().replace("</body>", f"<script>{script}</script></body>"))
    address = "pes=1&density=0.5&code=int8&engine=rtl&board=kv260&none=1&units=9"
    told = json.loads(browser.opened(moved, 1280, tmp_path, fragment=address))
    shown = told["found"]
    assert len(shown) == len(MOVES) + 1
    first = shown[0]["command"]
    assert first.endswith("--density 0.5 --weight-code int8 --pes 1 --cells-per-cycle 1 --engine rtl --board kv260"), (
        "the address's view, but for what the page does not have"
    )
    for view in shown:
        compare(view)
    commands = [view["command"] for view in shown]
    assert commands[-1].endswith(
        "--density 0.1 --weight-code ternary --pes 64 --gap-bits 5 --cells-per-cycle 2 --engine hls --board pynq-z2"
    )
    assert len({*commands}) == len(commands) and len({view["address"] for view in shown}) == len(shown)
    assert "--clock-mhz 500" in commands[6] and "a clock of 500 MHz, where 400 are possible" in shown[6]["verdict"]
    assert shown[5]["units"] == [[True, False], [False, True]], "the engine in RTL has one unit without a window"
    assert shown[9]["texts"] == ["7", "5%"] and shown[9]["units"][1] == [False, True]
    assert told["ms"] < 2000


def compare(view: dict[str, Any]) -> None:
    """Compare all values that are shown with the estimate of the command that the page names, on every board."""
    found = printed(view["command"])
    if "refused" in found:
        (reason,) = re.findall(r"error: (.*)", found["refused"])
        assert view["verdict"] == f"No such design.{reason[0].upper()}{reason[1:]}."
        assert view["cycles"] is None and view["used"] == [None] * len(NAMES)
        assert set(view["fits"].values()) == {""}
        return
    assert view["cycles"] == found["cycles_per_step"]
    assert view["latency"] == found["latency_us"]
    assert view["frames"] == found["frames_per_s"]
    assert view["utilisation"] == found["utilisation"]
    assert view["kept"] == found["kept_weights"]
    assert view["energy"] == found["energy_pj"]["total"]
    assert view["upper"] == found["luts_upper"]
    assert view["causes"] == list(found["cycles_by_cause"].values())
    assert view["used"] == [found["resources"][name]["used"] for name in NAMES]
    assert set(view["fits"]) == set(board_names())
    for name, fits in view["fits"].items():
        other = printed(re.sub(r"--board \S+", f"--board {name}", view["command"]))
        assert fits == str(other["fits"]).lower()
        lacks = {sentence.partition(":")[0] for sentence in other["over"]}
        assert lacks == {lack for lack in (*NAMES.values(), "clock") if f" {lack}" in view["reasons"][name]}
    assert view["summary"].endswith(
        ("" if found["fits"] else "does not ") + f"fit{'s' * found['fits']} {found['board']}"
    )


@browser.needed
@pytest.mark.parametrize("scheme", [browser.LIGHT, browser.DARK], ids=["light", "dark"])
def test_it_can_be_read_on_a_screen_and_on_a_phone(page: Path, tmp_path: Path, scheme: int) -> None:
    data = data_of(page)
    command, first = data.pop("command"), data.pop("view")
    pages = [explorer.html(data, command, {**first, **view}, {"Masks": "gap-aware, seed 0"}) for view in VIEWS]
    shown = [(text, width) for text in pages for width in (1280, 390)]
    found, picture = browser.measured(browser.frames(shown), sum(width for _, width in shown), tmp_path, scheme)
    for (_, width), frame in zip(shown, found, strict=True):
        assert frame["width"] == width, frame["overflowing"][:3]
        assert frame["overflowing"] == [] and frame["colliding"] == [] and frame["pale"] == [], width
        assert frame["broken"] == [], width
        assert frame["ground"] > 0.8 if scheme == browser.LIGHT else frame["ground"] < 0.1
    assert 0.01 < browser.ink(picture).mean() < 0.5


def test_it_names_no_other_place(page: Path) -> None:
    text = page.read_text()
    assert "default-src 'none'" in text
    assert not re.findall(r"https?:|//\w+\.|\bsrc=|<link|@import|url\(|fetch\(|XMLHttpRequest|<img", text)
    ids = re.findall(r'\bid="([^"$]+)"', text)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'\b(?:for|aria-labelledby)="([^"]+)"', text)) <= set(ids)
