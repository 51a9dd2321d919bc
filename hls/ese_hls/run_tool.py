"""Running a compiler or a vendor's tool: in a given folder, with a time limit, its output kept."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from ese_host.errors import EseError


class ToolError(EseError):
    """A tool was found but did not do its work; its log says why."""

    exit_code = 3


def run_tool(
    command: list[str], folder: Path, log: Path, timeout: float, environment: Mapping[str, str] | None = None
) -> None:
    """Run a command in `folder`, its output in `log`, with `environment` on top of this process's.

    Raises:
        ToolError: it failed, or took longer than `timeout` seconds.
    """
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
    if result.returncode:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
        raise ToolError(f"{command[0]} failed with exit code {result.returncode}; the log is {log}:\n{tail}")


def version_of(command: str, option: str = "--version") -> str:
    """First line of `command --version`, or of what the option is called there.

    Raises:
        ToolError: it does not answer.
    """
    try:
        text = subprocess.run([command, option], capture_output=True, text=True, timeout=60, check=True).stdout
    except (OSError, subprocess.SubprocessError) as error:
        raise ToolError(f"{command} {option} failed: {error}; is it installed whole?") from error
    return text.splitlines()[0].strip() if text else "unknown"
