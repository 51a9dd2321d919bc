# SPDX-License-Identifier: Apache-2.0
"""`ese4ml study` runs in a checkout, which has its code; elsewhere the command tells how to get one."""

from __future__ import annotations

from click.testing import CliRunner

from ese_host.cli.main import main
from ese_models.cli import study


def test_in_a_checkout_it_is_the_study() -> None:
    done = CliRunner().invoke(main, ["study", "--help"])
    assert done.exit_code == 0 and "measure" in done.output and "report" in done.output


def test_elsewhere_it_says_where_it_works() -> None:
    group = type(main)("ese4ml", commands={"study": study._elsewhere})
    for arguments in (["run", "--grid", "tiny"], ["--help"], []):
        done = CliRunner().invoke(group, ["study", *arguments])
        assert done.exit_code == 2
        assert "error: `ese4ml study` works from a checkout of the project only" in done.output
