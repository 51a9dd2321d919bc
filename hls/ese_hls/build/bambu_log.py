# SPDX-License-Identifier: Apache-2.0
"""Reads the log of PandA Bambu: whether the run succeeded, and resources and timing."""

from __future__ import annotations

import re

from ese_host.run_tool import ToolError

FAILURES = ("Returned error code", "error ->", "mismatch", "Mismatch", "MISMATCH")
"""A log with one of these texts is that of a failed run, whatever the exit status of Bambu."""
RAMB18_BYTES = 2048
_VERSION = re.compile(r"Version: PandA (\S+)")
_FREQUENCY = re.compile(r"Estimated max frequency \(MHz\): ([0-9.]+)")
_FUNCTION = re.compile(r"(Module|Register) binding information for function (.+):")
_DSPS = re.compile(r"Estimated number of DSPs: (\d+)")
_REGISTERS = re.compile(r"Total number of flip-flops in function (\S+): (\d+)")
_MEMORY = re.compile(r"Internal variable: (.+ in function .+)\n +Id: (\d+)\n +Base Address: \d+\n +Size: (\d+)")
_CALL = re.compile(r"(\d+)\|(\d+)")


def check(log: str) -> None:
    """Refuse a run whose log reports a failure.

    Raises:
        ToolError: if there is a failure; the message has the line of the log and a few before it.
    """
    lines = log.splitlines()
    for number, line in enumerate(lines):
        if any(failure in line for failure in FAILURES) and "Bambu executed with" not in line:
            context = "\n".join(lines[max(0, number - 5) : number + 1])
            raise ToolError(f"bambu failed, whatever its exit status says:\n{context}")


def version(log: str) -> str:
    """The version of Bambu from its banner, or "unknown"."""
    banner = _VERSION.search(log)
    return banner[1] if banner else "unknown"


def period(log: str) -> float | None:
    """The estimated clock period in ns of the slowest function, or None if the log has none."""
    frequencies = [float(value) for value in _FREQUENCY.findall(log)]
    return 1000 / min(frequencies) if frequencies else None


def dsps(log: str) -> int | None:
    """DSPs of all functions, or None if the log has no estimate. The last estimate of each function counts."""
    dsps_of: dict[str, int] = {}
    function = ""
    for line in log.splitlines():
        if (heading := _FUNCTION.search(line)) is not None:
            function = heading[2]
        elif (estimate := _DSPS.search(line)) is not None:
            dsps_of[function] = int(estimate[1])
    return sum(dsps_of.values()) if dsps_of else None


def registers(log: str) -> int | None:
    """Flip-flops of all functions, or None if the log does not count any."""
    registers_of = dict(_REGISTERS.findall(log))
    return sum(int(count) for count in registers_of.values()) if registers_of else None


def bram18(log: str) -> int | None:
    """The least number of RAMB18 that hold all memories, each in RAMB18 of its own, or None if the log has no memory.

    Memories of at most 64 bytes are left out, because Bambu keeps them in LUTs.
    """
    sizes = {identifier: int(size) for _, identifier, size in _MEMORY.findall(log)}
    return sum(-(-size // RAMB18_BYTES) for size in sizes.values() if size > RAMB18_BYTES // 32) if sizes else None


def clocks(results: str) -> tuple[int, ...]:
    """Clock cycles of each call of the top, from the text of results.txt.

    The text has the clocks at which each call begins and ends, `begin|end,`, and then 0 if the test bench ended well.
    If it did not end well, the result is empty.

    >>> clocks("7|85577,85585|378965, 0")
    (85570, 293380)
    >>> clocks("7|85577,85585|378965, A")  # the test bench was aborted
    ()
    """
    if results.split()[1:] != ["0"]:
        return ()
    return tuple(int(end) - int(begin) for begin, end in _CALL.findall(results))
