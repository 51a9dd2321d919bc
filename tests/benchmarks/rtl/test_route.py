# SPDX-License-Identifier: Apache-2.0
"""Place and route: what is kept of nextpnr's report."""

from typing import Any

import click
import numpy as np
import pytest

from benchmarks.rtl import route
from ese_host.device.emulated import EmulatedEngine
from ese_rtl.simulate import rtlil_of
from support import compiled_engine
from support.designs import roomy
from support.networks import inputs, network
from support.rtl_engine import WatchedEngine, opened


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
    "detailed_net_timings": [
        {
            "net": "core.pending",
            "endpoints": [
                {"cell": "core.array.pe_3.row6_TRELLIS_FF_Q_2", "port": "CE", "delay": [4.125, 4.0]},
                {"cell": "core.array.pe_0.row6_TRELLIS_FF_Q", "port": "DI", "delay": [9.25, 1.0]},
            ],
        },
        {
            "net": "core.array.pe_3.a",
            "endpoints": [{"cell": "core.array.pe_3.acc_0_0.0.7$DPRAM_COMB0", "port": "WD", "delay": [2.0, 2.0]}],
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
    assert found["stages"] == {
        "PE: to stage 6": {"ns": 9.25, "end": "core.array.pe_0.row6_TRELLIS_FF_Q"},
        "PE: accumulators, stages 8 and 10": {"ns": 2.0, "end": "core.array.pe_3.acc_0_0.0.7$DPRAM_COMB0"},
    }


def test_a_report_of_two_clocks_is_refused() -> None:
    with pytest.raises(click.ClickException, match="nextpnr reports 2 clocks"):
        route.summary({**REPORT, "fmax": {"a": {}, "b": {}}})


@pytest.mark.slow
def test_the_engine_that_is_routed_is_exact_and_takes_the_same_clocks() -> None:
    """Its multipliers are an ECP5's; every packet is compared with csrc's engine and the cycle model."""
    spec, design = roomy("google-lstm", cells_per_cycle=1)
    library = opened(rtlil_of(design, platform=route.Ecp5()), design)
    rng = np.random.default_rng(5)
    with WatchedEngine(design, library, EmulatedEngine(compiled_engine.library(design))) as engine:
        for number in range(10):
            net = network(rng, spec)
            codes = inputs(rng, net, 2, 3)
            engine.stall(number + 1, *((0, 0), (300, 300))[number % 2])
            loaded = compiled_engine.load(engine, net, design)
            assert compiled_engine.compare(engine, net, loaded, codes) > 0
        assert engine.runs == 20
