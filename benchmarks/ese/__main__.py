# SPDX-License-Identifier: Apache-2.0
"""Runs the designs that have no result of the present sources, and writes docs/results/ese.md.

python -m benchmarks.ese            # as `make bench-ese`; it may be stopped and started again
python -m benchmarks.ese --page     # only the page, from docs/results/ese.json
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

from benchmarks.cached_results import CachedResults
from benchmarks.ese.cases import RUNS, WORK
from benchmarks.ese.page import PAGE, PICTURE, RECORD, SHOWN, page
from benchmarks.page import write
from ese_host.cli.phones import decode
from ese_host.tensorflow_startup import quiet_tensorflow


def draw(design: Path) -> None:
    """Write the picture of the decoded utterance, as `ese4ml decode` draws it."""
    with tempfile.TemporaryDirectory(prefix="ese4ml-decode-") as folder:
        decode.main([str(design), "--utterance", str(SHOWN), "--out", folder], standalone_mode=False)
        PICTURE.write_bytes((Path(folder) / f"utterance-{SHOWN}.svg").read_bytes())


@click.command()
@click.option("--page", "only_page", is_flag=True, help="Run nothing; write the page from docs/results/ese.json.")
@click.argument("names", nargs=-1, type=click.Choice([run.name for run in RUNS]))
def main(only_page: bool, names: tuple[str, ...]) -> None:
    """Run the designs NAMES, or all, unless they have a current result, and write ese.md."""
    record = CachedResults(RECORD)
    chosen = () if only_page else [run for run in RUNS if not names or run.name in names]
    for run in chosen:
        with quiet_tensorflow():
            from benchmarks.ese.runs import complete
        if complete(run, record) and run == RUNS[0]:
            draw(WORK / run.name)
    write(PAGE, page())


if __name__ == "__main__":
    main()
