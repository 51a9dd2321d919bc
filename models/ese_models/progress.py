# SPDX-License-Identifier: Apache-2.0
"""Progress bars of long work."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ese_host.cli import is_quiet


@contextmanager
def progress_bar(name: str, count: int, unit: str = "epoch") -> Iterator[Callable[..., None]]:
    """A progress bar on stderr, unless --quiet is given; the function that it gives is called after each unit.

    Args:
        name: text before the bar.
        count: number of units.
        unit: name of a unit.
    """
    from tqdm import tqdm  # type: ignore[import-untyped,unused-ignore]

    # On a terminal the bar moves; a log file gets a line every few seconds.
    pause = 0.1 if sys.stderr.isatty() else 5.0
    options = {"file": sys.stderr, "mininterval": pause, "maxinterval": 60, "disable": is_quiet()}
    with tqdm(total=count, desc=name, unit=unit, **options) as bar:

        def progress(_epoch: int = 0, loss: float | None = None) -> None:
            if loss is not None:
                bar.set_postfix(loss=f"{loss:.3f}", refresh=False)
            bar.update()

        yield progress
