# SPDX-License-Identifier: Apache-2.0
"""Tests of the engine in RTL by PandA Bambu, and, without Bambu, of how its runs are judged."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from click.testing import CliRunner

from ese_hls.build import bambu, bambu_log, vendor_reports
from ese_hls.cli import commands
from ese_hls.emulate.gxx import MACHINE_WORDS
from ese_hls.project import vectors
from ese_host.boards.board import load_board
from ese_host.errors import FormatError, MissingError
from ese_host.run_tool import ToolError
from support.compiled_engine import write_sources
from support.compiling import AP_TYPES
from support.keras_models.plugin_models import classifier, convert
from support.rtl import CASES, exchange, prove

LOG = """ Version: PandA 2024.10 - Revision 683d871
    Internal variable: engine - 428993 - engine in function ese_core
      Id: 428993
      Base Address: 16384
      Size: 13924
    Internal variable: small - 428913 - small in function ese_core
      Id: 428913
      Base Address: 16384
      Size: 40
    Estimated max frequency (MHz): 125
  Module binding information for function leaf:
    Estimated number of DSPs: 3
  Total number of flip-flops in function leaf: 100
    Estimated max frequency (MHz): 100.5
  Module binding information for function ese_core:
    Estimated number of DSPs: 7
    Estimated number of DSPs: 9
  Total number of flip-flops in function ese_core: 23456
"""
PACKETS = 2


@pytest.fixture
def emitted(tmp_path: Path) -> Path:
    convert(classifier(), tmp_path / "project").write()
    return tmp_path / "project"


def fake(monkeypatch: pytest.MonkeyPatch, folder: Path, log: str, results: str, code: int = 0) -> None:
    """Put a `bambu` on PATH that writes the given log and results, and a `verilator`."""
    folder.mkdir()
    (folder / "log").write_text(log)
    script = f"#!/bin/sh\ncat '{folder / 'log'}'\nprintf '%s\\n0' '{results}' > results.txt\nexit {code}\n"
    for name in ("bambu", "verilator"):
        (folder / name).write_text(script)
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")


def build(project: Path, *options: str) -> object:
    result = CliRunner().invoke(commands.build, [str(project), "--with", "bambu", *options])
    if result.exception is not None:
        raise result.exception
    return result


def test_a_good_run_is_reported(emitted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake(monkeypatch, tmp_path / "bin", LOG, "7|107,115|2115,")
    report = json.loads(build(emitted, "--json").stdout)  # type: ignore[attr-defined]
    assert report["version"] == "2024.10" and report["part"] == "xc7z020-1clg484-VVD"
    assert (report["registers"], report["dsps"], report["bram18"], report["luts"]) == (23556, 12, 7, None)
    assert report["slack_ns"] == pytest.approx(10 - 1000 / 100.5)
    proof = report["cosimulation"]
    assert proof["packets"] == PACKETS and proof["clocks"] == [100, 2000] and proof["iterations"][0] == 0
    assert proof["iterations"][1] > 0
    written = json.loads((emitted / "bambu.json").read_text())
    assert written == {key: value for key, value in report.items() if key != "project"}


def test_the_plain_report_names_its_files(emitted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake(monkeypatch, tmp_path / "bin", LOG, "7|107,115|2115,")
    shown = build(emitted).stdout  # type: ignore[attr-defined]
    assert "RTL equals golden model and g++: 2 packets" in shown and "bambu.log" in shown


@pytest.mark.parametrize(
    "line",
    [
        "Warning: Returned error code!",
        "error -> The simulation does not end correctly",
        "mismatch: word 3 is 0x00000000; expected 0x00000001",
        "ERROR: Mismatch in simulation",
    ],
)
def test_a_log_with_a_failure_is_a_failure(
    line: str, emitted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bambu exits with status 0 after several kinds of failure, so its log is read."""
    fake(monkeypatch, tmp_path / "bin", LOG + line, "7|107,115|2115,")
    with pytest.raises(ToolError, match="bambu failed, whatever its exit status says") as refused:
        build(emitted)
    assert line in str(refused.value)
    assert not (emitted / "bambu.json").exists()


def test_exit_status_and_missing_calls(emitted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake(monkeypatch, tmp_path / "bin", LOG, "7|107,115|2115,", code=1)
    with pytest.raises(ToolError, match="failed with exit code 1"):
        build(emitted)
    shutil.rmtree(tmp_path / "bin")
    fake(monkeypatch, tmp_path / "bin", LOG, "7|107,")
    with pytest.raises(ToolError, match="bambu simulated 1 packets of 2"):
        build(emitted)


def test_changed_vectors_are_found_before_synthesis(
    emitted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake(monkeypatch, tmp_path / "bin", LOG, "7|107,115|2115,")
    file = emitted / "tb" / vectors.EXPECTED
    answers = vectors.read(file)
    answers[1][0] ^= 1
    vectors.write_packets(file, answers)
    with pytest.raises(ToolError, match="packet 1: the engine under g\\+\\+ answers otherwise than the golden model"):
        build(emitted)
    file.write_text("3\nnot hexadecimal\n")
    with pytest.raises(FormatError, match="not a list of packets"):
        build(emitted)


def test_without_bambu(emitted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingError, match=r"^bambu is not on PATH; PandA Bambu 2024\.10 is an optional tool"):
        build(emitted)
    (tmp_path / "bambu").write_text("#!/bin/sh\n")
    (tmp_path / "bambu").chmod(0o755)
    with pytest.raises(MissingError, match=r"^verilator is not on PATH; bambu simulates its Verilog with it"):
        build(emitted)


def test_every_board_has_a_device() -> None:
    assert bambu.device_of(load_board("pynq-z2")) == "xc7z020-1clg484-VVD"
    assert bambu.device_of(load_board("zcu104")).startswith("xcu280")


def test_an_empty_log_says_nothing() -> None:
    bambu_log.check("")
    found = (bambu_log.period(""), bambu_log.dsps(""), bambu_log.registers(""), bambu_log.bram18(""))
    assert found == (None, None, None, None)
    assert bambu_log.version("") == "unknown" and bambu_log.clocks("0\n") == () and bambu_log.clocks("7|9,\nA") == ()


def test_vitis_report_in_the_same_words(tmp_path: Path) -> None:
    file = tmp_path / "csynth.xml"
    file.write_text(
        "<profile><ReportVersion><Version>2023.1</Version></ReportVersion><UserAssignments><Part>xc7z020-clg400-1</Part>"
        "<TargetClockPeriod>10.00</TargetClockPeriod></UserAssignments><PerformanceEstimates><SummaryOfTimingAnalysis>"
        "<EstimatedClockPeriod>7.25</EstimatedClockPeriod></SummaryOfTimingAnalysis></PerformanceEstimates>"
        "<AreaEstimates><Resources><BRAM_18K>12</BRAM_18K><FF>3400</FF><LUT>5600</LUT><DSP>17</DSP></Resources>"
        "</AreaEstimates></profile>"
    )
    read = vendor_reports.read_vitis(file)
    assert (read.luts, read.registers, read.dsps, read.bram18, read.slack_ns) == (5600, 3400, 17, 12, 2.75)
    assert "LUT 5,600" in str(read)
    file.write_text("<profile/>")
    with pytest.raises(FormatError, match="no report of Vitis HLS's C synthesis"):
        vendor_reports.read_vitis(file)
    with pytest.raises(MissingError, match="C synthesis writes it"):
        vendor_reports.read_vitis(tmp_path / "none.xml")


@pytest.mark.parametrize("name", ["lstm", "skip"])
def test_plain_word_top_under_gxx(name: str, tmp_path: Path) -> None:
    """Bambu's top and test bench under g++ pass with sound and malformed packets, and fail if one word is wrong."""
    design, sent, golden, _ = exchange(CASES[name])
    write_sources(tmp_path, design)
    answers = bambu.answers_of(tmp_path, tmp_path, sent, golden)
    vectors.write_packets(tmp_path / "in", sent)
    vectors.write_packets(tmp_path / "out", answers)
    command = ["g++", "-std=c++14", MACHINE_WORDS, "-w", "-isystem", str(AP_TYPES)]
    command += ["csrc/tops/core.cpp", "csrc/testbench/core_testbench.cpp", "-o", "core"]
    subprocess.run(command, cwd=tmp_path, check=True, timeout=300)
    run = subprocess.run(["./core", "in", "out"], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert run.returncode == 0 and run.stdout.count("all equal") == len(sent)
    answers[-1] = answers[-1] ^ np.uint32(1)
    vectors.write_packets(tmp_path / "out", answers)
    run = subprocess.run(["./core", "in", "out"], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert run.returncode != 0 and "mismatch: word 0 is" in run.stdout


@pytest.mark.bambu
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("name", CASES)
def test_rtl_equals_golden(name: str, tmp_path: Path) -> None:
    """The RTL gives every word of every answer, including the cycle counter of the engine."""
    report = prove(name, tmp_path)
    proof = report.cosimulation
    assert proof is not None and proof.packets >= PACKETS and proof.iterations[1] > 0
    assert report.slack_ns is not None and report.slack_ns >= 0


@pytest.mark.bambu
@pytest.mark.timeout(7200)
def test_a_wrong_expectation_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run with one wrong bit in one expected answer fails."""

    def spoilt(*arguments: object) -> list[npt.NDArray[Any]]:
        answers = bambu_answers(*arguments)  # type: ignore[arg-type]
        answers[1][0] ^= 1
        return answers

    bambu_answers = bambu.answers_of
    monkeypatch.setattr(bambu, "answers_of", spoilt)
    design, sent, golden, _ = exchange(CASES["ternary-4"])
    write_sources(tmp_path, design)
    with pytest.raises(ToolError):
        bambu.cosimulate(tmp_path, sent, golden)
