# SPDX-License-Identifier: Apache-2.0
"""Tests of building a design folder for a board, with stand-ins for Vitis HLS and Vivado."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import stand_ins
from click.testing import CliRunner

from ese_hls.cli import commands
from ese_hls.project.project import Project
from ese_host.boards import hwh
from ese_host.bundle.folder import Folder
from ese_host.errors import MismatchError, MissingError
from ese_host.run_tool import ToolError
from support.keras_models.plugin_models import classifier, convert


@pytest.fixture(scope="module")
def emitted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("vivado") / "project"
    convert(classifier(), folder).write()
    (folder / "testset.npz").write_bytes(b"a test set")
    return folder


@pytest.fixture
def tools(emitted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return stand_ins.install(emitted, tmp_path, monkeypatch)


def build(project: Path, out: Path) -> Any:
    return CliRunner().invoke(commands.build, [str(project), "--with", "vivado", "--out", str(out), "--json"])


def test_bitstream_reports_and_all_that_a_board_needs(emitted: Path, tools: Path, tmp_path: Path) -> None:
    done = build(emitted, tmp_path / "bits")
    assert done.exit_code == 0, done.output
    folder = Folder.open(tmp_path / "bits")
    folder.check()
    assert folder.manifest.kind == "bitstream" and folder.manifest.board == "pynq-z2"
    assert set(folder.manifest.files) == {
        "design.bit", "design.hwh", "image.bin", "golden.npz", "interface.json", "testset.npz",
        "utilization.rpt", "timing.rpt",
    }  # fmt: skip
    assert folder.manifest.tools["vivado"] == "v2022.2"
    assert folder.manifest.tools["vitis"] == "v2022.2.1"
    assert folder.file("design.bit").data == stand_ins.BIT
    shown = json.loads(done.stdout)
    assert shown["kind"] == "bitstream"
    assert shown["figures"]["implementation"]["timing"]["setup_ns"] == 1.234


def test_another_block_design_is_refused(emitted: Path, tools: Path, tmp_path: Path) -> None:
    (tools / "design.hwh").write_text(hwh.render("zcu104", Project.open(emitted).design))
    with pytest.raises(MismatchError, match=r"the \.hwh: the cell processing_system7_0 is None of core absent"):
        raise build(emitted, tmp_path / "bits").exception
    assert not (tmp_path / "bits").exists()


def test_what_an_earlier_run_left_is_not_taken_for_a_result(emitted: Path, tools: Path, tmp_path: Path) -> None:
    (emitted / "timing.rpt").write_text("of yesterday")
    (tools / "timing.rpt").unlink()
    with pytest.raises(ToolError, match=r"vivado ended without timing\.rpt; see .*vivado\.log"):
        raise build(emitted, tmp_path / "bits").exception


def test_without_vivado(emitted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingError, match=r"vivado is not on PATH; .*`ese4ml build --with g\+\+` makes an emulated"):
        raise build(emitted, tmp_path / "bits").exception
