"""docs/parts.md: the engine's own functions through Bambu, pipelined at interval 1, and their area by Yosys.

    PATH=...:$PATH python -m benchmarks.rtl.parts     # bambu, verilator and yosys on PATH
    python -m benchmarks.rtl.parts --page             # no tool needed

Each part of parts.cpp is synthesized from csrc, with the integers that are emitted (ap_int), its RTL simulated on
random arguments against the C++, then counted by Yosys. Results are in docs/parts.json; what has one there of the very
same sources is not run again.
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
from ese_hls.run_tool import run_tool
from ese_host.boards import load_board
from ese_host.estimate import resources
from ese_host.image import WRITEBACK, Design
from ese_host.ir import VALUE_FRAC, tanh_table
from support.compiled_engine import write_sources
from support.rtl import CASES as ENGINES

ROOT = Path(__file__).resolve().parents[2]
SOURCE = Path(__file__).with_name("parts.cpp")
PAGE = ROOT / "docs" / "parts.md"
RECORD = ROOT / "docs" / "parts.json"
VECTORS = 40
CLOCK_NS = 10.0
TIMEOUT = 900.0
ARGUMENTS = {
    "unit": dict.fromkeys(("i0", "i1", "f0", "f1", "g0", "g1", "o0", "o1"), 64)
    | dict.fromkeys(("is", "ib", "fs", "fb", "gs", "gb", "os", "ob", "pi", "pf", "po", "c"), 32)
    | dict.fromkeys(("shifts", "flags", "lowest", "highest"), 32),
    "multiply": {"word": 64, "slot": 2, "full": 1, "x": 18},
    "place": {"next": 16, "first": 1, "gap": 5, "placed": 1, "advance": 16},
    "accumulate": {"tag": 20, "tag0": 20, "value0": 64, "tag1": 20, "value1": 64, "stored": 64, "term": 18},
    "column": {"busy": 1, "word": 16, "slot": 2, "end_word": 16, "end_slot": 2, "waiting": 1}
    | {"next_word": 16, "next_slot": 2, "next_end_word": 16, "next_end_slot": 2},
}
"""Arguments of each part, and how many random bits each gets."""


@dataclass(frozen=True)
class PartCase:
    """A part in a design."""

    part: str
    weights: str = "ternary"
    changes: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """A folder's."""
        return "-".join([self.part, self.weights, *(str(value) for value in self.changes.values())])

    @property
    def design(self) -> Design:
        """The design of an RTL case, with the accumulators that this one asks for."""
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
    """The tanh table as C++, as an image holds it, three copies."""
    values, slopes = tanh_table()
    words = ",".join(f"{int(value) | int(slope) << VALUE_FRAC}u" for value, slope in zip(values, slopes, strict=True))
    return f"static const ese::word_t tanh_rom[3][ese::table_size] = {{{{{words}}},{{{words}}},{{{words}}}}};\n"


def stimuli(part: str) -> str:
    """Random arguments, in Bambu's XML; always the same."""
    chosen = random.Random(2017)  # noqa: S311
    calls = []
    for _ in range(VECTORS):
        words = {name: chosen.getrandbits(bits) for name, bits in ARGUMENTS[part].items()}
        if part == "accumulate":  # a random tag would never be met
            words["tag0"], words["tag1"] = chosen.choices((words["tag"], words["tag0"]), k=2)
        calls.append("<testbench " + " ".join(f"{n}={quoteattr(str(_signed(n, w)))}" for n, w in words.items()) + "/>")
    return "<function>\n" + "\n".join(calls) + "\n</function>\n"


def _signed(name: str, word: int) -> int:
    """A word as the C++ type takes it: two's complement where it is an int."""
    return word - (1 << 32) if name in SIGNED and word >> 31 else word


SIGNED = {"ib", "fb", "gb", "ob", "pi", "pf", "po", "c", "lowest", "highest", "x"}


def write_case_sources(case: PartCase, folder: Path) -> None:
    """The engine's sources, and the parts'."""
    write_sources(folder, case.design)
    (folder / "csrc" / "tanh_rom.h").write_text(rom())
    shutil.copy(SOURCE, folder / "csrc")


def sources(case: PartCase) -> str:
    """Digest of a part's sources and arguments, as they are today."""
    with tempfile.TemporaryDirectory() as folder:
        write_case_sources(case, Path(folder))
        return digest(Path(folder) / "csrc", stimuli(case.part).encode())


def synthesize(case: PartCase, folder: Path) -> dict[str, Any]:
    """Bambu's figures of a part and Yosys's, where RTL and C++ agree on all random arguments.

    Raises:
        ToolError: a tool failed, or they differ.
    """
    fresh(folder)
    write_case_sources(case, folder)
    (folder / "calls.xml").write_text(stimuli(case.part))
    # as for the engine, but that all loops of a part are unrolled: a pipelined function has none
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
        raise click.ClickException(f"{case.name}: {len(calls)} calls simulated of {VECTORS}; see {folder}/bambu.log")
    period = bambu_log.period(log)
    states = re.findall(r"Number of states: (\d+)", log)
    if period is None or not states:
        raise click.ClickException(f"{case.name}: bambu names neither period nor states; see {folder}/bambu.log")
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
    """One line of the page."""
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
    """What `ese4ml estimate` says of one element-wise unit."""
    parts = resources.use(replace(design, cells_per_cycle=1), load_board("pynq-z2"))
    dsps = sum(number for cause, number in parts["dsps"].parts.items() if cause != "PEs")
    return {
        "luts": parts["luts"].parts["element-wise units"],
        "flip_flops": int(parts["flip_flops"].parts["element-wise units"]),
        "dsps": int(dsps),
    }


def page() -> str:
    """docs/parts.md, from docs/parts.json and today's sources."""
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
@click.option("--work", default=ROOT / "build" / "parts", type=click.Path(path_type=Path), help="Folder of the runs.")
@click.option("--page", "only_page", is_flag=True, help="No runs: the page anew.")
def main(work: Path, only_page: bool) -> None:
    record = CachedResults(RECORD)
    for case in () if only_page else tqdm(CASES, unit="part"):
        of = sources(case)
        if not record.current(case.name, of):
            record.put(case.name, of, synthesize(case, work / case.name))
    if not only_page:
        memories.count(record)
    write(PAGE, page())


if __name__ == "__main__":
    main()
