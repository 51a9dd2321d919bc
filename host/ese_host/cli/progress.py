# SPDX-License-Identifier: Apache-2.0
"""Progress of a command that takes long."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

from ese_host.cli.verbosity import is_quiet


@contextmanager
def progress(label: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on standard error, if that is a terminal and --quiet is not given.

    Yields a function of the number of items done since the last call and the number of all items.
    """
    bars: list[Any] = []

    def step(done: int, total: int) -> None:
        if is_quiet() or not sys.stderr.isatty():
            return
        if not bars:
            bars.append(click.progressbar(length=total, label=label, file=sys.stderr))
            bars[0].__enter__()
        bars[0].update(done)

    try:
        yield step
    finally:
        for bar in bars:
            bar.__exit__(None, None, None)
