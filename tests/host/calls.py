# SPDX-License-Identifier: Apache-2.0
"""Calls of the command line `ese4ml` within the test's process."""

from __future__ import annotations

from click.testing import CliRunner, Result

from ese_host.cli.main import main


def call(*arguments: str) -> Result:
    """Run a command line, with standard output and standard error apart, as click does by default since 8.2."""
    try:
        runner = CliRunner(mix_stderr=False)  # type: ignore[call-arg]
    except TypeError:
        runner = CliRunner()
    return runner.invoke(main, list(arguments))
