# SPDX-License-Identifier: Apache-2.0
"""Runs cases in child processes, and sees which case a crash or a hang belongs to."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO

from support.fuzz.cases import Case
from support.fuzz.verdicts import Verdict

BATCH = 100
"""Most cases of one child process."""
PATIENCE = 60.0
"""Seconds after which a case without an end hangs: more than it may compute, because others use the machine too."""
ROOT = Path(__file__).resolve().parents[2]


def run_cases(
    cases: Sequence[Case],
    seeds: Path,
    tell: Callable[[Case, Verdict], None] = lambda *_: None,
    child: str = "support.fuzz.child",
) -> dict[Case, Verdict]:
    """The verdicts of cases.

    Args:
        cases: the cases to run.
        seeds: folder of the sound folders, as `make_seeds` makes them.
        tell: called with each case and its verdict as soon as it has ended.
        child: module of the child process.
    """
    verdicts: dict[Case, Verdict] = {}
    left = list(cases)
    while left:
        for case, verdict in _child(left[:BATCH], seeds, child):
            verdicts[case] = verdict
            tell(case, verdict)
        left = [case for case in left if case not in verdicts]
    return verdicts


def _child(cases: Sequence[Case], seeds: Path, module: str) -> Iterator[tuple[Case, Verdict]]:
    """Run cases in one child process until it ends, crashes or hangs."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    child = subprocess.Popen(
        [sys.executable, "-m", module, str(seeds)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, cwd=ROOT,
    )  # fmt: skip
    assert child.stdin is not None and child.stdout is not None and child.stderr is not None
    lines: queue.Queue[str] = queue.Queue()
    errors: list[str] = []
    readers = [
        threading.Thread(target=_read, args=(child.stdout, lines), daemon=True),
        threading.Thread(target=lambda stream: errors.append(stream.read()), args=(child.stderr,), daemon=True),
    ]
    for reader in readers:
        reader.start()
    current = cases[0]
    try:
        child.stdin.write("".join(f"{case}\n" for case in cases))
        child.stdin.close()
        while line := lines.get(timeout=PATIENCE):
            row = json.loads(line) if line.startswith("{") else {}
            if "begin" in row:
                current = Case.parse(row["begin"])
            elif "end" in row:
                yield current, Verdict(row["outcome"], row["detail"])
        child.wait(PATIENCE)
        readers[1].join(PATIENCE)
        if child.returncode:
            yield current, Verdict("crash", f"exit code {child.returncode}: {''.join(errors)[-400:]}")
    except (queue.Empty, subprocess.TimeoutExpired):
        yield current, Verdict("hang", f"no end after {PATIENCE:.0f} s")
    finally:
        child.kill()
        child.wait()


def _read(stream: IO[str], lines: queue.Queue[str]) -> None:
    """Hand on the lines of a stream, and an empty one at its end."""
    for line in stream:
        lines.put(line)
    lines.put("")
