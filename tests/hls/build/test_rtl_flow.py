# SPDX-License-Identifier: Apache-2.0
"""Tests of the flow "rtl": its projects, their scripts for Vivado, their builds, and what is refused by name."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import stand_ins
import vendor_tcl
from click.testing import CliRunner, Result
from vendor_tcl import PACKAGER, VIVADO

from ese_hls import flows
from ese_hls.build import build_project, vitis
from ese_hls.build.bambu import build_project as prove
from ese_hls.lower.options import ConversionOptions
from ese_hls.project.project import Project
from ese_host.boards import BLOCK_BYTES, processor
from ese_host.bundle.folder import Folder
from ese_host.cli.main import main
from ese_host.device.emulated import EmulatedEngine
from ese_host.errors import MissingError, UnsupportedError
from ese_host.protocol import REGISTERS, TRAILER_WORDS, load_packet, read_trailer
from ese_rtl.flow.packaging import described
from support.core_stand_in import installed
from support.keras_models.plugin_models import classifier, convert, inputs

ANSWERS = """
namespace eval ipx {
    proc current_core {} { record ipx::current_core; return core }
    proc get_memory_maps {args} { record ipx::get_memory_maps {*}$args; return inferred }
}
proc get_property {what args} { record get_property $what {*}$args; expr {$what eq "SLACK" ? 0.5 : "100%"} }
proc glob {args} { return design.hwh }
"""
SCRIPTS = {"rtl/package_ip.tcl": PACKAGER, "bitstream.tcl": PACKAGER | VIVADO, "vivado_synth.tcl": VIVADO}


def call(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture(scope="module", autouse=True)
def stand_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with installed(), pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Any:
    made = convert(classifier(), tmp_path_factory.mktemp("rtl") / "project", PEs=4, Flow="rtl")
    made.write()
    return made


@pytest.fixture(scope="module")
def emitted(graph: Any) -> Path:
    return Path(graph.config.get_output_dir())


@pytest.fixture
def project(emitted: Path, tmp_path: Path) -> Path:
    shutil.copytree(emitted, tmp_path / "project")
    return tmp_path / "project"


def test_a_project_has_verilog_in_place_of_scripts_for_vitis_hls(emitted: Path) -> None:
    opened = Project.open(emitted)
    assert opened.flow == "rtl" and opened.design.pes == 4 and opened.design.cells_per_cycle == 1
    names = {str(path.relative_to(emitted)) for path in emitted.rglob("*") if path.is_file()}
    assert {"rtl/ese_top.v", "rtl/package_ip.tcl", "bitstream.tcl", "vivado_synth.tcl", "image.bin"} <= names
    assert not {"build_prj.tcl", "project.tcl"} & names
    text = (emitted / "README.md").read_text()
    assert "rtl/ese_top.v" in text and "build_prj.tcl" not in text and "vitis_hls" not in text
    assert json.loads((emitted / "design.json").read_text())["flow"] == "rtl"


def test_the_packager_finds_every_port_in_an_interface(emitted: Path) -> None:
    text = (emitted / "rtl/ese_top.v").read_text()
    begin = text.index("\nmodule ese_top #(parameter C_S_AXI_CONTROL_DATA_WIDTH = 32,")
    lines = text[begin : text.index("\nendmodule", begin)].splitlines()
    ports = [number for number, line in enumerate(lines) if line.startswith(("  input ", "  output "))]
    infos = [next(line for line in lines[number - 2 : number] if "X_INTERFACE_INFO" in line) for number in ports]
    found = {line.split('"')[1].split(":", 3)[2] + " " + " ".join(line.split('"')[1].split()[1:]) for line in infos}
    assert len(found) == len(ports) == 32
    assert {"clock ap_clk CLK", "reset ap_rst_n RST", "axis in_r TDATA", "aximm s_axi_control RREADY"} <= found
    assert "ASSOCIATED_BUSIF in_r:out_r:s_axi_control, ASSOCIATED_RESET ap_rst_n" in "\n".join(lines)
    with pytest.raises(ValueError, match="no module ese_top"):
        described("module other(a);\nendmodule\n")


@pytest.mark.parametrize("script", SCRIPTS)
def test_scripts_use_what_is_documented(script: str, project: Path) -> None:
    calls = vendor_tcl.run(project / script, ANSWERS)
    vendor_tcl.check(calls, SCRIPTS[script])
    assert "launch_runs" in {call[0] for call in calls} or script != "bitstream.tcl"
    if script == "vivado_synth.tcl":
        assert ["read_verilog", str(project / "rtl/ese_top.v")] in calls


def test_the_packaged_core_is_the_one_of_the_block_design(project: Path) -> None:
    calls = vendor_tcl.run(project / "bitstream.tcl", ANSWERS)
    (package,) = (call for call in calls if call[0] == "ipx::package_project")
    options = {word: package[place + 1] for place, word in enumerate(package[:-1]) if word.startswith("-")}
    values = {(call[1], call[3]): call[2] for call in calls if call[0] == "set_property" and len(call) == 4}
    vlnv = [options["-vendor"], options["-library"], values["name", "core"], values["version", "core"]]
    assert ":".join(vlnv) == processor.ENGINE_VLNV
    repositories = [call[2] for call in calls if call[:2] == ["set_property", "ip_repo_paths"]]
    assert repositories == [options["-root_dir"]] == [str(project / "rtl/ip")]
    assert ["ipx::remove_memory_map", "100%", "core"] in calls  # the map that the packager inferred
    assert ["ipx::add_address_block", "Reg", "s_axi_control"] in calls  # as in the block design's segment
    assert values["range", "Reg"] == str(BLOCK_BYTES)
    offsets = {call[1]: int(values["address_offset", call[1]], 16) for call in calls if call[0] == "ipx::add_register"}
    assert offsets == {name: register.offset for name, register in REGISTERS.items()}
    order = [call[0] for call in calls]
    assert order.index("ipx::save_core") < order.index("close_project") < order.index("update_ip_catalog")


@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [
        ("ipx::save_core", "ipx::save_cores", "ipx::save_cores core: no such command"),
        ("-taxonomy", "-taxnomy", "ipx::package_project: no option -taxnomy"),
        (
            "ipx::add_register $name $block",
            "ipx::add_register",
            "ipx::add_register: 0 arguments; 1 to 2 are documented",
        ),
    ],
)
def test_a_typo_in_the_packaging_does_not_pass(right: str, wrong: str, message: str, project: Path) -> None:
    script = project / "rtl/package_ip.tcl"
    text = script.read_text()
    assert right in text
    script.write_text(text.replace(right, wrong))
    with pytest.raises(ValueError, match=f"^{message}$"):
        vendor_tcl.check(vendor_tcl.run(script, ANSWERS), PACKAGER)


def test_a_bitstream_needs_vivado_and_no_vitis_hls(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_ins.install(project, tmp_path, monkeypatch)
    (tmp_path / "bin" / "vitis_hls").unlink()
    vivado = tmp_path / "bin" / "vivado"
    vivado.write_text(vivado.read_text().replace(f"test -d {vitis.IP} &&", "test -f rtl/package_ip.tcl &&"))
    done = call("build", project, "--with", "vivado", "--out", tmp_path / "bits")
    assert done.exit_code == 0, done.output
    manifest = Folder.open(tmp_path / "bits").manifest
    assert manifest.kind == "bitstream" and manifest.engine == "rtl" and "vitis" not in manifest.tools


def test_an_emulated_bitstream_of_the_rtl(project: Path, tmp_path: Path) -> None:
    done = call("build", project, "--out", tmp_path / "bits")
    assert done.exit_code == 0 and "emulated bitstream of the RTL" in done.output, done.output
    folder = Folder.open(tmp_path / "bits")
    folder.check()
    assert folder.manifest.engine == "rtl" and {"verilator", "amaranth", "pyosys", "g++"} <= set(folder.manifest.tools)
    with EmulatedEngine(folder.file("design.bit")) as engine:
        words = np.fromfile(project / "image.bin", dtype="<u4").astype(np.uint32)
        assert read_trailer(engine.packet(load_packet(words), TRAILER_WORDS)).image_id == folder.manifest.image_id
    before = folder.manifest
    assert call("rebuild", tmp_path / "bits").exit_code == 0
    after = Folder.open(tmp_path / "bits").manifest
    assert after.engine == "rtl" and after.tools["verilator"] == before.tools["verilator"]


def test_the_cpp_of_the_same_engine_is_there_too(graph: Any, project: Path, tmp_path: Path) -> None:
    done = call("build", project, "--with", "g++", "--out", tmp_path / "bits", "--json")
    assert done.exit_code == 0, done.output
    manifest = Folder.open(tmp_path / "bits").manifest
    assert manifest.engine == "hls" and "verilator" not in manifest.tools and "engine" not in json.loads(done.stdout)
    graph.compile()
    assert graph.predict(inputs(classifier())).shape[1] == 5


def test_an_hls_project_may_be_simulated_in_rtl_if_the_rtl_has_all_of_it(tmp_path: Path) -> None:
    convert(classifier(), tmp_path / "two", PEs=4).write()
    refused = call("build", tmp_path / "two", "--with", "verilator", "--out", tmp_path / "bits")
    assert refused.exit_code == 2 and "2 element-wise units and no activation window" in refused.output
    convert(classifier(), tmp_path / "one", PEs=4, CellsPerCycle=1).write()
    done = call("build", tmp_path / "one", "--with", "verilator", "--out", tmp_path / "bits")
    assert done.exit_code == 0 and Folder.open(tmp_path / "bits").manifest.engine == "rtl", done.output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"cells_per_cycle": 2, "window": 0},
            r"options cells_per_cycle and window .* are 2 and 0; two element-wise units need a window in RTL: leave",
        ),
        ({"flow": "vhdl"}, r"option flow \(hls_config\['Model'\]\['Flow'\]\) is 'vhdl'; hls or rtl is allowed"),
    ],
)
def test_what_the_rtl_does_not_have_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UnsupportedError, match=f"^{message}"):
        ConversionOptions(**{"flow": "rtl", **options})


@pytest.mark.parametrize(
    ("options", "pes", "window"),
    [
        ({"flow": "rtl"}, 8, 0),
        ({"flow": "rtl"}, 16, 64),
        ({"flow": "rtl", "cells_per_cycle": 2}, 4, 64),
        ({"flow": "rtl", "window": 0}, 64, 0),
        ({"flow": "rtl", "mode": "skip"}, 64, 0),
        ({"flow": "hls"}, 64, 0),
        ({"flow": "hls", "window": 16}, 4, 16),
    ],
)
def test_rtl_has_a_window_where_it_saves_block_ram(options: dict[str, Any], pes: int, window: int) -> None:
    assert ConversionOptions(**options).window_of(pes) == window


def test_steps_of_other_tools_are_refused(graph: Any, project: Path) -> None:
    with pytest.raises(UnsupportedError, match=r"^csim, synth is asked for, but the project's flow is 'rtl'"):
        graph.build()
    refused = call("build", project, "--with", "vitis")
    assert refused.exit_code == 2 and "synth, cosim, export is asked for" in refused.output
    with pytest.raises(UnsupportedError, match=r"^no step is asked for, but the project's flow is 'rtl'"):
        build_project(project, csim=False, synth=False)
    with pytest.raises(UnsupportedError, match=r"the project's flow is 'rtl', whose engine Bambu does not make"):
        prove(Project.open(project))


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flows, "entry_points", lambda **_: [])
    with pytest.raises(MissingError, match=r"^the engine in RTL needs the 'rtl' extra: pip install 'ese4ml\[rtl\]'$"):
        flows.flow("rtl")


def test_a_package_that_the_flow_lacks_is_said_too(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def load(self) -> None:
            raise ModuleNotFoundError("No module named 'amaranth'", name="amaranth")

    monkeypatch.setattr(flows, "entry_points", lambda **_: [Broken()])
    with pytest.raises(MissingError, match=r"^the engine in RTL needs the 'rtl' extra"):
        flows.flow("rtl")
