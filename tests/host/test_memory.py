# SPDX-License-Identifier: Apache-2.0
"""The memory of commands on the demo's design; `make test-32bit` measures it on a 32-bit Python, as on a board."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ese_host.bundle import manifest
from ese_host.device import record
from ese_host.files import digests

ROOT = Path(__file__).parents[2]
DESIGN, PROJECT = ROOT / "bitstreams" / "vowels-ternary", ROOT / "build" / "demo" / "ternary"
PROGRAM = """
import atexit, pathlib
from ese_host.cli.main import main
atexit.register(lambda: print(pathlib.Path("/proc/self/status").read_text()))
main()
"""


def for_this_machine(copy: Path) -> Path:
    """Copy the demo's design folder, with an engine that is compiled for this machine by the command in build.log."""
    shutil.copytree(DESIGN, copy)
    command = shlex.split((DESIGN / "build.log").read_text().splitlines()[0])
    subprocess.run([*command[:-1], str(copy / manifest.BIT)], check=True, cwd=PROJECT)
    content = json.loads((copy / manifest.NAME).read_text())
    content["files"].update(digests(copy, [manifest.BIT]))
    (copy / manifest.NAME).write_text(json.dumps(content))
    record(content["files"][manifest.BIT], copy)
    return copy


def peak(*arguments: str) -> float:
    """Peak memory in megabytes of a command of ese4ml, which must end well."""
    done = subprocess.run([sys.executable, "-c", PROGRAM, *arguments], check=True, stdout=subprocess.PIPE, text=True)
    return int(done.stdout.split("VmHWM:")[1].split()[0]) / 1024  # resource's ru_maxrss has the parent's peak too


@pytest.mark.slow
@pytest.mark.skipif(not (DESIGN.is_dir() and PROJECT.is_dir()), reason="make demo builds the design that is checked")
def test_the_demo_is_checked_in_a_third_of_a_boards_memory(tmp_path: Path) -> None:
    folder = str(for_this_machine(tmp_path / "design"))
    info = peak("info", folder)
    check = peak("check", folder, "--driver", "adapter", "--report", str(tmp_path / "report"))
    print(f"peak memory: info {info:.0f} MB, check {check:.0f} MB")  # noqa: T201  (pytest -rP shows it)
    assert info < check <= 160
