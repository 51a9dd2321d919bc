# SPDX-License-Identifier: Apache-2.0
"""Tests of reading the reports of Vitis HLS and Vivado."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import report_texts

from ese_hls.build import vendor_reports
from ese_hls.build.synthesis import Synthesis
from ese_hls.build.vendor_reports import (
    BuildReport,
    Implementation,
    RtlSimulation,
    Timing,
    Use,
    Utilization,
    read_vitis,
)
from ese_host.errors import FormatError, MissingError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "report"


def test_csynth(file: Path) -> None:
    file.write_text(report_texts.CSYNTH)
    assert read_vitis(file) == Synthesis(
        "Vitis HLS", "2022.2", "xc7z020-clg400-1", 10.0, 7.25, luts=15234, registers=8123, dsps=17, bram18=41
    )


@pytest.mark.parametrize("value", ["many", "12.7", "NaN", ""])
def test_a_count_that_is_no_whole_number_is_refused(value: str, file: Path) -> None:
    file.write_text(report_texts.CSYNTH.replace("<LUT>15234</LUT>", f"<LUT>{value}</LUT>"))
    with pytest.raises(
        FormatError, match=rf"report: \S+/LUT is '{value}', not a whole number; run the synthesis again$"
    ):
        read_vitis(file)


@pytest.mark.parametrize("value", ["fast", "NaN", "inf"])
def test_a_clock_that_is_no_number_is_refused(value: str, file: Path) -> None:
    file.write_text(report_texts.CSYNTH.replace("7.250", value))
    with pytest.raises(FormatError, match=rf"report: \S+/EstimatedClockPeriod is '{value}', not a number; run the "):
        read_vitis(file)


def test_cosim(file: Path) -> None:
    file.write_text(report_texts.COSIM)
    found = vendor_reports.read_cosim(file)
    assert found == RtlSimulation("Verilog", "Pass", (2031, 2500, 2969), (2040, 2040, 2040))
    assert found.passed
    assert str(found) == "co-simulation of Verilog: Pass, latency 2,031 to 2,969 (average 2,500) cycles"
    file.write_text(report_texts.COSIM.replace("Pass", "Fail").replace("2040", "NA"))
    failed = vendor_reports.read_cosim(file)
    assert not failed.passed and failed.interval is None


def test_utilization(file: Path) -> None:
    file.write_text(report_texts.UTILIZATION)
    assert vendor_reports.read_utilization(file) == Utilization(
        Use(14987, 53200), Use(8001, 106400), Use(41, 280), Use(17, 220)
    )
    file.write_text(report_texts.ULTRASCALE)
    found = vendor_reports.read_utilization(file)
    assert found == Utilization(Use(31000, 230400), Use(20000, 460800), Use(80, 624), Use(33, 1728), Use(2, 96))
    assert str(found).endswith("DSP 33 of 1,728, URAM 2 of 96")


def test_timing(file: Path) -> None:
    file.write_text(report_texts.TIMING)
    found = vendor_reports.read_timing(file)
    assert found == Timing(1.234, 0.031, 3.75, 0) and found.met
    file.write_text(report_texts.MISSED)
    missed = vendor_reports.read_timing(file)
    assert not missed.met
    assert str(missed) == "timing missed at 2 endpoints: setup +0.500 ns, hold +0.031 ns, pulse +3.750 ns"


READERS: dict[str, Any] = {
    "cosim": vendor_reports.read_cosim,
    "utilization": vendor_reports.read_utilization,
    "timing": vendor_reports.read_timing,
}


@pytest.mark.parametrize(
    ("reader", "text", "message"),
    [
        ("cosim", "", r"has no row of Verilog or VHDL with a status; it is no report of Vitis HLS's cosim$"),
        ("cosim", report_texts.COSIM.replace("Pass", "NA"), r"has no row of Verilog or VHDL with a status; .*$"),
        ("utilization", report_texts.TIMING, r"has no row of Block RAM Tile; it is no report of Vivado's .*$"),
        (
            "utilization",
            report_texts.UTILIZATION.replace("Slice LUTs ", "Some LUTs  "),
            r"has no row of Slice LUTs or CLB LUTs; it is no report of Vivado's report_utilization$",
        ),
        (
            "utilization",
            report_texts.UTILIZATION.replace("14987", "many "),
            r"'many' stands where a number is expected; run the tool again$",
        ),
        ("timing", report_texts.UTILIZATION, r"has no design timing summary; it is no report of Vivado's .*$"),
        ("timing", report_texts.TIMING.replace("1.234", "   NA"), r"the timing summary is 'NA .*'; .* has .* clock\?$"),
    ],
)  # fmt: skip
def test_what_is_no_report_is_refused(reader: str, text: str, message: str, file: Path) -> None:
    file.write_text(text)
    with pytest.raises(FormatError, match=f"^{file}: {message}"):
        READERS[reader](file)


@pytest.mark.parametrize("reader", READERS)
def test_a_missing_report(reader: str, file: Path) -> None:
    with pytest.raises(MissingError, match=f"^{file}: No such file or directory; .* writes it$"):
        READERS[reader](file)


def test_a_build_says_what_was_run(file: Path) -> None:
    use = Use(1, 2)
    whole = Implementation(Utilization(use, use, use, use), Timing(0.5, 0.1, 1.0, 0))
    report = BuildReport(csim=True, implementation=whole, logs=("vitis.log",))
    assert set(report.to_json()) == {"csim", "implementation", "logs"}
    assert str(report) == (
        "C simulation passed\nVivado, block design: LUT 1 of 2, registers 1 of 2, BRAM18 1 of 2, DSP 1 of 2; "
        "timing met: setup +0.500 ns, hold +0.100 ns, pulse +1.000 ns"
    )
