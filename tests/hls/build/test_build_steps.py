# SPDX-License-Identifier: Apache-2.0
"""Tests of `.build()` with the steps of hls4ml's Vitis backend and `bitfile`, with stand-ins for the vendor's tools."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import hls4ml
import pytest
import report_texts
import stand_ins
from click.testing import CliRunner
from hls4ml.backends.vitis.vitis_backend import VitisBackend

from ese_hls.build import vitis
from ese_hls.build.vendor_reports import BuildReport
from ese_hls.cli import commands
from ese_host.bundle.folder import Folder
from ese_host.errors import MissingError, UnsupportedError
from ese_host.run_tool import ToolError
from support.keras_models.plugin_models import classifier, convert


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Any:
    made = convert(classifier(), tmp_path_factory.mktemp("steps") / "out")
    made.write()
    return made


@pytest.fixture
def made(graph: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    graph.write()  # replaces the project, and with it all files of an earlier test
    return stand_ins.install(folder(graph), tmp_path, monkeypatch)


def folder(graph: Any) -> Path:
    return Path(graph.config.get_output_dir())


def test_names_and_defaults_are_hls4ml_s_but_for_cosimulation() -> None:
    theirs = dict(inspect.signature(VitisBackend.build).parameters)
    ours = inspect.signature(vitis.build_project).parameters
    names = set(theirs) - {"self", "model", "log_to_stdout"}
    changed = {"cosim": None}
    assert {name: ours[name].default for name in names} == {name: theirs[name].default for name in names} | changed
    assert set(ours) - set(theirs) == {"project_path", "bitfile", "timeout"}


def test_default_steps(graph: Any, made: Path) -> None:
    report = graph.build()
    assert report.csim and report.synthesis.luts == 15234 and report.simulation.passed
    assert (report.vivado_synthesis, report.implementation) == (None, None)
    assert graph.build(cosim=False).simulation is None


def test_all_steps(graph: Any, made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = graph.build(reset=True, validation=True, export=True, vsynth=True, bitfile=True, log_to_stdout=True)
    assert report.simulation.latency == (2031, 2500, 2969)
    assert report.vivado_synthesis.timing.met
    assert report.implementation.utilization.luts.used == 14987
    assert report.logs == ("vitis.log", "vivado_synth.log", "vivado.log")
    assert all((folder(graph) / log).is_file() for log in report.logs)
    assert json.loads((folder(graph) / "synthesis.json").read_text()) == json.loads(json.dumps(report.to_json()))
    assert "steps of -f build_prj.tcl" in capsys.readouterr().out
    assert (folder(graph) / "design.bit").read_bytes() == stand_ins.BIT


def test_vsynth_and_bitfile_run_what_they_need(graph: Any, made: Path) -> None:
    report = graph.build(csim=False, synth=False, vsynth=True, bitfile=True)
    assert report.synthesis is not None and report.implementation is not None
    again = graph.build(csim=False, synth=False, vsynth=True, bitfile=True)
    assert again.logs == ("vivado_synth.log", "vivado.log")


def test_hls4ml_s_own_report_functions_read_the_project(graph: Any, made: Path) -> None:
    graph.build(cosim=True, vsynth=True)
    report = hls4ml.report.parse_vivado_report(str(folder(graph)))
    assert report["CSynthesisReport"]["LUT"] == "15234"
    assert report["VivadoSynthReport"]["DSP48E"] == "17"
    assert report["CosimReport"]["LatencyMax"] == "2969"


@pytest.mark.parametrize(
    ("change", "steps", "message"),
    [
        (("csim.log", "CSim failed"), {}, r"C simulation failed: .* does not say 'CSim done with 0 errors'"),
        (("csynth.xml", None), {}, r"Vitis HLS ended without .*ese_top_csynth\.xml; see .*vitis\.log"),
        (("cosim.rpt", None), {"cosim": True}, r"Vitis HLS ended without .*ese_top_cosim\.rpt; see"),
        (("cosim.rpt", "|Verilog|Fail|NA|NA|NA|NA|NA|NA|NA|"), {"cosim": True}, "the RTL answers otherwise than"),
        (("vivado_synth_timing.rpt", None), {"vsynth": True}, r"vivado ended without vivado_synth_timing\.rpt; see"),
        (("design.bit", None), {"bitfile": True}, r"vivado ended without design\.bit; see .*vivado\.log"),
        (("timing.rpt", report_texts.MISSED), {"bitfile": True}, "timing missed at 2 .* at 100 MHz; emit"),
    ],
)  # fmt: skip
def test_a_step_that_fails(
    change: tuple[str, str | None], steps: dict[str, bool], message: str, graph: Any, made: Path
) -> None:
    # This run leaves reports, which must not be taken for results of the next one.
    graph.build(cosim=True, export=True, vsynth=True, bitfile=True)
    name, text = change
    (made / name).unlink() if text is None else (made / name).write_text(text)
    with pytest.raises(ToolError, match=message):
        graph.build(**steps)


def test_a_fifo_depth_search_is_refused(graph: Any) -> None:
    with pytest.raises(
        UnsupportedError, match=r"^fifo_opt is True; the depths of the engine's FIFOs are part of the design: leave it"
    ):
        graph.build(fifo_opt=True)


def test_vivado_is_missed_before_vitis_hls_runs(graph: Any, made: Path) -> None:
    (made.parent / "bin" / "vivado").unlink()
    with pytest.raises(MissingError, match=r"vivado is not on PATH; .*carry the project folder to a machine"):
        graph.build(vsynth=True)
    assert not (folder(graph) / "vitis.log").exists()


def test_command_line(graph: Any, made: Path) -> None:
    def run(*more: str) -> Any:
        return CliRunner().invoke(commands.build, [str(folder(graph)), "--with", "vitis", *more])

    shown = run()
    assert shown.exit_code == 0, shown.output
    assert "Vitis HLS 2022.2, xc7z020-clg400-1, 10 ns: slack 2.75 ns, LUT 15,234" in shown.stdout
    assert "co-simulation of Verilog: Pass" in shown.stdout
    assert "figures in" in shown.stdout and "vitis.log" in shown.stdout
    read = json.loads(run("--step", "csim", "--step", "cosim", "--json").stdout)
    assert read["csim"] is True and read["simulation"]["status"] == "Pass"
    assert set(read) == {"project", "csim", "synthesis", "simulation", "logs"}


def test_a_bitstream_is_left_in_a_design_folder(graph: Any, made: Path, tmp_path: Path) -> None:
    for given, out in (({}, folder(graph) / "design"), ({"design": tmp_path / "bits"}, tmp_path / "bits")):
        report = graph.build(csim=False, bitfile=True, **given)
        assert report.design == str(out) and str(report).endswith(f"design folder: {out}")
        opened = Folder.open(out)
        opened.check()
        assert opened.manifest.kind == "bitstream"


def test_a_report_is_what_was_built(graph: Any, made: Path) -> None:
    assert graph.build(csim=False, synth=False) == BuildReport()
