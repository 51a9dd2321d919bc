# SPDX-License-Identifier: Apache-2.0
"""A run of Yosys that maps a module to the cells of a 7-series FPGA."""

from __future__ import annotations

import json
import tempfile
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from amaranth.back import rtlil

from ese_host.estimate import Count
from ese_host.files import digest_of
from ese_host.image import Design
from ese_rtl import simulate
from ese_rtl.count.levels import LogicPath, paths_of
from ese_rtl.count.statistics import cells_of, count_of

FLAGS = "-widemux 5"
"""Options of synth_xilinx beside those that always hold: multiplexers of five inputs or more use the slice's own."""
SYNTHESIS = "synth_xilinx -top {top} -family xc7 -flatten -noiopad -noclkbuf"
TIMEOUT = 3600.0


@dataclass(frozen=True)
class Run:
    """The result of one run of Yosys.

    Attributes:
        count: what the module takes.
        paths: the longest path to each input of a register, the longest one first.
        flags: options of synth_xilinx that were given.
        seconds: duration.
        yosys: version of Yosys.
    """

    count: Count
    paths: list[LogicPath]
    flags: str
    seconds: float
    yosys: str


def text_of(module: Any) -> str:
    """The RTLIL of an engine, with DSP48E1s, if a design is given, or of a component.

    It does not say where in the source a line comes from, so that moved code is the same text.
    """
    if isinstance(module, Design):
        return simulate.rtlil_of(module, primitive=True)
    text: str = rtlil.convert(module, name=simulate.TOP, emit_src=False)
    return text


def digest(text: str) -> str:
    """The SHA-256 of RTLIL."""
    return digest_of(text.encode())


@dataclass(frozen=True)
class Mapped:
    """A module that Yosys has mapped.

    Attributes:
        report: of `stat -tech xilinx`.
        netlist: the module in the form of `write_json`.
        seconds: that the mapping took.
    """

    report: str
    netlist: dict[str, Any]
    seconds: float


def mapped(module: Any, flags: str = FLAGS, timeout: float = TIMEOUT) -> Mapped:
    """Map an engine or a part of it to the cells of a 7-series FPGA.

    Args:
        module: a design, whose engine is mapped; a component; or RTLIL of `simulate.TOP`.
        flags: further options of synth_xilinx.
        timeout: seconds after which Yosys is stopped.

    Raises:
        ToolError: if Yosys fails or takes longer.
    """
    text = module if isinstance(module, str) else text_of(module)
    with tempfile.TemporaryDirectory(prefix="ese4ml-count-") as name:
        folder = Path(name)
        (folder / "top.il").write_text(simulate.without_zeros(text), encoding="utf-8")
        synthesis = f"{SYNTHESIS.format(top=simulate.TOP)} {flags}".strip()
        begin = time.monotonic()
        results = ("tee -o cells.txt stat -tech xilinx", "write_json cells.json")
        simulate.run_yosys(("read_rtlil top.il", synthesis, *results), folder, timeout)
        seconds = time.monotonic() - begin
        report = (folder / "cells.txt").read_text(encoding="utf-8")
        netlist = json.loads((folder / "cells.json").read_text(encoding="utf-8"))
    return Mapped(report, netlist["modules"][simulate.TOP], seconds)


def count(module: Any, flags: str = FLAGS, timeout: float = TIMEOUT) -> Run:
    """Count the cells that Yosys makes of an engine or a part of it.

    Args:
        module: a design, whose engine is counted; a component; or RTLIL of `simulate.TOP`.
        flags: further options of synth_xilinx.
        timeout: seconds after which Yosys is stopped.

    Raises:
        ToolError: if Yosys fails or takes longer.
        ValueError: if Yosys's report lacks what is to be counted.
    """
    found = mapped(module, flags, timeout)
    paths = paths_of(found.netlist)
    levels = paths[0].levels if paths else 0.0
    return Run(count_of(*cells_of(found.report), levels), paths, flags, round(found.seconds, 1), version("pyosys"))
