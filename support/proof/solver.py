# SPDX-License-Identifier: Apache-2.0
"""Yosys's solver: proofs by induction, search through all beginnings of a given length, and tables of clocks."""

from __future__ import annotations

import re
import tempfile
import time
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from ese_host.run_tool import ToolError
from ese_rtl.simulate.verilog import run_yosys
from support.proof.claims import GIVEN, HOLD, TOP, Claims, port_name

DEADLINE = 60.0
"""Seconds after which a question counts as not decided."""
DIGITS = 8
"""Most digits of a value in the table of a counterexample."""
_PASSES = ("read_rtlil proof.il", "proc", "flatten", "memory_map", "opt -full")
_ROW = re.compile(r"^\s*(init|\d+) \\(\S+)\s+\S+\s+\S+\s+([01]+)\s*$")


class Decision(Enum):
    """The answer of a solver to a question."""

    PROVED = "proved"
    REFUTED = "there is a counterexample"
    UNDECIDED = "not decided"


@dataclass(frozen=True)
class Finding:
    """A decision, and what shows it.

    Attributes:
        decision: the answer.
        seconds: that it took.
        table: of a counterexample, what every shown signal is in each clock; else empty.
        violated: the claims that are false in its last clock.
    """

    decision: Decision
    seconds: float
    table: str
    violated: frozenset[str]

    @property
    def proved(self) -> bool:
        """Whether the answer is yes. A test that fails on it prints the table."""
        return self.decision is Decision.PROVED

    @property
    def refuted(self) -> bool:
        """Whether there is a counterexample."""
        return self.decision is Decision.REFUTED


def by_induction(claims: Claims, length: int = 4, deadline: float = DEADLINE) -> Finding:
    """Whether all claims hold for ever: they hold in the first clocks, and after so many clocks in which they do.

    Args:
        claims: the claims.
        length: most clocks that the step of the induction may look back.
        deadline: seconds after which the question is not decided.
    """
    return _ask(claims, [f"-tempinduct -maxsteps {length} -prove {HOLD} 1"], deadline)[0]


def within_clocks(claims: Claims, clocks: int, only: str = "", deadline: float = DEADLINE) -> Finding:
    """Whether claims hold in the first clocks after reset.

    Args:
        claims: the claims.
        clocks: so many clocks.
        only: one of the claims; by default all.
        deadline: seconds after which the question is not decided.
    """
    proved = port_name("claim", only) if only else HOLD
    return _ask(claims, [f"-tempinduct-baseonly -maxsteps {clocks} -prove {proved} 1"], deadline)[0]


def unreached(claims: Claims, clocks: int, deadline: float = DEADLINE) -> set[str]:
    """The situations of `happens` that are not reached in the first clocks: there must be none.

    Args:
        claims: the claims.
        clocks: so many clocks.
        deadline: seconds after which Yosys is stopped, and the situations count as not reached.
    """
    names = [*claims.happens]
    questions = [f"-tempinduct-baseonly -maxsteps {clocks} -prove {port_name('happens', name)} 0" for name in names]
    return {name for name, finding in zip(names, _ask(claims, questions, deadline), strict=True) if not finding.refuted}


def _ask(claims: Claims, questions: list[str], deadline: float) -> list[Finding]:
    """The answers to questions about the same claims, one for each or, beyond the deadline, none decided."""
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="ese4ml-proof-") as name:
        folder = Path(name)
        (folder / "proof.il").write_text(claims.circuit(), encoding="utf-8")
        asked = [f"sat {question} -set {GIVEN} 1 -set rst 0 -show-ports {TOP}" for question in questions]
        try:
            run_yosys([*_PASSES, *asked], folder, deadline)
        except ToolError as error:
            if "did not end" not in str(error):
                raise
            return [Finding(Decision.UNDECIDED, time.perf_counter() - begun, "", frozenset()) for _ in questions]
        log = (folder / "yosys.log").read_text(encoding="utf-8")
    seconds = (time.perf_counter() - begun) / len(questions)
    return [_finding(part, seconds) for part in log.split("Executing SAT pass")[1:]]


def _finding(log: str, seconds: float) -> Finding:
    """The answer that the solver's log tells."""
    if "SUCCESS!" in log:
        return Finding(Decision.PROVED, seconds, "", frozenset())
    refuted = "model found for base case" in log
    # an induction that does not carry shows a step that fails
    return Finding(Decision.REFUTED if refuted else Decision.UNDECIDED, seconds, *_table(log))


def _digits(value: int) -> str:
    """A value in hexadecimal, a point for zero; of a wide one the lowest digits."""
    text = f"{value:x}" if value else "."
    return text if len(text) <= DIGITS else f"~{text[1 - DIGITS :]}"


def _table(log: str) -> tuple[str, frozenset[str]]:
    """A table of the clocks that the solver shows last, a line for each signal; and the claims that end false."""
    clocks: dict[int, dict[str, str]] = {}
    for line in log[log.rfind("Signal Name") :].splitlines():
        if (row := _ROW.match(line)) and row[1] != "init":
            clocks.setdefault(int(row[1]), {})[row[2]] = _digits(int(row[3], 2))
    if not clocks:
        return "", frozenset()
    last = clocks[max(clocks)]
    claimed = {name for name in last if name.startswith("claim_")}
    violated = frozenset(name.removeprefix("claim_").replace("_", " ") for name in claimed if last[name] == ".")
    names = [name for name in sorted(last) if name not in {"clk", "rst", GIVEN, HOLD} | claimed]
    names = [name for name in names if not name.startswith("happens_")]
    wide = max(len(name) for name in names)
    width = max(len(value) for values in clocks.values() for value in values.values())
    lines = [
        f"{name:{wide}} " + " ".join(f"{values.get(name, '-'):>{width}}" for _, values in sorted(clocks.items()))
        for name in names
    ]
    return "\n".join(["false in the last clock: " + ", ".join(sorted(violated)), *lines]), violated
