# SPDX-License-Identifier: Apache-2.0
"""docs/results/rtl.md: the engine's Verilog by PandA Bambu, compared with the golden model and g++ case by case.

    PATH=...:$PATH python -m benchmarks.rtl.prove [case ...]     # bambu and verilator on PATH
    python -m benchmarks.rtl.prove --page                        # no tool needed

Results are kept in docs/results/rtl.json; a case that has a result of the same engine and packets is not run again.
"""

from __future__ import annotations

import tempfile
from datetime import date
from pathlib import Path
from typing import Any

import click

from benchmarks.cached_results import CachedResults, digest, fresh
from benchmarks.page import filled, write
from ese_hls.build import SIMULATOR
from ese_host.boards import load_board
from ese_host.estimate import use
from ese_host.run_tool import ToolError, version_of
from support.compiled_engine import write_sources
from support.rtl import CASES, exchange, prove

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "results" / "rtl.md"
RECORD = ROOT / "docs" / "results" / "rtl.json"


def sources(name: str) -> str:
    """Digest of a case's present engine and packets."""
    design, sent, _, _ = exchange(CASES[name])
    with tempfile.TemporaryDirectory() as folder:
        write_sources(Path(folder), design)
        return digest(Path(folder) / "csrc", *(packet.tobytes() for packet in sent))


def run(name: str, folder: Path) -> dict[str, Any]:
    """Synthesize and simulate a case, and return its figures.

    Raises:
        ToolError: if Bambu fails, or RTL, g++ and golden model differ.
    """
    fresh(folder)
    tools = {"verilator": version_of(SIMULATOR).removeprefix("Verilator "), "gxx": version_of("g++")}
    return {**prove(name, folder).to_json(), **tools, "date": date.today().isoformat()}


def row(name: str, result: dict[str, Any]) -> dict[str, Any]:
    """Values of one row of the page's tables. The first packet of a case is LOAD, the second is RUN."""
    case = CASES[name]
    _, design = case.make()
    proof = result["cosimulation"]
    estimated = {key: item.parts for key, item in use(design, load_board("pynq-z2")).items()}
    return {
        "name": name,
        "shows": case.shows,
        "design": design,
        "result": result,
        "older": result["sources"] != sources(name),
        "iterations": proof["iterations"][1],
        "clocks": proof["clocks"][1],
        "load": proof["clocks"][0],
        "dsps": sum(estimated["dsps"].values()),
        "bram18": sum(2 * value for cause, value in estimated["bram36"].items() if cause != "AXI DMA"),
        "flip_flops": sum(v for cause, v in estimated["flip_flops"].items() if "DMA" not in cause),
    }


def page() -> str:
    """The text of docs/results/rtl.md, from docs/results/rtl.json and the present sources."""
    record = CachedResults(RECORD)
    done = [name for name in CASES if name in record.results]
    return filled(
        Path(__file__).with_name("rtl.md.jinja"),
        rows=[row(name, record.results[name]) for name in done],
        missing=[name for name in CASES if name not in done],
        days=record.days(done),
        said={key: record.said(done, key) for key in ("tool", "version", "part", "clock_ns", "verilator", "gxx")},
    )


@click.command()
@click.option(
    "--work",
    default=ROOT / "build" / "rtl",
    type=click.Path(path_type=Path),
    help="Folder of the runs.  [default: build/rtl]",
)
@click.option(
    "--page", "only_page", is_flag=True, help="Run nothing; write the page from the results in docs/results/rtl.json."
)
@click.argument("names", nargs=-1, type=click.Choice(list(CASES)))
def main(work: Path, only_page: bool, names: tuple[str, ...]) -> None:
    """Run the cases NAMES, or all, that have no current result, and write docs/results/rtl.md."""
    failed = []
    for name in () if only_page else names or CASES:
        digest_now = sources(name)
        if CachedResults(RECORD).current(name, digest_now):
            continue
        try:
            result = run(name, work / name)
        except ToolError as error:
            click.echo(f"{name}: {error}", err=True)
            failed.append(name)
            continue
        CachedResults(RECORD).put(name, digest_now, result)
        click.echo(f"{name}: {result['cosimulation']}")
    write(PAGE, page())
    if failed:
        raise click.ClickException(f"cases that failed: {', '.join(failed)}; see the messages above")


if __name__ == "__main__":
    main()
