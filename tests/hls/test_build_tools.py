"""Calls of g++ and of the vendor's tools, with stand-ins for what is not installed here."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from plugin_models import classifier, convert

from ese_hls import vitis
from ese_hls.run_tool import ToolError, run_tool
from ese_host.errors import MissingError, UnsupportedError

# Vendor commands of the emitted scripts, and the options that the scripts may give them (UG1399, UG835).
VITIS_HLS = {
    "open_project": {"-reset"},
    "set_top": set(),
    "add_files": {"-tb", "-cflags"},
    "open_solution": {"-reset", "-flow_target"},
    "set_part": set(),
    "create_clock": {"-period", "-name"},
    "csim_design": set(),
    "csynth_design": set(),
    "cosim_design": set(),
    "export_design": {"-format", "-rtl", "-vendor", "-library", "-ipname", "-version", "-output"},
}
RECORDER = """
proc unknown {args} { puts [list CALL {*}$args]; return "" }
proc exit {args} {}
"""


@pytest.fixture(scope="module")
def emitted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tools") / "out"
    convert(classifier(), folder).write()
    return folder


def tool(folder: Path, name: str, script: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def test_no_tool(emitted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingError, match=r"neither vitis-run nor vitis_hls is on PATH; .*carry the project folder"):
        vitis.build_project(emitted)


def test_vivado_hls_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool(tmp_path, "vivado_hls", "exit 0")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        UnsupportedError, match=r"vivado_hls is on PATH, but the engine needs Vitis HLS 2022\.2 or newer"
    ):
        vitis.find_tool()


@pytest.mark.parametrize(
    ("name", "arguments"), [("vitis_hls", "-f build_prj.tcl"), ("vitis-run", "--mode hls --tcl build_prj.tcl")]
)
def test_tool_runs_in_the_project(
    name: str, arguments: str, emitted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool(tmp_path / "bin", name, 'echo "in $(pwd) with $*"')
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    log = vitis.build_project(emitted, csim=True, synth=False)
    assert f"in {emitted} with {arguments}" in log.read_text()
    assert "set opt(csim) 1\nset opt(synth) 0\n" in (emitted / "build_opt.tcl").read_text()


def test_failure_shows_the_end_of_the_log(tmp_path: Path) -> None:
    tool(tmp_path, "fails", "echo the reason; exit 4")
    with pytest.raises(ToolError, match=r"(?s)failed with exit code 4; the log is .*the reason"):
        run_tool([str(tmp_path / "fails")], tmp_path, tmp_path / "log", 10)


def test_time_limit(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match=r"did not end within 0\.2 s"):
        run_tool(["sleep", "5"], tmp_path, tmp_path / "log", 0.2)


@pytest.mark.skipif(shutil.which("tclsh") is None, reason="tclsh is not installed")
@pytest.mark.parametrize("steps", ["csim", "cosim", "export"])
def test_script_calls_documented_commands(steps: str, emitted: Path, tmp_path: Path) -> None:
    (emitted / "build_opt.tcl").write_text(f"array set opt {{csim 0 synth 1 cosim 0 export 0 {steps} 1}}\n")
    (tmp_path / "run.tcl").write_text(RECORDER + f"source {{{emitted / 'build_prj.tcl'}}}\n")
    result = subprocess.run(["tclsh", "run.tcl"], cwd=tmp_path, capture_output=True, text=True, timeout=30, check=True)
    calls = [line.split()[1:] for line in result.stdout.splitlines() if line.startswith("CALL ")]
    assert [call[0] for call in calls][-1] in (f"{steps}_design", "csynth_design")
    for name, *arguments in calls:
        assert {word for word in arguments if word.startswith("-")} - {"-std=c++14"} <= VITIS_HLS[name], name
    assert ["set_part", "xc7z020clg400-1"] in calls
    assert ["create_clock", "-period", "10.000", "-name", "default"] in calls
