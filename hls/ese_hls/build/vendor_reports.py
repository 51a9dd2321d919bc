"""What Vitis HLS and Vivado report of an engine: their text files as dataclasses, and all of a build in one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ese_hls.build.reports import Synthesis
from ese_host.errors import FormatError, MissingError
from ese_host.files import write_file

NAME = "synthesis.json"
"""The file beside a project's scripts that holds the last build's figures."""


@dataclass(frozen=True)
class RtlSimulation:
    """Vitis HLS's co-simulation of the test bench with the RTL (UG1399, "Analyzing RTL Simulations").

    Attributes:
        rtl: Verilog or VHDL. status: Pass or Fail.
        latency, interval: (least, average, most) clock cycles of a call, and from one to the next; None where the tool
            says NA.
    """

    rtl: str
    status: str
    latency: tuple[int, int, int] | None
    interval: tuple[int, int, int] | None

    @property
    def passed(self) -> bool:
        """Whether the test bench accepted what the RTL answered."""
        return self.status.lower() == "pass"

    def __str__(self) -> str:
        cycles = "unknown" if self.latency is None else "{:,} to {:,} (average {:,})".format(*_sorted(self.latency))
        return f"co-simulation of {self.rtl}: {self.status}, latency {cycles} cycles"


@dataclass(frozen=True)
class Use:
    """How much of a resource a design takes, and how much the part has."""

    used: float
    available: float

    def __str__(self) -> str:
        return f"{self.used:,.10g} of {self.available:,.10g}"


@dataclass(frozen=True)
class Utilization:
    """Vivado's report_utilization; a block RAM counts as two RAMB18, UltraRAM is None where the part has none."""

    luts: Use
    registers: Use
    bram18: Use
    dsps: Use
    urams: Use | None = None

    def __str__(self) -> str:
        found = f"LUT {self.luts}, registers {self.registers}, BRAM18 {self.bram18}, DSP {self.dsps}"
        return found if self.urams is None else f"{found}, URAM {self.urams}"


@dataclass(frozen=True)
class Timing:
    """Vivado's report_timing_summary: worst slacks of setup, hold and pulse width, and how many endpoints fail."""

    setup_ns: float
    hold_ns: float
    pulse_ns: float
    failing: int

    @property
    def met(self) -> bool:
        """Whether no endpoint fails."""
        return self.failing == 0

    def __str__(self) -> str:
        verdict = "timing met" if self.met else f"timing missed at {self.failing} endpoints"
        return f"{verdict}: setup {self.setup_ns:+.3f} ns, hold {self.hold_ns:+.3f} ns, pulse {self.pulse_ns:+.3f} ns"


@dataclass(frozen=True)
class Implementation:
    """A netlist by Vivado: synthesized alone (vsynth), or placed and routed with the block design (bitfile)."""

    utilization: Utilization
    timing: Timing

    def __str__(self) -> str:
        return f"{self.utilization}; {self.timing}"


@dataclass(frozen=True)
class BuildReport:
    """All figures of one build; None for a step that was not run.

    Attributes:
        csim: whether C simulation ran; it does not end well otherwise. synthesis: of C to RTL, estimated.
        simulation: of the RTL. vivado_synthesis: the engine alone. implementation: the whole block design.
        logs: of the tools, in the project.
    """

    csim: bool = False
    synthesis: Synthesis | None = None
    simulation: RtlSimulation | None = None
    vivado_synthesis: Implementation | None = None
    implementation: Implementation | None = None
    logs: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain values; what was not run is left out."""
        plain = asdict(self)
        if self.synthesis is not None:
            plain["synthesis"] = self.synthesis.to_json()
        return {name: value for name, value in plain.items() if value is not None}

    def write(self, project: Path) -> None:
        """Write synthesis.json into a project."""
        text = json.dumps(self.to_json(), indent=2, sort_keys=True)
        write_file(project / NAME, text + "\n")

    def __str__(self) -> str:
        lines = ["C simulation passed"] if self.csim else []
        parts = (
            ("", self.synthesis),
            ("", self.simulation),
            ("Vivado, engine alone: ", self.vivado_synthesis),
            ("Vivado, block design: ", self.implementation),
        )
        return "\n".join(lines + [f"{title}{part}" for title, part in parts if part is not None])


def read_cosim(file: Path) -> RtlSimulation:
    """The result of a `<top>_cosim.rpt`.

    Raises:
        MissingError: it is not there. FormatError: it is no such report.
    """
    for cells in _rows(_text(file, "co-simulation")):
        if cells[0] in ("Verilog", "VHDL") and len(cells) > 7 and cells[1] != "NA":
            return RtlSimulation(cells[0], cells[1], _cycles(cells[2:5]), _cycles(cells[5:8]))
    raise FormatError(f"{file}: has no row of Verilog or VHDL with a status; it is no report of Vitis HLS's cosim")


def read_utilization(file: Path) -> Utilization:
    """The totals of a report_utilization.

    Raises:
        MissingError: it is not there. FormatError: it is no such report.
    """
    found: dict[str, Use] = {}
    header: list[str] = []
    for cells in _rows(_text(file, "report_utilization")):
        if "Used" in cells and "Available" in cells:
            header = cells
        elif len(cells) == len(header) and cells[header.index("Available")]:
            used, available = (cells[header.index(name)] for name in ("Used", "Available"))
            found.setdefault(cells[0].rstrip("*"), Use(_number(file, used), _number(file, available)))

    def use(*names: str) -> Use:
        for name in names:
            if name in found:
                return found[name]
        raise FormatError(f"{file}: has no row of {' or '.join(names)}; it is no report of Vivado's report_utilization")

    tiles = use("Block RAM Tile")
    return Utilization(
        luts=use("Slice LUTs", "CLB LUTs"),
        registers=use("Slice Registers", "CLB Registers"),
        bram18=Use(2 * tiles.used, 2 * tiles.available),
        dsps=use("DSPs"),
        urams=found.get("URAM"),
    )


def read_timing(file: Path) -> Timing:
    """The "Design Timing Summary" of a report_timing_summary.

    Raises:
        MissingError: it is not there. FormatError: it is no such report, or the design had no clock.
    """
    lines = iter(_text(file, "report_timing_summary").splitlines())
    for line in lines:
        if line.split()[:2] == ["WNS(ns)", "TNS(ns)"]:
            next(lines, "")
            values = next(lines, "").split()
            if len(values) == 12 and "NA" not in values:
                number = [_number(file, value) for value in values]
                return Timing(number[0], number[4], number[8], int(number[2] + number[6] + number[10]))
            raise FormatError(f"{file}: the timing summary is {' '.join(values)!r}; has the design a clock?")
    raise FormatError(f"{file}: has no design timing summary; it is no report of Vivado's report_timing_summary")


def _text(file: Path, writer: str) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise MissingError(f"{file}: {error.strerror}; {writer} writes it") from error


def _rows(text: str) -> Iterator[list[str]]:
    """Cells of the tables that the tools draw with | between columns."""
    for line in text.splitlines():
        if re.match(r"\s*\|.*\|\s*$", line):
            yield [cell.strip() for cell in line.strip()[1:-1].split("|")]


def _cycles(cells: list[str]) -> tuple[int, int, int] | None:
    """Least, average, most."""
    if not all(cell.isdigit() for cell in cells):
        return None
    least, average, most = map(int, cells)
    return least, average, most


def _sorted(cycles: tuple[int, int, int]) -> tuple[int, int, int]:
    """Least, most, average: as they are said."""
    return cycles[0], cycles[2], cycles[1]


def _number(file: Path, text: str) -> float:
    try:
        return float(text.replace(",", ""))
    except ValueError as error:
        raise FormatError(f"{file}: {text!r} stands where a number is expected; run the tool again") from error
