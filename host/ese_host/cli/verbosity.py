# SPDX-License-Identifier: Apache-2.0
"""The options --quiet and --verbose, which every command takes before its name and after it."""

from __future__ import annotations

import logging
import platform
from importlib import metadata
from typing import Literal

import click
import numpy as np

from ese_host.cli.output import say

Verbosity = Literal["quiet", "normal", "verbose"]

CHOSEN = "ese4ml.verbosity"
"""Key of the chosen verbosity in the `meta` of click's context, which nested commands share."""
PACKAGES = ("ese_host", "ese_hls", "ese_rtl", "ese_models", "benchmarks")
"""Packages whose logs --verbose shows."""

_log = logging.getLogger(__name__)


def verbosity() -> Verbosity:
    """The verbosity of the command that runs; "normal" outside of the command line."""
    context = click.get_current_context(silent=True)
    chosen: Verbosity = "normal" if context is None else context.meta.get(CHOSEN, "normal")
    return chosen


def is_quiet() -> bool:
    """Whether the user wants neither progress nor notes."""
    return verbosity() == "quiet"


def note(text: str) -> None:
    """Print a text that is neither a result nor a warning; --quiet leaves it out."""
    if not is_quiet():
        say(text)


def add_verbosity(command: click.Command) -> click.Command:
    """Give a command, and all commands of a group, the options --quiet and --verbose, and return it.

    A command that has them already stays as it is.
    """
    if not any(parameter.name == "quiet" for parameter in command.params):
        for decorate in (_QUIET, _VERBOSE):
            decorate(command)
    # click keeps the help option of the first call, which has no -h if that was not through the group
    command._help_option = None
    for inner in getattr(command, "commands", {}).values():
        add_verbosity(inner)
    return command


def _choose(context: click.Context, option: click.Parameter, given: bool) -> None:
    if not given or context.resilient_parsing:
        return
    chosen: Verbosity = "quiet" if option.name == "quiet" else "verbose"
    before = context.meta.setdefault(CHOSEN, chosen)
    if before != chosen:
        raise click.UsageError("--quiet and --verbose exclude each other: leave one out")
    if chosen == "verbose" and _HANDLER not in logging.getLogger(PACKAGES[0]).handlers:
        _show_logs(context.find_root())


class _Printing(logging.Handler):
    """Prints log records on standard error."""

    def emit(self, record: logging.LogRecord) -> None:
        say(f"[{record.name}] {record.getMessage()}", err=True)


_HANDLER = _Printing()


def _show_logs(context: click.Context) -> None:
    """Print what the packages log until a context ends, versions first."""
    loggers = [logging.getLogger(name) for name in PACKAGES]
    levels = [logger.level for logger in loggers]

    def restore() -> None:
        for logger, level in zip(loggers, levels, strict=True):
            logger.removeHandler(_HANDLER)
            logger.setLevel(level)

    for logger in loggers:
        logger.addHandler(_HANDLER)
        logger.setLevel(logging.DEBUG)
    context.call_on_close(restore)
    versions = f"ese4ml {metadata.version('ese4ml')}, NumPy {np.__version__}, Python {platform.python_version()}"
    _log.info("%s on %s", versions, platform.platform())


_QUIET = click.option(
    "--quiet",
    "-q",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_choose,
    help="Print results, warnings and errors only: no progress and no notes.",
)
_VERBOSE = click.option(
    "--verbose",
    "-v",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_choose,
    help="Print versions, command lines of tools and paths of their logs too, on standard error.",
)
