# SPDX-License-Identifier: Apache-2.0
"""Tests that the emitted Tcl scripts use only commands and arguments that the vendor documents."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import vendor_tcl
from vendor_tcl import VITIS_HLS, VIVADO

from ese_hls.project import vectors
from support.keras_models.plugin_models import classifier, convert

ANSWERS = """
proc get_property {what args} { record get_property $what {*}$args; expr {$what eq "SLACK" ? 0.5 : "100%"} }
rename glob tcl_glob
proc glob {args} { if {[string match *.hwh [lindex $args end]]} { return design.hwh } else { tcl_glob {*}$args } }
"""
STEPS = ["csim", "cosim", "export", "synth"]
SCRIPTS = {"build_prj.tcl": VITIS_HLS, "vivado_synth.tcl": VIVADO, "bitstream.tcl": VIVADO}


@pytest.fixture(scope="module")
def emitted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tcl") / "out"
    convert(classifier(), folder).write()
    (folder / "ese_top_prj/solution1/impl/ip").mkdir(parents=True)
    (folder / "ese_top_prj/solution1/syn/verilog").mkdir(parents=True)
    (folder / "ese_top_prj/solution1/syn/verilog/ese_top.v").touch()
    return folder


@pytest.fixture
def project(emitted: Path, tmp_path: Path) -> Path:
    shutil.copytree(emitted, tmp_path / "project")
    return tmp_path / "project"


def checked(project: Path, script: str) -> list[list[str]]:
    calls = vendor_tcl.run(project / script, ANSWERS)
    vendor_tcl.check(calls, SCRIPTS[script])
    return calls


@pytest.mark.parametrize("reset", [0, 1])
@pytest.mark.parametrize("step", STEPS)
def test_vitis_hls(step: str, reset: int, project: Path) -> None:
    (project / "build_opt.tcl").write_text(
        f"array set opt {{reset {reset} csim 0 synth 0 cosim 0 export 0 {step} 1}}\n"
    )
    calls = checked(project, "build_prj.tcl")
    assert calls[0] == ["open_project", *(["-reset"] if reset else []), "ese_top_prj"]
    steps = {"csim": ["csim_design"], "synth": ["csynth_design"], "cosim": ["csynth_design", "cosim_design"]}
    steps["export"] = ["csynth_design", "export_design"]
    assert [call[0] for call in calls if call[0].endswith("_design")] == steps[step]
    assert ["set_part", "xc7z020clg400-1"] in calls
    assert ["create_clock", "-period", "10.000", "-name", "default"] in calls
    files = [call[-1] if "-cflags" not in call else call[-3] for call in calls if call[0] == "add_files"]
    assert len(files) == (3 if step in ("csim", "cosim") else 1)


def test_all_but_reset_is_done_by_default(project: Path) -> None:
    steps = [call[0] for call in checked(project, "build_prj.tcl") if call[0].endswith("_design")]
    assert steps == ["csim_design", "csynth_design", "cosim_design", "export_design"]


def test_cosimulation_is_short(project: Path) -> None:
    (cosim,) = (call for call in checked(project, "build_prj.tcl") if call[0] == "cosim_design")
    packets, answers = (vectors.read(project / name) for name in cosim[cosim.index("-argv") + 1].split())
    whole = vectors.read(project / "tb" / vectors.INPUT)
    assert [len(packet) for packet in packets] == [len(whole[0]), len(packets[1])]
    assert len(packets[1]) < len(whole[1]) / 4
    assert answers[1][-4] == vectors.SHORT_STEPS  # the trailer's number of steps, before cycles and CRC


@pytest.mark.parametrize(
    ("line", "without"),
    [
        ("    file mkdir [file join $here ip]\n", "no folder"),
        (" [file join $here tb]\n", "no file"),
    ],
)
def test_what_is_not_there_is_refused(line: str, without: str, project: Path) -> None:
    script = project / "build_prj.tcl"
    text = script.read_text()
    assert line in text
    script.write_text(text.replace(line, "\n" if without == "no folder" else " tb2\n"))
    with pytest.raises(RuntimeError, match=f"the tool refuses it: {without}"):
        checked(project, "build_prj.tcl")


def test_vivado_hls_is_refused(project: Path) -> None:
    name = """
rename info tcl_info
proc info {what args} {
    if {$what eq "nameofexecutable"} { return /opt/vivado_hls }
    uplevel 1 [list tcl_info $what {*}$args]
}
"""
    with pytest.raises(RuntimeError, match=r"this is Vivado HLS; the engine needs Vitis HLS 2022\.2 or newer: run"):
        vendor_tcl.run(project / "build_prj.tcl", name)


def test_vivado_synthesis(project: Path) -> None:
    calls = checked(project, "vivado_synth.tcl")
    assert ["synth_design", "-top", "ese_top", "-part", "xc7z020clg400-1", "-mode", "out_of_context"] in calls
    constraint = (project / "vivado_synth.xdc").read_text()
    assert constraint == "create_clock -period 10.000 -name ap_clk [get_ports ap_clk]\n"


def test_bitstream(project: Path) -> None:
    names = [call[0] for call in checked(project, "bitstream.tcl")]
    assert names[-2:] == ["file_copy", "file_copy"]


def test_vivado_synthesis_needs_verilog(project: Path) -> None:
    shutil.rmtree(project / "ese_top_prj")
    with pytest.raises(RuntimeError, match=r"there is no Verilog in ese_top_prj; run build_prj\.tcl with synth"):
        checked(project, "vivado_synth.tcl")


@pytest.mark.parametrize(
    ("script", "right", "wrong", "message"),
    [
        ("build_prj.tcl", "csynth_design", "csynth_desing", "csynth_desing : no such command"),
        ("build_prj.tcl", "-flow_target vivado", "-flowtarget vivado", "open_solution: no option -flowtarget"),
        ("build_prj.tcl", "-period 10.000", "-period", "create_clock: -period lacks its value"),
        ("build_prj.tcl", "set_top ese_top", "set_top", "set_top: 0 arguments; 1 to 1 are documented"),
        ("build_prj.tcl", "-vendor xilinx.com", "xilinx.com", "export_design: 1 arguments; 0 to 0 are documented"),
        ("vivado_synth.tcl", "read_verilog", "read_verlog", "read_verlog .*: no such command"),
        ("vivado_synth.tcl", "-mode out", "-modus out", "synth_design: no option -modus"),
        ("bitstream.tcl", "validate_bd_design", "validate_bd_desing", "validate_bd_desing : no such command"),
        ("bitstream.tcl", "-vlnv", "-vnlv", "create_bd_cell: no option -vnlv"),
        ("bitstream.tcl", "wait_on_run impl_1", "wait_on_run", "wait_on_run: 0 arguments; 1 to 1 are documented"),
        ("bitstream.tcl", "-jobs 4", "-jobs", "launch_runs: -jobs lacks its value"),
        ("bitstream.tcl", "[current_project]", "", "set_property: 2 arguments; 3 to 3 are documented"),
        ("bitstream.tcl", "[get_bd_pins", "[get_bd_pin", "get_bd_pin .*: no such command"),
    ],
)
def test_a_typo_does_not_pass(script: str, right: str, wrong: str, message: str, project: Path) -> None:
    text = (project / script).read_text()
    assert right in text
    (project / script).write_text(text.replace(right, wrong))
    with pytest.raises(ValueError, match=f"^{message}$"):
        checked(project, script)
