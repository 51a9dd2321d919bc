# SPDX-License-Identifier: Apache-2.0
"""The engine's Verilog as an IP core for Vivado: what the packager must know of its ports, and the script for it."""

from __future__ import annotations

import re

from ese_host.boards import BLOCK_BYTES, Board, processor
from ese_host.files import templates
from ese_host.image import Design
from ese_host.protocol import REGISTERS
from ese_rtl.flow.emulation import check
from ese_rtl.simulate import TOP, verilog

VERILOG, SCRIPT = f"rtl/{TOP}.v", "rtl/package_ip.tcl"
"""The files of a project."""
STREAMS, CONTROL = ("in_r", "out_r"), "s_axi_control"
SIGNALS = {
    "ap_clk": (
        "xilinx.com:signal:clock:1.0 ap_clk CLK",
        f"ASSOCIATED_BUSIF {':'.join((*STREAMS, CONTROL))}, ASSOCIATED_RESET ap_rst_n",
    ),
    "ap_rst_n": ("xilinx.com:signal:reset:1.0 ap_rst_n RST", "POLARITY ACTIVE_LOW"),
    "interrupt": ("xilinx.com:signal:interrupt:1.0 interrupt INTERRUPT", "SENSITIVITY LEVEL_HIGH"),
}
"""Interface and parameters of the ports that are no part of a bus, as attributes in the Verilog."""
PARAMETERS = {f"C_{CONTROL.upper()}_DATA_WIDTH": 32, f"C_{CONTROL.upper()}_ADDR_WIDTH": 7}
"""Parameters of the core that pynq and Vivado look for, with their only values."""
_PORT = re.compile(r"^  (?:input|output) (?:\[\d+:0\] )?(\w+) *;$", re.MULTILINE)
_TOP = re.compile(rf"^module {TOP}\(", re.MULTILINE)


def project_files(design: Design, board: Board) -> dict[str, str]:
    """The files that a project of this flow has besides those of every project: texts by path in the project.

    Args:
        design: the design.
        board: the board that the project is for.

    Raises:
        UnsupportedError: if the engine in RTL cannot make the design.
        ToolError: if Yosys fails.
    """
    check(design)
    vendor, library, name, version = processor.ENGINE_VLNV.split(":")
    script = (
        templates(__package__)
        .get_template("package_ip.tcl.jinja")
        .render(
            board=board, control=CONTROL, design=design, library=library, name=name, range=BLOCK_BYTES,
            registers=REGISTERS, top=TOP, vendor=vendor, version=version,
        )
    )  # fmt: skip
    return {VERILOG: described(verilog(design, primitive=True)), SCRIPT: script}


def described(text: str) -> str:
    """The Verilog of a core with attributes from which Vivado's packager knows the interface of each port.

    Args:
        text: the Verilog, in the form in which Yosys writes it.
    """
    start = _TOP.search(text)
    if start is None:
        raise ValueError(f"the Verilog has no module {TOP}")
    end = text.index("\nendmodule", start.end())
    parameters = ", ".join(f"parameter {name} = {value}" for name, value in PARAMETERS.items())
    body = _PORT.sub(lambda found: _attributes(found[1]) + found[0], text[start.end() : end])
    return f"{text[: start.start()].lstrip()}module {TOP} #({parameters}) ({body}{text[end:]}"


def _attributes(port: str) -> str:
    """The lines of attributes of a port."""
    if port in SIGNALS:
        info, parameters = SIGNALS[port]
        lines = [f'(* X_INTERFACE_INFO = "{info}" *)', f'(* X_INTERFACE_PARAMETER = "{parameters}" *)']
    else:
        bus, _, signal = port.rpartition("_")
        kind = "aximm" if bus == CONTROL else "axis"
        lines = [f'(* X_INTERFACE_INFO = "xilinx.com:interface:{kind}:1.0 {bus} {signal}" *)']
    return "".join(f"  {line}\n" for line in lines)
