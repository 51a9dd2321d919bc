# SPDX-License-Identifier: Apache-2.0
"""docs/results/parts.md: the engine's own functions through Bambu, pipelined at interval 1, and their area by Yosys.

    PATH=...:$PATH python -m benchmarks.rtl.parts     # bambu, verilator and yosys on PATH
    python -m benchmarks.rtl.parts --page             # no tool needed

Each part of parts.cpp is synthesized from csrc with the emitted integers (ap_int), its RTL is compared with the C++ in
a simulation with random arguments, and Yosys counts its cells. Results are kept in parts.json; a part that has a
result of the same sources is not run again.
"""

from __future__ import annotations

import random
import re
import shutil
import tempfile
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import click
from tqdm import tqdm

from benchmarks.cached_results import CachedResults, digest, fresh
from benchmarks.page import filled, write
from benchmarks.rtl import memories, yosys
from ese_hls.build import bambu, bambu_log
from ese_host.boards import load_board
from ese_host.estimate import resources
from ese_host.image import WRITEBACK, Design
from ese_host.ir import VALUE_FRAC, tanh_table
from ese_host.run_tool import run_tool
from support.compiled_engine import write_sources
from support.rtl import CASES as ENGINES

ROOT = Path(__file__).resolve().parents[2]
SOURCE = Path(__file__).with_name("parts.cpp")
PAGE = ROOT / "docs" / "results" / "parts.md"
RECORD = ROOT / "docs" / "results" / "parts.json"
VECTORS = 40
CLOCK_NS = 10.0
TIMEOUT = 900.0
ARGUMENTS = {
    "unit": dict.fromkeys(("i0", "i1", "f0", "f1", "g0", "g1", "o0", "o1"), 64)
    | dict.fromkeys(("is", "ib", "fs", "fb", "gs", "gb", "os", "ob", "pi", "pf", "po", "c"), 32)
    | dict.fromkeys(("shifts", "flags", "lowest", "highest"), 32),
    "multiply": {"word": 64, "slot": 2, "full": 1, "x": 18},
    "place": {"next": 16, "first": 1, "gap": 5, "placed": 1, "advance": 16},
    "accumulate": {"tag": 19, "tag0": 19, "value0": 64, "tag1": 19, "value1": 64, "stored": 64, "term": 18},
    "column": {"busy": 1, "word": 16, "slot": 2, "end_word": 16, "end_slot": 2, "waiting": 1}
    | {"next_word": 16, "next_slot": 2, "next_end_word": 16, "next_end_slot": 2},
}
"""Arguments of each part, and the number of random bits of each."""


@dataclass(frozen=True)
class PartCase:
    """A part of the engine in a design.

    Attributes:
        part: name of the function in parts.cpp.
        weights: kind of the weight codes.
        changes: fields of the design that differ from the RTL case's.
    """

    part: str
    weights: str = "ternary"
    changes: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Name of the case, of its folder and of its result."""
        return "-".join([self.part, self.weights, *(str(value) for value in self.changes.values())])

    @property
    def design(self) -> Design:
        """The design of an RTL case (`support.rtl`) with 5 gap bits and the changes."""
        mode = "skip" if self.part == "column" else f"{self.weights}-4"
        return replace(ENGINES[mode].make()[1], gap_bits=5, **self.changes)


NARROW = {"acc_bits": 24, "acc_banks": 1}
CASES = (
    PartCase("unit", changes=NARROW),
    PartCase("unit", changes={"acc_bits": 24, "acc_banks": 2}),
    PartCase("unit", changes={"acc_bits": 36, "acc_banks": 1}),
    PartCase("multiply", changes=NARROW),
    PartCase("multiply", "int4", {"acc_bits": 28, "acc_banks": 1}),
    PartCase("multiply", "int16", {"acc_bits": 40, "acc_banks": 1}),
    PartCase("place", changes=NARROW),
    PartCase("accumulate", changes=NARROW),
    PartCase("accumulate", changes={"acc_bits": 48, "acc_banks": 1}),
    PartCase("column"),
)


def rom() -> str:
    """C++ text of three copies of the tanh table, in an image's format."""
    values, slopes = tanh_table()
    words = ",".join(f"{int(value) | int(slope) << VALUE_FRAC}u" for value, slope in zip(values, slopes, strict=True))
    return f"static const ese::word_t tanh_rom[3][ese::table_size] = {{{{{words}}},{{{words}}},{{{words}}}}};\n"


def stimuli(part: str) -> str:
    """Random arguments of a part in Bambu's XML, the same on every call."""
    chosen = random.Random(2017)  # noqa: S311
    calls = []
    for _ in range(VECTORS):
        words = {name: chosen.getrandbits(bits) for name, bits in ARGUMENTS[part].items()}
        if part == "accumulate":  # random tags would never be equal
            words["tag0"], words["tag1"] = chosen.choices((words["tag"], words["tag0"]), k=2)
        calls.append("<testbench " + " ".join(f"{n}={quoteattr(str(_signed(n, w)))}" for n, w in words.items()) + "/>")
    return "<function>\n" + "\n".join(calls) + "\n</function>\n"


def _signed(name: str, word: int) -> int:
    """The value of a 32-bit word in the argument's C++ type: two's complement if the argument is signed."""
    return word - (1 << 32) if name in SIGNED and word >> 31 else word


SIGNED = {"ib", "fb", "gb", "ob", "pi", "pf", "po", "c", "lowest", "highest", "x"}
"""Arguments whose C++ type is int."""


def write_case_sources(case: PartCase, folder: Path) -> None:
    """Write the engine's sources and those of the parts into a folder."""
    write_sources(folder, case.design)
    (folder / "csrc" / "tanh_rom.h").write_text(rom())
    shutil.copy(SOURCE, folder / "csrc")


def sources(case: PartCase) -> str:
    """Digest of a part's present sources and arguments."""
    with tempfile.TemporaryDirectory() as folder:
        write_case_sources(case, Path(folder))
        return digest(Path(folder) / "csrc", stimuli(case.part).encode())


def synthesize(case: PartCase, folder: Path) -> dict[str, Any]:
    """Synthesize a part, simulate it, and return the figures of Bambu and Yosys.

    Raises:
        ToolError: if a tool fails, or RTL and C++ differ.
        click.ClickException: if Bambu's log lacks a figure or calls.
    """
    fresh(folder)
    write_case_sources(case, folder)
    (folder / "calls.xml").write_text(stimuli(case.part))
    # as for the engine, except that all loops of a part are unrolled: a pipelined function may have no loop
    front_end = " ".join(bambu.FRONT_END).replace("unroll-full-max-count=4", "unroll-full-max-count=32")
    command = [
        bambu.find_tool(),
        f"csrc/{SOURCE.name}",
        "-Icsrc",
        f"--top-fname={case.part}",
        "--compiler=I386_CLANG16",
        "-O1",
        f"--extra-gcc-options={front_end}",
        f"--clock-period={CLOCK_NS:g}",
        f"--device-name={bambu.DEVICES['zynq-7000']}",
        "--generate-tb=calls.xml",
        "--simulate",
        "--simulator=VERILATOR",
        "-v2",
    ]
    run_tool(command, folder, folder / "bambu.log", TIMEOUT, {"MAKEFLAGS": bambu.MAKE})
    log = (folder / "bambu.log").read_text()
    bambu_log.check(log)
    calls = bambu_log.clocks((folder / "results.txt").read_text())
    if len(calls) != VECTORS:
        raise click.ClickException(
            f"{case.name}: {len(calls)} of {VECTORS} calls were simulated; see {folder}/bambu.log"
        )
    period = bambu_log.period(log)
    states = re.findall(r"Number of states: (\d+)", log)
    if period is None or not states:
        raise click.ClickException(
            f"{case.name}: bambu's log does not give both period and states; see {folder}/bambu.log"
        )
    cells = yosys.count(folder, f"{case.part}.v", case.part)
    return {
        "states": int(states[-1]),
        "period_ns": period,
        "calls": len(calls),
        "version": bambu_log.version(log),
        "date": date.today().isoformat(),
        "cells": cells,
    }


def row(case: PartCase, result: dict[str, Any]) -> dict[str, Any]:
    """Values of one row of the page's table."""
    cells = result["cells"]
    return {
        "case": case,
        "design": case.design,
        "result": result,
        "older": result["sources"] != sources(case),
        "paired": cells["LUTs after pairing"],
        "unpaired": cells["LUTs unpaired"],
        "flip_flops": sum(number for name, number in cells.items() if name.startswith("FD")),
        "shift_registers": sum(number for name, number in cells.items() if name.startswith("SRL")),
        "dsps": cells.get("DSP48E1", 0),
        "bram18": cells.get("RAMB18E1", 0) + 2 * cells.get("RAMB36E1", 0),
        "estimated": estimated(case.design),
    }


def estimated(design: Design) -> dict[str, float]:
    """LUTs, flip-flops and DSPs of one element-wise unit by `ese4ml estimate`."""
    parts = resources.use(replace(design, cells_per_cycle=1), load_board("pynq-z2"))
    dsps = sum(number for cause, number in parts["dsps"].parts.items() if cause != "PEs")
    return {
        "luts": parts["luts"].parts["element-wise units"],
        "flip_flops": int(parts["flip_flops"].parts["element-wise units"]),
        "dsps": int(dsps),
    }


def page() -> str:
    """The text of docs/results/parts.md, from docs/results/parts.json and the present sources."""
    record = CachedResults(RECORD)
    done = [case for case in CASES if case.name in record.results]
    return filled(
        Path(__file__).with_name("parts.md.jinja"),
        rows=[row(case, record.results[case.name]) for case in done],
        days=record.days([case.name for case in done]),
        version=record.said([case.name for case in done], "version"),
        calls=VECTORS,
        writeback=WRITEBACK,
        memories=memories.rows(record),
    )


@click.command()
@click.option(
    "--work",
    default=ROOT / "build" / "parts",
    type=click.Path(path_type=Path),
    help="Folder of the runs.  [default: build/parts]",
)
@click.option(
    "--page", "only_page", is_flag=True, help="Run nothing; write the page from the results in docs/results/parts.json."
)
def main(work: Path, only_page: bool) -> None:
    """Run the parts that have no current result, and write docs/results/parts.md."""
    record = CachedResults(RECORD)
    for case in () if only_page else tqdm(CASES, unit="part"):
        digest_now = sources(case)
        if not record.current(case.name, digest_now):
            record.put(case.name, digest_now, synthesize(case, work / case.name))
    if not only_page:
        memories.count(record)
    write(PAGE, page())


if __name__ == "__main__":
    main()
