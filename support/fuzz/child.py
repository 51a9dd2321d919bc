# SPDX-License-Identifier: Apache-2.0
"""The child process that runs cases: it reads their names and writes a line of JSON before and after each.

    python -m support.fuzz.child SEEDS

The parent sees from these lines which case a crash or a hang belongs to.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path

from support.fuzz.cases import Case
from support.fuzz.verdicts import Verdict, judge

LIMIT_MB = 300
"""Most memory of this process in any case, which a command on a board would need too."""
ADDRESS_SPACE = 4 << 30
"""Limit of this process's addresses, so that no case takes the machine's memory away."""
MOST_SECONDS = 10.0
"""Most seconds of computing that a case may take."""


def peak_mb(restart: bool = False) -> int:
    """The largest memory of this process in MB, since the last call with `restart`."""
    if restart:
        Path("/proc/self/clear_refs").write_text("5")
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) >> 10


def run(seeds: Path) -> None:
    """Run the cases whose names come on standard input."""
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    out = sys.stdout
    for line in sys.stdin:
        case = Case.parse(line.strip())
        out.write(json.dumps({"begin": str(case)}) + "\n")
        out.flush()
        peak_mb(restart=True)
        begun = time.process_time()
        verdict = judge(case, seeds)
        seconds, peak = time.process_time() - begun, peak_mb()
        if verdict.good and peak > LIMIT_MB:
            verdict = Verdict("memory", f"{peak} MB; {verdict.outcome}: {verdict.detail}")
        elif verdict.good and seconds > MOST_SECONDS:
            verdict = Verdict("slow", f"{seconds:.0f} s; {verdict.outcome}: {verdict.detail}")
        row = {"end": str(case), "outcome": verdict.outcome, "detail": verdict.detail, "peak": peak, "seconds": seconds}
        out.write(json.dumps(row) + "\n")
        out.flush()


if __name__ == "__main__":
    run(Path(sys.argv[1]))
