# SPDX-License-Identifier: Apache-2.0
"""Every command takes -h, --quiet and --verbose, before its name and after it, and completes in a shell."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from calls import call

from ese_host.cli.main import main
from ese_host.cli.verbosity import PACKAGES


def commands(group: click.Group, *names: str) -> Iterator[tuple[str, ...]]:
    """The names of every command below a group, with those of the groups that it is in."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        yield (*names, name)
        if isinstance(command, click.Group):
            yield from commands(command, *names, name)


@pytest.mark.parametrize("names", [(), *commands(main)], ids=" ".join)
def test_every_command_has_the_common_options(names: tuple[str, ...]) -> None:
    done, same = call(*names, "-h"), call(*names, "--help")
    if done.exit_code:
        assert "needs the '" in done.stderr and (same.exit_code, same.stderr) == (done.exit_code, done.stderr)
        return
    assert done.stdout == same.stdout
    for option in ("-h, --help", "-q, --quiet", "-v, --verbose"):
        assert done.stdout.count(f"  {option}  ") == 1


def test_quiet_leaves_results_only(folder: Path, tmp_path: Path) -> None:
    line = ("check", str(folder), "--driver", "adapter", "--report", str(tmp_path))
    full, before, after = call(*line), call("-q", *line), call(*line, "--quiet")
    assert full.stdout.startswith(before.stdout.splitlines()[0])
    assert "report: " in full.stdout
    for quiet in (before, after):
        assert quiet.exit_code == 0 and quiet.stderr == ""
        assert quiet.stdout.startswith("bit-exact: ") and "report: " not in quiet.stdout
    assert call("-q", "check", str(tmp_path / "none")).stderr.startswith("error: ")


def test_verbose_tells_versions_and_tools(folder: Path, tmp_path: Path) -> None:
    for line in (("-v", "info", str(folder)), ("info", str(folder), "--verbose")):
        done = call(*line)
        assert done.exit_code == 0 and done.stderr.count("\n") == 1
        assert done.stderr.startswith("[ese_host.cli.verbosity] ese4ml ") and "NumPy " in done.stderr
    assert call("info", str(folder)).stderr == ""
    assert not any(logging.getLogger(name).handlers for name in PACKAGES)


def test_a_tools_command_line_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    from ese_host.run_tool import run_tool

    with caplog.at_level(logging.INFO):
        run_tool([sys.executable, "-c", "pass"], tmp_path, tmp_path / "tool.log", 60)
    first, last = (record.getMessage() for record in caplog.records)
    assert first == f"running {sys.executable} -c pass in {tmp_path}, log {tmp_path / 'tool.log'}"
    assert last.startswith(f"{sys.executable} ended with exit code 0 after ")


def test_quiet_and_verbose_exclude_each_other(folder: Path) -> None:
    for line in (("-q", "info", str(folder), "-v"), ("info", "-v", "-q", str(folder))):
        done = call(*line)
        assert done.exit_code == 2 and "--quiet and --verbose exclude each other: leave one out" in done.stderr


SHELLS = {"bash": "complete -o nosort -F", "zsh": "compdef _ese4ml", "fish": "complete --no-files --command ese4ml"}
COMPLETE = "import sys; from ese_host.cli.main import main; main(prog_name='ese4ml')"
"""What the console script does, within the interpreter of the test."""
WATCHED = (
    f"import atexit, sys; atexit.register(lambda: print('tensorflow' in sys.modules, file=sys.stderr)); {COMPLETE}"
)


def in_shell(instruction: str, words: str = "", code: str = COMPLETE) -> subprocess.CompletedProcess[str]:
    """Let click answer a shell, for a line of which the last word is to be completed."""
    line = {"COMP_WORDS": words, "COMP_CWORD": str(len(words.split(" ")) - 1), "_ESE4ML_COMPLETE": instruction}
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **line},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("shell", SHELLS)
def test_there_is_a_script_for_each_shell(shell: str) -> None:
    if shell == "bash" and shutil.which("bash") is None:
        pytest.skip("click asks bash for its version")
    done = in_shell(f"{shell}_source")
    assert SHELLS[shell] in done.stdout, done.stderr


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ("ese4ml che", {"plain,check"}),
        ("ese4ml est", {"plain,estimate"}),
        ("ese4ml estimate ls", {"plain,lstm"}),
        ("ese4ml check --rep", {"plain,--report"}),
        ("ese4ml estimate lstm --masks gap", {"plain,gap-aware"}),
        ("ese4ml run ", {"dir,"}),
    ],
)
def test_names_and_options_are_completed_without_tensorflow(words: str, answer: set[str]) -> None:
    done = in_shell("bash_complete", words, WATCHED)
    assert set(done.stdout.split()) == answer
    assert done.stderr == "False\n"
