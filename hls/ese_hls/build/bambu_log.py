"""What a run of PandA Bambu says: whether it did its work, and the figures of its log."""

from __future__ import annotations

import re

from ese_hls.run_tool import ToolError

FAILURES = ("Returned error code", "error ->", "mismatch", "Mismatch", "MISMATCH")
"""Any of these lines in the log is a failure, whatever the exit status."""
RAMB18_BYTES = 2048
_VERSION = re.compile(r"Version: PandA (\S+)")
_FREQUENCY = re.compile(r"Estimated max frequency \(MHz\): ([0-9.]+)")
_FUNCTION = re.compile(r"(Module|Register) binding information for function (.+):")
_DSPS = re.compile(r"Estimated number of DSPs: (\d+)")
_REGISTERS = re.compile(r"Total number of flip-flops in function (\S+): (\d+)")
_MEMORY = re.compile(r"Internal variable: (.+ in function .+)\n +Id: (\d+)\n +Base Address: \d+\n +Size: (\d+)")
_CALL = re.compile(r"(\d+)\|(\d+)")


def check(log: str) -> None:
    """Refuse a run whose log tells of a failure.

    Raises:
        ToolError: with the line that says so.
    """
    lines = log.splitlines()
    for number, line in enumerate(lines):
        if any(failure in line for failure in FAILURES) and "Bambu executed with" not in line:
            context = "\n".join(lines[max(0, number - 5) : number + 1])
            raise ToolError(f"bambu failed, whatever its exit status says:\n{context}")


def version(log: str) -> str:
    """Bambu's version, as its banner has it."""
    found = _VERSION.search(log)
    return found[1] if found else "unknown"


def period(log: str) -> float | None:
    """The period in ns that the slowest function reaches."""
    found = [float(value) for value in _FREQUENCY.findall(log)]
    return 1000 / min(found) if found else None


def dsps(log: str) -> int | None:
    """DSPs of all functions: the last figure that each got."""
    found: dict[str, int] = {}
    function = ""
    for line in log.splitlines():
        if (begins := _FUNCTION.search(line)) is not None:
            function = begins[2]
        elif (counted := _DSPS.search(line)) is not None:
            found[function] = int(counted[1])
    return sum(found.values()) if found else None


def registers(log: str) -> int | None:
    """Flip-flops of all functions."""
    found = dict(_REGISTERS.findall(log))
    return sum(int(count) for count in found.values()) if found else None


def bram18(log: str) -> int | None:
    """RAMB18 that the memories allocated need at least, each on its own; Bambu keeps the smallest in LUTs."""
    found = {identifier: int(size) for _, identifier, size in _MEMORY.findall(log)}
    return sum(-(-size // RAMB18_BYTES) for size in found.values() if size > RAMB18_BYTES // 32) if found else None


def clocks(results: str) -> tuple[int, ...]:
    """Clock cycles of each call, of results.txt: begin and end of calls, `b|e,b|e,`, then 0 where the test bench ended.

    >>> clocks("7|85577,85585|378965, 0")
    (85570, 293380)
    >>> clocks("7|85577,85585|378965, A")  # the test bench was aborted
    ()
    """
    if results.split()[1:] != ["0"]:
        return ()
    return tuple(int(end) - int(begin) for begin, end in _CALL.findall(results))
