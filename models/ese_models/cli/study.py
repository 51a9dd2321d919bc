# SPDX-License-Identifier: Apache-2.0
"""The command `ese4ml study`; its code is in the folder `benchmarks` of a checkout, which is not in the wheel."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ese_host.errors import MissingError

CHECKOUT = Path(__file__).resolve().parents[3]
"""Root folder of the project, if this package is used from a checkout."""


def _from_checkout() -> click.Command:
    """The command group of the study, imported from the checkout."""
    if str(CHECKOUT) not in sys.path:
        sys.path.append(str(CHECKOUT))
    from benchmarks.study.cli import study as study_group

    return study_group


@click.command(
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []},
    short_help="Run the study of the project (only from a checkout).",
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def _elsewhere(arguments: tuple[str, ...]) -> None:  # noqa: ARG001 - they are for the command of a checkout
    """Stand-in for the study if there is no checkout.

    Raises:
        MissingError: always; the message tells how to get a checkout.
    """
    raise MissingError(
        "`ese4ml study` works from a checkout of the project only, because its grid and pages are not in the wheel: "
        "clone the project, run `make setup` there, and use `ese4ml study` of that environment"
    )


study = _from_checkout() if (CHECKOUT / "benchmarks" / "study" / "cli.py").is_file() else _elsewhere
