# SPDX-License-Identifier: Apache-2.0
"""docs/results/stages.md: levels of logic and delay of cells in each stage of the engine in RTL, by Yosys.

    python -m benchmarks.rtl.stages            # the engines that have no result of the present source
    python -m benchmarks.rtl.stages --page     # no tool needed

Yosys maps the engine to the cells of a 7-series FPGA, as `make count` does. Levels are counted by `ese_rtl.count`;
arrivals are those of Yosys's `sta`, with the delays of its models of these cells. Results are kept in stages.json.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click
from tqdm import tqdm

from benchmarks.cached_results import CachedResults
from benchmarks.page import filled, write
from ese_rtl.count import CASES, FLAGS, LUTRAM, LogicPath, digest, mapped, paths_of, text_of
from ese_rtl.simulate import TOP, run_yosys

ROOT = Path(__file__).resolve().parents[2]
PAGE, RECORD = ROOT / "docs" / "results" / "stages.md", ROOT / "docs" / "results" / "stages.json"
NAMES = ("ternary-64-window", "ternary-16", "int4-64-window", "ternary-128-window-2")
"""Engines by their names in `ese_rtl.count`; every stage of the first one is shown."""
PARTS = (
    (r"core\.array\.pe_\d+\.mac\b", "PE: DSP, stages 7 to 10"),
    (r"core\.array\.pe_\d+\.acc_", "PE: accumulators, stages 8 and 10"),
    (r"core\.array\.pe_\d+\.\w*?(\d+)\[", "PE: to stage {}"),
    (r"core\.array\.pe_", "PE: registers without a stage"),
    (r"core\.array\.entries", "array: entry memories"),
    (r"core\.array\.vectors\.(?:pe_|value7|place7)", "array: windows, stages 5 to 7"),
    (r"core\.array\.vectors", "array: vector RAMs"),
    (r"core\.array\.drain", "array: drain"),
    (r"core\.array", "array: others"),
    (r"core\.unit_\d\.lane_", "unit: sums of rows"),
    (r"core\.unit_\d\.activation_", "unit: activations"),
    (r"core\.unit_\d\.leaving", "unit: rounding of results"),
    (r"core\.unit_\d", "unit: new c, peephole of o, others"),
    (r"core\.(\w+)\.", "control: {}"),
    (r"core\b", "control: others"),
    (r"packets\.(\w+)\.", "packets: {}"),
    (r"packets\b", "packets: others"),
    (r"registers\b", "registers"),
)
"""Stages by the names of the registers, memories and DSPs that their paths end at; the first match counts."""
ELSE = "ports of the core"
LOGIC = re.compile(r"LUT[1-6]|INV|CARRY4|MUXF[78]")
_LATEST = re.compile(r"Latest arrival time in '\S+' is (\d+):")
_CELL = re.compile(r"^\s+\d+ (\S+) \((\w+)\.\S+\)$", re.MULTILINE)
_INPUT = re.compile(r"^\s+\d+ +(\S+) \(<primary input>\)$", re.MULTILINE)

Json = dict[str, Any]


@dataclass(frozen=True)
class Arrival:
    """The latest arrival that Yosys's `sta` finds.

    Attributes:
        ps: picoseconds of the cells on the path; wires have none.
        begin: register, memory or DSP that the path comes from.
        end: the one that it ends at.
    """

    ps: int
    begin: str
    end: str


def stage_of(name: str) -> str:
    """The stage of a register, memory, DSP or port, by its name."""
    for pattern, stage in PARTS:
        if found := re.match(pattern, name):
            return stage.format(*found.groups())
    return ELSE


def named(netlist: Mapping[str, Any]) -> Json:
    """The cells of a module, those that a clock drives named by what they hold, as `ese_rtl.count` names them."""
    names: dict[int, str] = {}
    for name, net in sorted(netlist["netnames"].items(), key=lambda item: len(item[0])):
        if not name.startswith("$"):
            names |= {bit: f"{name}[{place}]" for place, bit in enumerate(net["bits"]) if isinstance(bit, int)}
    cells: Json = {}
    for name, cell in netlist["cells"].items():
        if cell["type"] == "$scopeinfo":
            continue
        outputs = (names.get(bit) for port in _ports(cell, "output") for bit in cell["connections"][port])
        held = None if LOGIC.fullmatch(cell["type"]) else next((found for found in outputs if found), None)
        cells[held if held and held not in cells else name] = cell
    return cells


def cone(netlist: Mapping[str, Any], cells: Json, ends: Iterable[str]) -> Json:
    """The part of a module that has only the paths to some of its registers, memories or DSPs.

    What a path begins at keeps its clock, and loses its other inputs, so that no other path ends there. Outputs that
    nothing reads are left open.

    Args:
        netlist: the module, for its ports.
        cells: its cells by the names that `named` gives.
        ends: names of the cells at which paths end.
    """
    drivers = {
        bit: name
        for name, cell in cells.items()
        for port in _ports(cell, "output")
        for bit in cell["connections"][port]
    }
    kept: Json = {name: cells[name] for name in ends}
    wanted = [bit for cell in kept.values() for port in _ports(cell, "input") for bit in cell["connections"][port]]
    while wanted:
        name = drivers.get(wanted.pop())
        if name is None or name in kept:
            continue
        cell = cells[name]
        inputs = [port for port in _ports(cell, "input") if _passes(cell["type"], port)]
        clocks = [port for port in _ports(cell, "input") if _is_clock(cell["type"], port)]
        connected = {*inputs, *clocks, *_ports(cell, "output")}
        left = {port: bits for port, bits in cell["connections"].items() if port in connected}
        kept[name] = {**cell, "connections": left}
        wanted += [bit for port in inputs for bit in cell["connections"][port]]
    return {
        "attributes": netlist["attributes"],
        "ports": netlist["ports"],
        "cells": _without_idle(kept),
        "netnames": {},
    }


def _without_idle(cells: Json) -> Json:
    """Cells without the wires that no input reads: they would have an arrival that belongs to no path."""
    read = {bit for cell in cells.values() for port in _ports(cell, "input") for bit in cell["connections"][port]}
    result = {}
    for name, cell in cells.items():
        outputs = _ports(cell, "output")
        connections = {
            port: [bit if bit in read else "x" for bit in bits] if port in outputs else bits
            for port, bits in cell["connections"].items()
        }
        result[name] = {**cell, "connections": connections}
    return result


def _ports(cell: Mapping[str, Any], direction: str) -> list[str]:
    return [port for port in cell["connections"] if cell["port_directions"][port] == direction]


def _passes(kind: str, port: str) -> bool:
    """Whether a path may lead from an input of a cell to its output without a clock."""
    return bool(LOGIC.fullmatch(kind)) or (kind in LUTRAM and not re.match(r"DI|D$|WE|WCLK", port))


def _is_clock(kind: str, port: str) -> bool:
    return port == "C" if kind.startswith("FD") else "CLK" in port


def arrival(module: Json, folder: Path) -> Arrival | None:
    """The latest arrival in a module; None if it has no path.

    Raises:
        ToolError: if Yosys fails.
    """
    (folder / "part.json").write_text(json.dumps({"creator": "ese4ml", "modules": {TOP: module}}), encoding="utf-8")
    cells = "read_verilog -lib -specify +/xilinx/cells_sim.v"
    run_yosys((cells, "read_json part.json", "tee -o sta.txt sta"), folder)
    report = (folder / "sta.txt").read_text(encoding="utf-8")
    latest = _LATEST.search(report)
    if latest is None:
        return None
    on_path, entered = _CELL.findall(report), _INPUT.search(report)
    begin, kind = on_path[-1]
    if LOGIC.fullmatch(kind) and entered:  # the path begins at a port, not at a clock
        begin = entered.group(1).lstrip("\\")
    return Arrival(int(latest.group(1)), begin, on_path[0][0])


def measured(name: str) -> Json:
    """Levels and arrivals of an engine, whole and by stage."""
    found = mapped(CASES[name])
    cells = named(found.netlist)
    levels: dict[str, LogicPath] = {}
    for path in paths_of(found.netlist):
        levels.setdefault(stage_of(_held(path.end)), path)
    ends: dict[str, list[str]] = {}
    for cell_name, cell in cells.items():
        if not LOGIC.fullmatch(cell["type"]):
            ends.setdefault(stage_of(cell_name), []).append(cell_name)
    with tempfile.TemporaryDirectory(prefix="ese4ml-stages-") as folder:
        whole = arrival(cone(found.netlist, cells, [name for names in ends.values() for name in names]), Path(folder))
        arrivals = {
            stage: arrival(cone(found.netlist, cells, ends[stage]), Path(folder))
            for stage in tqdm(sorted(ends), unit="stage", leave=False)
        }
    longest = max((late.ps for late in arrivals.values() if late), default=0)
    if whole is None or whole.ps != longest:
        raise click.ClickException(f"{name}: the longest stage takes {longest} ps, but the whole engine {whole}")
    return {
        "yosys": version("pyosys"),
        "flags": FLAGS,
        "seconds": round(found.seconds, 1),
        "whole": asdict(whole),
        "stages": {
            stage: {
                "levels": levels[stage].levels if stage in levels else 0,
                "from": levels[stage].begin if stage in levels else "",
                "to": _held(levels[stage].end) if stage in levels else "",
                "arrival": asdict(late) if late else None,
            }
            for stage, late in arrivals.items()
        },
    }


def _held(end: str) -> str:
    """The name of what a path of `ese_rtl.count` ends at."""
    return end.split()[1]


def page() -> str:
    """The text of docs/results/stages.md, from docs/results/stages.json."""
    record = CachedResults(RECORD)
    done = [name for name in NAMES if name in record.results]
    if not done:
        raise click.ClickException(f"{RECORD} holds no result; run python -m benchmarks.rtl.stages")
    return filled(
        Path(__file__).with_name("stages.md.jinja"),
        names=done,
        results=record.results,
        shown=done[0],
        stages=sorted(record.results[done[0]]["stages"].items(), key=lambda item: _by_number(item[0])),
    )


def _by_number(text: str) -> list[str]:
    """A key by which 10 comes after 9."""
    return [part.zfill(4) if part.isdigit() else part for part in re.split(r"(\d+)", text)]


@click.command()
@click.option("--page", "only_page", is_flag=True, help="Run nothing; write the page from docs/results/stages.json.")
@click.argument("names", nargs=-1, type=click.Choice(list(CASES)))
def main(only_page: bool, names: tuple[str, ...]) -> None:
    """Measure the engines NAMES, or those of the page, that have no current result, and write stages.md."""
    record = CachedResults(RECORD)
    for name in () if only_page else names or NAMES:
        source = digest(text_of(CASES[name]))[:16]
        if not record.current(name, source):
            record.put(name, source, measured(name))
    write(PAGE, page())


if __name__ == "__main__":
    main()
