"""The command `ese4ml study`, whose code lies in a checkout's folder `benchmarks`, not in the wheel."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ese_host.errors import MissingError

CHECKOUT = Path(__file__).resolve().parents[3]
"""Where the project's folders lie, if this package is used from a checkout."""


def _from_checkout() -> click.Command:
    """The commands of the study, imported from the checkout."""
    if str(CHECKOUT) not in sys.path:
        sys.path.append(str(CHECKOUT))
    from benchmarks.study.cli import study as found

    return found


@click.command(
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []},
    short_help="(works from a checkout of the project only)",
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def _elsewhere(arguments: tuple[str, ...]) -> None:  # noqa: ARG001 - they are the real command's
    """The study, where there is no checkout.

    Raises:
        MissingError: always.
    """
    raise MissingError(
        "`ese4ml study` works from a checkout of the project only, since its grid and pages are not in the wheel: "
        "clone the project, run `make setup` there, and call that environment's `ese4ml study`"
    )


study = _from_checkout() if (CHECKOUT / "benchmarks" / "study" / "cli.py").is_file() else _elsewhere
