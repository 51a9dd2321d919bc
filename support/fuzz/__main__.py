# SPDX-License-Identifier: Apache-2.0
"""Run cases of the fuzzer by their names, or many of them.

    python -m support.fuzz golden-fixed:17 image-fixed:3     # these cases
    python -m support.fuzz --count 500                       # as many of all mutators
    python -m support.fuzz --keep DIR golden-fixed:17        # also leave the damaged folder in DIR

Exit code 1 if a case ended neither refused nor exact.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections import Counter
from pathlib import Path

import click

from support.fuzz import IMAGES, Case, Verdict, folder_cases, image_cases, make_seeds, run_cases, run_images
from support.fuzz.verdicts import materialize


@click.command()
@click.argument("names", nargs=-1)
@click.option("--count", type=int, help="Run this many cases of folders and boards, of all mutators.")
@click.option("--images", type=int, help="Run this many cases of images under sanitizers.")
@click.option("--only", default="", help="Run only cases of mutators whose names match this regular expression.")
@click.option("--keep", type=click.Path(path_type=Path), help="Leave the damaged folders of the named cases here.")
def fuzz(names: tuple[str, ...], count: int | None, images: int | None, only: str, keep: Path | None) -> None:
    """Run the cases of NAMES, or of all mutators, and print every one that is neither refused nor exact."""

    def tell(case: Case, verdict: Verdict) -> None:
        if names or not verdict.good:
            click.echo(f"{case}: {verdict.outcome}: {verdict.detail}")

    cases = [Case.parse(name) for name in names] + folder_cases(count or 0) + image_cases(images or 0)
    cases = [case for case in cases if re.match(only, case.mutator)]
    hostile = [case for case in cases if case.mutator in IMAGES]
    verdicts: dict[Case, Verdict] = {}
    with tempfile.TemporaryDirectory(prefix="ese-fuzz-") as name:
        room = Path(name)
        os.environ["XDG_STATE_HOME"] = name  # the record of builds is that of the user otherwise
        others = [case for case in cases if case not in hostile]
        if others:
            (room / "seeds").mkdir()
            seeds = make_seeds(room / "seeds")
            if keep is not None:
                for case in others:
                    materialize(case, seeds, keep / str(case))
            verdicts |= run_cases(others, seeds, tell)
        if hostile:
            images_found = run_images(hostile, room)
            for case, verdict in images_found.items():
                tell(case, verdict)
            verdicts |= images_found
    click.echo(dict(Counter(verdict.outcome for verdict in verdicts.values())))
    sys.exit(not all(verdict.good for verdict in verdicts.values()))


if __name__ == "__main__":
    fuzz()
