# SPDX-License-Identifier: Apache-2.0
"""Tests that the Tcl script for Vivado and the .hwh for pynq describe the same block design."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import vendor_tcl

from ese_hls.project.project import PRJ
from ese_host.boards import block_design, hwh
from ese_host.boards import processor as blockdesign
from ese_host.boards.board import board_names, load_board
from ese_host.errors import FormatError, MismatchError
from ese_host.files.jinja import templates
from ese_host.image.design import Design
from ese_host.ir.activations import Activation
from ese_host.ir.fixed import Fixed

ANSWERS = """
proc glob {args} { return design.hwh }
proc get_property {what args} { if {$what eq "SLACK"} { return SLACK_VALUE }; return 100% }
proc get_board_parts {args} { return BOARD_PARTS }
"""


def design(clock_mhz: int = 125) -> Design:
    gate = Activation("hard_sigmoid", Fixed(8, 0, signed=False), 1 << 14, 1 << 15)
    cell = Activation("hard_tanh", Fixed(8, 1), 1 << 15, 0)
    return Design(
        "int4", 4, 2, 1, 24, 1, 64, 4, 16, 16, 16, 4, Fixed(8, 1), Fixed(8, 1), Fixed(8, 1), gate, cell, clock_mhz
    )


def script(board: str) -> str:
    names: dict[str, Any] = {"board": load_board(board), "design": design(), "prj": PRJ, "flow": "hls"}
    names |= {"ps": blockdesign.processor_of(board), "system": blockdesign.SYSTEM}
    return (
        templates("ese_hls.project")
        .get_template("bitstream.tcl.jinja")
        .render(**names, blocks=block_design.describe(load_board(board), 125))
    )


def calls(
    board: str, folder: Path, slack: str = "0.5", parts: str = "a:b:part0:1.0", prelude: str = ""
) -> list[list[str]]:
    """The vendor commands that the script calls under tclsh."""
    (folder / PRJ / "solution1/impl/ip").mkdir(parents=True)
    (folder / "bitstream.tcl").write_text(script(board))
    answers = ANSWERS.replace("SLACK_VALUE", slack).replace("BOARD_PARTS", f"{{{parts}}}")
    return vendor_tcl.run(folder / "bitstream.tcl", answers + prelude)


def from_tcl(found: list[list[str]]) -> dict[str, Any]:
    cells, parameters, wires, buses, segments = {}, {}, set(), set(), set()
    for name, *words in found:
        if name == "create_bd_cell":
            cells[words[-1]] = words[words.index("-vlnv") + 1]
        elif name == "set_property" and words[0] == "-dict":
            pairs = words[1].split()
            parameters[words[2]] = {k.removeprefix("CONFIG."): v for k, v in zip(pairs[::2], pairs[1::2], strict=True)}
        elif name == "connect_bd_net":
            wires.add((words[0], frozenset(words[1:])))
        elif name == "connect_bd_intf_net":
            buses.add((words[0], words[1]))
        elif name == "assign_bd_address":
            at = {key: words[words.index(key) + 1] for key in ("-offset", "-range", "-target_address_space")}
            slave = words[-2]
            cell, block = slave.split("/")[0], slave.split("/")[-1]
            base = int(at["-offset"], 16)
            segments.add((at["-target_address_space"], cell, block, base, base + int(at["-range"], 16) - 1))
    return {"cells": cells, "parameters": parameters, "wires": wires, "buses": buses, "segments": segments}


def from_hwh(text: str) -> dict[str, Any]:
    """The same dictionary from a .hwh, by its signal and bus names. Wires that belong to a bus are not listed again."""
    cells: dict[Any, Any] = {}
    parameters: dict[Any, Any] = {}
    segments: set[Any] = set()
    drivers: dict[Any, str] = {}
    sinks: dict[Any, set[str]] = {}
    ends: dict[Any, Any] = {}
    for module in ElementTree.fromstring(text).iter("MODULE"):  # noqa: S314 - our own
        name = module.get("INSTANCE")
        cells[name] = module.get("VLNV")
        parameters[name] = {item.get("NAME"): item.get("VALUE") for item in module.findall("PARAMETERS/PARAMETER")}
        physical = {item.get("PHYSICAL") for item in module.iter("PORTMAP")}
        for port in module.findall("PORTS/PORT"):
            if port.get("NAME") not in physical:
                pin, signal = f"{name}/{port.get('NAME')}", port.get("SIGNAME")
                if port.get("DIR") == "O":
                    drivers[signal] = pin
                else:
                    sinks.setdefault(signal, set()).add(pin)
        for bus in module.findall("BUSINTERFACES/BUSINTERFACE"):
            target = bus.get("TYPE") in ("SLAVE", "TARGET")
            ends.setdefault(bus.get("BUSNAME"), {})[target] = f"{name}/{bus.get('NAME')}"
        for item in module.iter("MEMRANGE"):
            base, high = (int(item.get(key) or "", 16) for key in ("BASEVALUE", "HIGHVALUE"))
            way = re.search("MM2S|S2MM", item.get("MASTERBUSINTERFACE") or "")
            space = f"{name}/Data" + (f"_{way.group()}" if way else "")
            segments.add((space, item.get("INSTANCE"), item.get("ADDRESSBLOCK"), base, high))
    wires = {(pin, frozenset(sinks[signal])) for signal, pin in drivers.items()}
    assert set(drivers) == set(sinks)
    buses = {(both[False], both[True]) for both in ends.values()}
    return {"cells": cells, "parameters": parameters, "wires": wires, "buses": buses, "segments": segments}


@pytest.mark.parametrize("board", board_names())
def test_tcl_and_hwh_are_one_block_design(board: str, tmp_path: Path) -> None:
    tcl, handoff = from_tcl(calls(board, tmp_path)), from_hwh(hwh.render(board, design()))
    for what in ("cells", "wires", "buses", "segments"):
        assert tcl[what] == handoff[what], what
    assert len(tcl["cells"]) == 9 and len(tcl["buses"]) == 9 and len(tcl["wires"]) == 10
    for cell, settings in tcl["parameters"].items():
        read = handoff["parameters"][cell]
        assert {name: read[name] for name in settings} == settings
    derived = {cell.name: set(cell.derived) for cell in block_design.describe(load_board(board), 125).cells}
    for cell, read in handoff["parameters"].items():
        assert set(read) == set(tcl["parameters"].get(cell, {})) | derived[cell]


@pytest.mark.parametrize("board", board_names())
def test_what_the_drivers_rely_on(board: str, tmp_path: Path) -> None:
    found, processor = from_tcl(calls(board, tmp_path)), blockdesign.processor_of(board)
    dma = found["parameters"]["axi_dma_0"]
    assert (dma["c_sg_length_width"], dma["c_include_sg"], dma["c_addr_width"]) == (
        "26", "0", str(processor.address_bits),
    )  # fmt: skip
    assert found["parameters"]["clk_wiz_0"]["CLKOUT1_REQUESTED_OUT_FREQ"] == "125.000"
    bases = {cell: base for _, cell, block, base, _ in found["segments"] if block == "Reg"}
    assert bases == {
        "axi_dma_0": processor.dma_base, "ese_0": processor.engine_base, "axi_intc_0": processor.intc_base,
    }  # fmt: skip
    memory = load_board(board).ddr_mib << 20
    assert sum(high + 1 - base for _, _, block, base, high in found["segments"] if block != "Reg") == 2 * memory


@pytest.mark.parametrize("parts", ["a:b:part0:1.0", ""])
@pytest.mark.parametrize("board", board_names())
def test_commands_and_options_are_vivados(board: str, parts: str, tmp_path: Path) -> None:
    found = calls(board, tmp_path, parts=parts)
    vendor_tcl.check(found, vendor_tcl.VIVADO)
    assert any(call[:2] == ["set_property", "board_part"] for call in found) == bool(parts)
    assert [call[0] for call in found][-2:] == ["file_copy", "file_copy"]


def test_missed_timing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"timing is missed by 0\.25 ns at 125 MHz; emit with a lower --clock-mhz"):
        calls("pynq-z2", tmp_path, slack="-0.25")


@pytest.mark.parametrize(
    ("catalogue", "chosen"),
    [
        ("xilinx.com:ip:axi_intc:4.0 xilinx.com:ip:axi_intc:4.9 xilinx.com:ip:axi_intc:4.10", "4.10"),
        ("xilinx.com:ip:axi_intc:4.1 xilinx.com:ip:axi_intc:4.9 xilinx.com:ip:axi_intc:5.0", "4.1"),
    ],
)
def test_a_core_is_of_the_described_or_of_the_newest_minor_version(catalogue: str, chosen: str, tmp_path: Path) -> None:
    others = "set catalogue [lsearch -all -inline -not -glob $catalogue *:axi_intc:*]; lappend catalogue "
    found = from_tcl(calls("pynq-z2", tmp_path, prelude=others + catalogue))
    assert found["cells"]["axi_intc_0"] == f"xilinx.com:ip:axi_intc:{chosen}"


def test_a_core_that_the_catalogue_lacks_is_named(tmp_path: Path) -> None:
    message = r"the IP catalogue of this Vivado has no xilinx\.com:ip:axi_intc:4\.\* for xc7z020clg400-1; the"
    with pytest.raises(RuntimeError, match=message):
        calls("pynq-z2", tmp_path, prelude="set catalogue [lsearch -all -inline -not -glob $catalogue *:axi_intc:*]")


def test_a_name_that_is_a_keyword_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blockdesign, "SYSTEM", "design")
    with pytest.raises(RuntimeError, match="the tool refuses it: design is a keyword of Verilog"):
        calls("pynq-z2", tmp_path)


def test_the_hwh_of_another_block_design_is_refused() -> None:
    text = hwh.render("pynq-z2", design())
    hwh.check(text, "pynq-z2", design())
    with pytest.raises(MismatchError, match=r"the \.hwh: the cell zynq_ultra_ps_e_0 is None of core absent"):
        hwh.check(text, "zcu104", design())
    with pytest.raises(MismatchError, match="counts lengths in 14 bits; 26 are"):
        hwh.check(text.replace('"c_sg_length_width" VALUE="26"', '"c_sg_length_width" VALUE="14"'), "pynq-z2", design())
    with pytest.raises(MismatchError, match=r"DMA is xilinx\.com:ip:axi_dma:7\.2; pynq's driver is for .*axi_dma:7\.1"):
        hwh.check(text.replace("axi_dma:7.1", "axi_dma:7.2"), "pynq-z2", design())
    with pytest.raises(FormatError, match="no XML"):
        hwh.check("bit", "pynq-z2", design())
