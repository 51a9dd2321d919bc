# SPDX-License-Identifier: Apache-2.0
"""The text of docs/results/ese.md, from the record of the runs and from the study's records."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from benchmarks.cached_results import CachedResults
from benchmarks.ese.cases import KEPT, ROOT, RUNS, EseRun, large_cells
from benchmarks.page import filled
from benchmarks.study.metrics import ERRORS, CellMetrics
from benchmarks.study.store import Record
from ese_host.image import Design

PAGE, RECORD = (ROOT / "docs" / "results" / f"ese.{suffix}" for suffix in ("md", "json"))
PICTURE, SHOWN = ROOT / "docs" / "figures" / "ese-utterance.svg", 3
"""The decoded utterance, and its number in the test split: the shortest of those that are run."""
ESE_PUBLISHED = {
    "latency_us": 82.7,
    "streams": 32,
    "pes": 32 * 32,
    "clock_mhz": 200,
    "watts": 41,
    "theoretical_us": 57.0,
    "density": 11.2,
    "weight_bits": 12,
    "index_bits": 4,
}
"""ESE's figures for this layer (FPGA'17), some of them recalled: the page says which."""


def page() -> str:
    """The text of docs/results/ese.md.

    Raises:
        ClickException: if a run has no result.
    """
    record = CachedResults(RECORD)
    missing = [run.name for run in RUNS if run.name not in record.results]
    if missing:
        raise click.ClickException(f"{RECORD} has no result of {', '.join(missing)}; run `make bench-ese`")
    return filled(
        Path(__file__).with_name("ese.md.jinja"),
        rows=[(run, _row(run, record.results[run.name])) for run in RUNS],
        studied={run.weights: _studied(run) for run in RUNS},
        ese=ESE_PUBLISHED,
        shown=SHOWN,
        picture=PICTURE.name,
        days=record.days([run.name for run in RUNS]),
    )


def _row(run: EseRun, result: Record) -> Record:
    """The figures of a run as the page shows them.

    Keras's errors are those that the study recorded for the same network and the same utterances.
    """
    estimate, samples = result["estimate"], KEPT.read(run.cell)["samples"]
    widths = Design.from_json(estimate["design"]).widths
    done, clocked = result["utterances"], [item for item in result["utterances"] if "clocks" in item]
    count, phones = len(done), sum(item["phones"] for item in done)
    if samples["phones"][:count] != [item["phones"] for item in done]:
        raise click.ClickException(f"{run.name}: the study counted other phones; remove {RECORD} and run it again")
    engine = {way: sum(item["errors"][way] for item in done) for way in ("viterbi", "greedy")}
    keras = {"viterbi": sum(samples["viterbi_errors"][:count]), "greedy": sum(samples["errors"][:count])}
    cycles = sum(item["clocks"] for item in clocked) / sum(item["steps"] for item in clocked)
    return {
        **result,
        "steps": sum(item["steps"] for item in done),
        "values": sum(item["values"] for item in done),
        "count": count,
        "phones": phones,
        "engine": engine,
        "keras": keras,
        "cycles_per_step": cycles,
        "latency_us": cycles / estimate["clock_mhz"],
        "weight_bits": widths.code_bits,
        "holding": [name for name, board in result["boards"].items() if board["fits"]],
        "lacking": {name: board["over"] for name, board in result["boards"].items() if not board["fits"]},
    }


def _studied(run: EseRun) -> dict[str, Any]:
    """Phone error rates over all test utterances, and losses against both dense networks, by metric."""
    cells = large_cells()
    figures = CellMetrics(KEPT.found(list(cells)))
    first, longer = ([cell] for cell in cells if cell.stage == "dense")
    return {
        metric: {
            "rate": figures.level([run.cell], metric),
            "dense": figures.level(longer, metric),
            "loss": figures.loss(longer, [run.cell], metric, lower=True),
            "loss_first": figures.loss(first, [run.cell], metric, lower=True),
        }
        for metric in ERRORS
    }
