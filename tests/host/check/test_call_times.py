# SPDX-License-Identifier: Apache-2.0
"""The time of a call, the host's work apart from the engine's, and its curve over frames per packet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_design import INPUTS, OUTPUTS, make_twins

from ese_host.bundle import TESTSET, testset
from ese_host.check import check, latency, report
from ese_host.check.latency import FRAMES, host_time, session_latency
from ese_host.runtime import Accelerator, Engine


def test_a_report_has_the_curve_of_a_session(folder: Path) -> None:
    found = check(folder, driver="adapter")
    packets = found["session"]["packets"]
    assert [row["frames"] for row in packets] == list(FRAMES) and found["session"]["refused"] is None
    for row in packets:  # the stand-in engine counts a cycle for each weight, at 100 MHz
        assert row["engine_us"] == pytest.approx(row["frames"] * INPUTS * OUTPUTS / 100)
        assert row["host_us"] > 0 and row["packet_us"] == row["host_us"] + row["engine_us"]
        assert row["us_per_frame"] * row["frames"] == pytest.approx(row["packet_us"])
    assert found["engine_us_per_call"] == pytest.approx(6 * INPUTS * OUTPUTS / 100) and found["host_us_per_call"] > 0
    labels = {name: found["basis"][name]["label"] for name in ("host_us_per_call", "engine_us_per_call", "session")}
    assert labels == {"host_us_per_call": "measured", "engine_us_per_call": "modelled", "session": "modelled"}
    page = report.html(found)
    assert "Frames of a session" in page and "Frames per packet" in page


def test_a_model_without_sessions_says_why(folder: Path) -> None:
    make_twins(folder)
    found = check(folder, driver="adapter")
    assert found["session"]["packets"] == []
    assert found["session"]["refused"].startswith("step Chain 'two' runs backwards, from the last frame to the first")
    assert "None: step Chain &#39;two&#39; runs backwards" in report.html(found)


def test_large_packets_of_a_slow_engine_are_left_out(folder: Path) -> None:
    with Engine(Accelerator(folder, driver="adapter")) as engine:
        tests = testset.read(engine.folder.file(TESTSET), engine.program)
        rows = [session_latency(engine, tests, seconds)["packets"] for seconds in (0.0, 0.2, 10.0)]
    assert [[row["frames"] for row in found] for found in rows] == [list(FRAMES), [1, 2, 4], []]


def test_waiting_is_no_work_of_the_host(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread that only polls for long is as good as idle."""
    from ese_host.device import dma_control
    from ese_host.runtime import transfers

    complete = dma_control.complete

    def slow(*arguments: Any) -> None:
        for _ in range(300_000):
            pass
        complete(*arguments)

    with Accelerator(folder, driver="adapter") as engine:
        inputs = np.zeros((1, 3, INPUTS), np.int64)
        engine.run(inputs)
        monkeypatch.setattr(transfers, "complete", slow)
        with host_time(engine) as measured:
            before = engine.waited
            engine.run(inputs)
        assert engine.waited - before > measured.seconds > 0


def test_nothing_is_timed_if_values_differ(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ese_host.check import checker
    from ese_host.check.compare import Comparison

    def wrong(comparison: Comparison, *_: Any) -> None:
        comparison.mismatches += 1

    monkeypatch.setattr(checker, "compare_program", wrong)
    found = check(folder, driver="adapter")
    assert "session" not in found and "session" not in found["basis"]
    assert "Frames of a session" not in report.html(found)
    assert latency.BUDGET < 2
