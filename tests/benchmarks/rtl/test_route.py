"""Place and route: what is kept of nextpnr's report."""

from typing import Any

import click
import pytest

from benchmarks.rtl import route


def step(kind: str, delay: float, net: str | None = None) -> dict[str, Any]:
    place = {"cell": "core.x_SLICE", "loc": [1, 2], "port": "Q"}
    return {"type": kind, "delay": delay, "from": place, "to": place} | ({"net": net} if net else {})


REPORT = {
    "fmax": {"$glbnet$ap_clk": {"achieved": 101.26, "constraint": 100.0}},
    "critical_paths": [
        {"from": "<async>", "to": "posedge $glbnet$ap_clk", "path": [step("routing", 9.0, "abort")]},
        {
            "from": "posedge $glbnet$ap_clk",
            "to": "posedge $glbnet$ap_clk",
            "path": [step("clk-to-q", 0.52), step("routing", 2.25, "core.pending"), step("logic", 0.24)],
        },
    ],
    "utilization": {"TRELLIS_FF": {"available": 83640, "used": 12452}, "ALU54B": {"available": 78, "used": 0}},
}


def test_a_report_is_summed_up() -> None:
    found = route.summary(REPORT)
    assert found["mhz"] == 101.3 and found["used"] == {"TRELLIS_FF": [12452, 83640]}
    assert [each["type"] for each in found["path"]] == ["clk-to-q", "routing", "logic"]
    assert route.delays(found["path"], "routing") == 2.25
    assert route.delays(found["path"], "logic") == pytest.approx(0.76)
    assert route.names_of(found["path"]) == ["core.pending"]


def test_a_report_of_two_clocks_is_refused() -> None:
    with pytest.raises(click.ClickException, match="nextpnr reports 2 clocks"):
        route.summary({**REPORT, "fmax": {"a": {}, "b": {}}})
