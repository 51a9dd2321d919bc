# SPDX-License-Identifier: Apache-2.0
"""Tests of how the tools are found and run, with stand-ins for those that are not installed."""

from __future__ import annotations

from pathlib import Path

import pytest

from ese_hls.build import vitis
from ese_hls.build.vendor_reports import BuildReport
from ese_host.errors import MissingError, UnsupportedError
from ese_host.run_tool import ToolError, run_tool
from support.keras_models.plugin_models import classifier, convert


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
    leaves = "mkdir -p ese_top_prj/solution1/csim/report; echo INFO: CSim done with 0 errors. > " + str(vitis.CSIM)
    tool(tmp_path / "bin", name, f'echo "in $(pwd) with $*"; {leaves}')
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    found = vitis.build_project(emitted, csim=True, synth=False)
    assert found == BuildReport(csim=True, logs=("vitis.log",))
    assert f"in {emitted} with {arguments}" in (emitted / "vitis.log").read_text()
    assert "set opt(csim) 1\nset opt(synth) 0\n" in (emitted / "build_opt.tcl").read_text()


def test_failure_shows_the_end_of_the_log(tmp_path: Path) -> None:
    tool(tmp_path, "fails", "echo the reason; exit 4")
    with pytest.raises(ToolError, match=r"(?s)failed with exit code 4; the log is .*the reason"):
        run_tool([str(tmp_path / "fails")], tmp_path, tmp_path / "log", 10)


def test_time_limit(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match=r"did not end within 0\.2 s"):
        run_tool(["sleep", "5"], tmp_path, tmp_path / "log", 0.2)
