# SPDX-License-Identifier: Apache-2.0
"""Running a compiler or a vendor's tool in a given folder, with a time limit, and keeping its output."""

from __future__ import annotations

import logging
import os
import shlex
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from ese_host.errors import EseError, ExitCode, StorageError
from ese_host.files import says_full

_log = logging.getLogger(__name__)


class ToolError(EseError):
    """A tool is installed but failed; its log says why."""

    exit_code = ExitCode.FAILED


def run_tool(
    command: list[str], folder: Path, log: Path, timeout: float, environment: Mapping[str, str] | None = None
) -> None:
    """Run a command and write its output to a log.

    Args:
        command: the program and its arguments.
        folder: the command's working folder.
        log: file for the command line and everything that the command prints; it is overwritten.
        timeout: seconds after which the command is stopped.
        environment: variables that are set besides those of this process.

    Raises:
        ToolError: if the command failed, or took longer than `timeout` seconds.
        StorageError: if the command failed because it found no room for what it was to write.
    """
    _log.info("running %s in %s, log %s", shlex.join(command), folder, log)
    start = time.monotonic()
    with log.open("wb") as stream:
        stream.write((" ".join(command) + "\n").encode())
        stream.flush()
        try:
            result = subprocess.run(
                command,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                timeout=timeout,
                env={**os.environ, **(environment or {})},
            )
        except subprocess.TimeoutExpired as error:
            raise ToolError(f"{command[0]} did not end within {timeout:g} s; see {log}, or allow more time") from error
    _log.info("%s ended with exit code %d after %.1f s", command[0], result.returncode, time.monotonic() - start)
    if result.returncode:
        printed = log.read_text(errors="replace")
        if says_full(printed):
            raise StorageError(
                f"{command[0]} cannot write its output (the disk is full, or a limit on files is reached); free some "
                "space, or set TMPDIR to another folder"
            )
        tail = "\n".join(printed.splitlines()[-15:])
        raise ToolError(f"{command[0]} failed with exit code {result.returncode}; the log is {log}:\n{tail}")


def version_of(command: str, option: str = "--version") -> str:
    """The first line that a tool prints when asked for its version.

    Args:
        command: the tool.
        option: the option that asks for the version.

    Raises:
        ToolError: if the tool cannot be run, fails, or does not answer within 60 s.
    """
    try:
        text = subprocess.run([command, option], capture_output=True, text=True, timeout=60, check=True).stdout
    except (OSError, subprocess.SubprocessError) as error:
        raise ToolError(f"{command} {option} failed: {error}; check that {command} is installed completely") from error
    return text.splitlines()[0].strip() if text else "unknown"
