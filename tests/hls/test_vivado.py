"""From a project to a board's design folder, with stand-ins for Vitis HLS and Vivado."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from plugin_models import classifier, convert

from ese_hls import cli, vivado
from ese_hls.project import Project
from ese_hls.run_tool import ToolError
from ese_host import hwh, manifest
from ese_host.errors import MismatchError, MissingError

BIT = b"\x00\x09 no real bitstream"


@pytest.fixture(scope="module")
def emitted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("vivado") / "project"
    convert(classifier(), folder).write()
    (folder / "testset.npz").write_bytes(b"a test set")
    return folder


@pytest.fixture
def tools(emitted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`vitis_hls` that leaves an IP core, `vivado` that leaves what stands in `made`; returns that folder."""
    project, made, path = Project.open(emitted), tmp_path / "made", tmp_path / "bin"
    made.mkdir()
    path.mkdir()
    (made / "design.bit").write_bytes(BIT)
    (made / "design.hwh").write_text(hwh.render(project.board.name, project.design))
    (made / "utilization.rpt").write_text("| Slice LUTs | 12345 |")
    (made / "timing.rpt").write_text("WNS 0.123")
    scripts = {
        "vitis_hls": f'[ "$1" = -version ] && echo "Vitis HLS v2022.2.1" && exit 0\nmkdir -p {vivado.IP}',
        "vivado": f'[ "$1" = -version ] && echo "vivado v2022.2 (64-bit)" && exit 0\ntest -d {vivado.IP} && '
        f'[ "$6" = bitstream.tcl ] && cp {made}/* .',
    }
    for name, script in scripts.items():
        (path / name).write_text(f"#!/bin/sh\n{script}\n")
        (path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{path}:/usr/bin:/bin")
    return made


def build(project: Path, out: Path) -> Any:
    return CliRunner().invoke(cli.build, [str(project), "--with", "vivado", "--out", str(out), "--json"])


def test_bitstream_reports_and_all_that_a_board_needs(emitted: Path, tools: Path, tmp_path: Path) -> None:
    done = build(emitted, tmp_path / "bits")
    assert done.exit_code == 0, done.output
    folder = manifest.Folder.open(tmp_path / "bits")
    folder.check()
    assert folder.manifest.kind == "bitstream" and folder.manifest.board == "pynq-z2"
    assert set(folder.manifest.files) == {
        "design.bit", "design.hwh", "image.bin", "golden.npz", "testset.npz", "utilization.rpt", "timing.rpt",
    }  # fmt: skip
    assert folder.manifest.tools["vivado"] == "v2022.2"
    assert folder.manifest.tools["vitis"] == "v2022.2.1"
    assert folder.file("design.bit").read_bytes() == BIT
    assert json.loads(done.stdout)["kind"] == "bitstream"


def test_another_block_design_is_refused(emitted: Path, tools: Path, tmp_path: Path) -> None:
    (tools / "design.hwh").write_text(hwh.render("zcu104", Project.open(emitted).design))
    with pytest.raises(MismatchError, match=r"the \.hwh lacks"):
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
