"""docs/rtl.md: the engine's Verilog by PandA Bambu against golden model and g++, case by case.

    PATH=...:$PATH python benchmarks/rtl.py --work build/rtl [case ...]     # bambu and verilator on PATH

A case whose folder in --work holds the report of the very same engine sources and vectors is not run again.
"""

from __future__ import annotations

import hashlib
import json
import platform
import sys
import tempfile
import time
from datetime import date
from pathlib import Path
from typing import Any

import click
import jinja2

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from ese_hls import vectors  # noqa: E402
from ese_hls.bambu import LOG  # noqa: E402
from ese_hls.gxx import MACHINE_WORDS  # noqa: E402
from ese_hls.run_tool import ToolError, version_of  # noqa: E402
from ese_host.board import load_board  # noqa: E402
from ese_host.estimate.resources import use  # noqa: E402
from support.engine import lay_out  # noqa: E402
from support.rtl import CASES, exchange, prove  # noqa: E402

PAGE = ROOT / "docs" / "rtl.md"
REPORT = "report.json"
BENCHES = ("testbench.cpp", "core_testbench.cpp", "vector_file.h")
"""Sources that are no part of an engine."""


def same(folder: Path, name: str) -> bool:
    """Whether a folder's report is of today's engine and vectors."""
    if not (folder / REPORT).is_file():
        return False
    _, sent, _, _ = exchange(CASES[name])
    stored = vectors.read(folder / "bambu" / vectors.INPUT)
    vectors_too = [p.tolist() for p in stored] == [p.tolist() for p in sent]
    return vectors_too and digest(folder / "csrc") == today(name) and not on_machine_words(folder)


def on_machine_words(folder: Path) -> bool:
    """Whether a run was on machine words, as its command, the first line of its log, has it; now it is on ap_int."""
    with (folder / "bambu" / LOG).open() as log:
        return MACHINE_WORDS in log.readline()


def today(name: str) -> str:
    """Digest of a case's sources as they are now."""
    with tempfile.TemporaryDirectory() as fresh:
        lay_out(Path(fresh), CASES[name].make()[1])
        return digest(Path(fresh) / "csrc")


def digest(folder: Path) -> str:
    """The first eight hexadecimal digits of the SHA-256 of an engine's sources, its config.h among them."""
    files = sorted(path for path in folder.glob("*.*") if path.name not in BENCHES)
    return hashlib.sha256(b"".join(path.name.encode() + path.read_bytes() for path in files)).hexdigest()[:8]


def row(name: str, folder: Path) -> dict[str, Any]:
    """One line of the table; RUN is the second packet, LOAD the first."""
    case = CASES[name]
    report = json.loads((folder / REPORT).read_text())
    _, design = case.make()
    proof = report["cosimulation"]
    board = load_board("pynq-z2")
    estimated = {key: item.parts for key, item in use(design, board).items()}
    return {
        "name": name,
        "shows": case.shows,
        "design": design,
        "report": report,
        "older": digest(folder / "csrc") != today(name),
        "integers": "machine words" if on_machine_words(folder) else "ap_int",
        "packets": proof["packets"],
        "words": proof["words"],
        "iterations": proof["iterations"][1],
        "clocks": proof["clocks"][1],
        "load": proof["clocks"][0],
        "dsps": sum(estimated["dsps"].values()),
        "bram18": sum(2 * value for cause, value in estimated["bram36"].items() if cause != "AXI DMA"),
        "flip_flops": sum(v for cause, v in estimated["flip_flops"].items() if "DMA" not in cause),
    }


@click.command()
@click.option("--work", required=True, type=click.Path(path_type=Path), help="Folder of runs and reports.")
@click.option("--page", is_flag=True, help="No runs: the page from the reports that are there.")
@click.argument("names", nargs=-1)
def main(work: Path, page: bool, names: tuple[str, ...]) -> None:
    failed = []
    for name in () if page else names or CASES:
        folder = work / name
        if same(folder, name):
            continue
        if folder.exists():
            folder.rename(work / f"{name}.{int(time.time())}")
        folder.mkdir(parents=True)
        try:
            report = {**prove(name, folder).to_json(), "date": date.today().isoformat()}
        except ToolError as error:
            click.echo(f"{name}: {error}", err=True)
            failed.append(name)
            continue
        (folder / REPORT).write_text(json.dumps(report, indent=2))
        click.echo(f"{name}: {report['cosimulation']}")
    done = [name for name in CASES if (work / name / REPORT).is_file()]
    rows = [row(name, work / name) for name in done]
    template = jinja2.Environment(undefined=jinja2.StrictUndefined, trim_blocks=True, autoescape=False)  # noqa: S701
    text = template.from_string((Path(__file__).with_name("rtl.md.jinja")).read_text()).render(
        rows=rows,
        missing=[name for name in CASES if name not in done],
        verilator=version_of("verilator"),
        gxx=version_of("g++"),
        python=platform.python_version(),
        log=LOG,
    )
    PAGE.write_text(text.rstrip() + "\n")
    if failed:
        raise click.ClickException(f"not proved: {', '.join(failed)}")


if __name__ == "__main__":
    main()
