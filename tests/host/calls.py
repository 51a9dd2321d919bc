"""`ese4ml`, called within the process."""

from __future__ import annotations

from click.testing import CliRunner, Result

from ese_host.cli.main import main


def call(*arguments: str) -> Result:
    """What a command line does, standard output and standard error apart: click does so of itself since 8.2."""
    try:
        runner = CliRunner(mix_stderr=False)  # type: ignore[call-arg]
    except TypeError:
        runner = CliRunner()
    return runner.invoke(main, list(arguments))
