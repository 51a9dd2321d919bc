"""What a synthesis tool says of an engine: the same figures, whichever tool it was."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ese_host.errors import FormatError, MissingError


@dataclass(frozen=True)
class Cosimulation:
    """RTL against golden model and g++, word for word; it exists only where every word was equal.

    Attributes:
        packets: how many were answered. words: of answers, all compared. clocks: clock cycles of each packet in RTL.
        iterations: the engine's own counter for each packet, equal under g++ and in RTL.
    """

    packets: int
    words: int
    clocks: tuple[int, ...]
    iterations: tuple[int, ...]


@dataclass(frozen=True)
class Synthesis:
    """One engine through one tool. A figure that the tool does not give is None.

    Attributes:
        tool: its name. version: as it prints it. part: the device it worked for. clock_ns: the period asked for.
        estimated_ns: the period it expects to reach. luts, registers, dsps, bram18: resources.
        cosimulation: what the RTL was compared with, if it was.
    """

    tool: str
    version: str
    part: str
    clock_ns: float
    estimated_ns: float | None
    luts: int | None
    registers: int | None
    dsps: int | None
    bram18: int | None
    cosimulation: Cosimulation | None = None

    @property
    def slack_ns(self) -> float | None:
        """What is left of a period; negative where the clock is not reached."""
        return None if self.estimated_ns is None else self.clock_ns - self.estimated_ns

    def to_json(self) -> dict[str, Any]:
        """All fields, and the slack."""
        return {**asdict(self), "slack_ns": self.slack_ns}

    def __str__(self) -> str:
        def shown(value: float | None) -> str:
            return "unknown" if value is None else f"{value:,}"

        lines = [
            f"{self.tool} {self.version}, {self.part}, {self.clock_ns:g} ns:"
            + ("" if self.slack_ns is None else f" slack {self.slack_ns:.2f} ns,")
            + f" LUT {shown(self.luts)}, registers {shown(self.registers)}, DSP {shown(self.dsps)},"
            f" BRAM18 {shown(self.bram18)}"
        ]
        proof = self.cosimulation
        if proof is not None:
            lines.append(
                f"RTL equals golden model and g++: {proof.packets} packets, {proof.words} words;"
                f" iterations {_list(proof.iterations)} in {_list(proof.clocks)} clock cycles"
            )
        return "\n".join(lines)


def _list(values: tuple[int, ...]) -> str:
    return ", ".join(f"{value:,}" for value in values)


def read_vitis(file: Path) -> Synthesis:
    """The figures of a csynth.xml of Vitis HLS.

    Raises:
        MissingError: it is not there. FormatError: it is no such report.
    """
    try:
        root = ElementTree.fromstring(file.read_text(encoding="utf-8"))  # noqa: S314 (written by a tool that was just run)
    except OSError as error:
        raise MissingError(f"{file}: {error.strerror}; C synthesis writes it") from error
    except ElementTree.ParseError as error:
        raise FormatError(f"{file}: not XML ({error}); run the synthesis again") from error

    def text(path: str) -> str:
        found = root.findtext(path)
        if found is None:
            raise FormatError(f"{file}: has no {path}; it is no report of Vitis HLS's C synthesis")
        return found.strip()

    resources = "AreaEstimates/Resources"
    return Synthesis(
        tool="Vitis HLS",
        version=text("ReportVersion/Version"),
        part=text("UserAssignments/Part"),
        clock_ns=float(text("UserAssignments/TargetClockPeriod")),
        estimated_ns=float(text("PerformanceEstimates/SummaryOfTimingAnalysis/EstimatedClockPeriod")),
        luts=int(text(f"{resources}/LUT")),
        registers=int(text(f"{resources}/FF")),
        dsps=int(text(f"{resources}/DSP")),
        bram18=int(text(f"{resources}/BRAM_18K")),
    )
