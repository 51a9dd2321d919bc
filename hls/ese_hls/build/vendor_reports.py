# SPDX-License-Identifier: Apache-2.0
"""Reads the reports of Vitis HLS and Vivado about an engine, and puts all reports of a build together."""

from __future__ import annotations

import contextlib
import json
import math
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from ese_hls.build.synthesis import Synthesis
from ese_host.errors import FormatError, MissingError
from ese_host.files import write_file

T = TypeVar("T", int, float)

NAME = "synthesis.json"
"""File in a project with the reports of its last build."""


@dataclass(frozen=True)
class RtlSimulation:
    """The co-simulation of test bench and RTL by Vitis HLS (UG1399, "Analyzing RTL Simulations").

    Attributes:
        rtl: "Verilog" or "VHDL".
        status: "Pass" or "Fail".
        latency: (least, average, most) clock cycles of a call of the top, or None if the tool reports NA.
        interval: (least, average, most) clock cycles from one call to the next, or None if the tool reports NA.
    """

    rtl: str
    status: str
    latency: tuple[int, int, int] | None
    interval: tuple[int, int, int] | None

    @property
    def passed(self) -> bool:
        """Whether the test bench accepted the answers of the RTL."""
        return self.status.lower() == "pass"

    def __str__(self) -> str:
        cycles = "unknown" if self.latency is None else "{:,} to {:,} (average {:,})".format(*_sorted(self.latency))
        return f"co-simulation of {self.rtl}: {self.status}, latency {cycles} cycles"


@dataclass(frozen=True)
class Use:
    """Use of a resource.

    Attributes:
        used: how much the design uses.
        available: how much the part has.
    """

    used: float
    available: float

    def __str__(self) -> str:
        return f"{self.used:,.10g} of {self.available:,.10g}"


@dataclass(frozen=True)
class Utilization:
    """The report_utilization of Vivado.

    Attributes:
        luts: LUTs.
        registers: flip-flops.
        bram18: block RAM in units of RAMB18; a RAMB36 counts as two.
        dsps: DSPs.
        urams: UltraRAM, or None if the part has none.
    """

    luts: Use
    registers: Use
    bram18: Use
    dsps: Use
    urams: Use | None = None

    def __str__(self) -> str:
        text = f"LUT {self.luts}, registers {self.registers}, BRAM18 {self.bram18}, DSP {self.dsps}"
        return text if self.urams is None else f"{text}, URAM {self.urams}"


@dataclass(frozen=True)
class Timing:
    """The report_timing_summary of Vivado.

    Attributes:
        setup_ns: worst slack of setup, in ns.
        hold_ns: worst slack of hold, in ns.
        pulse_ns: worst slack of the pulse width, in ns.
        failing: number of endpoints that fail.
    """

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
    """A netlist of Vivado: the engine synthesized out of context (vsynth) or the block design implemented (bitfile).

    Attributes:
        utilization: resources of the netlist.
        timing: slacks of the netlist.
    """

    utilization: Utilization
    timing: Timing

    def __str__(self) -> str:
        return f"{self.utilization}; {self.timing}"


@dataclass(frozen=True)
class BuildReport:
    """All reports of one build; the report of a step that was not run is None.

    Attributes:
        csim: whether C simulation was run; it has passed then, because the build fails otherwise.
        synthesis: C synthesis, with estimated resources and timing.
        simulation: co-simulation of the RTL.
        vivado_synthesis: Vivado's synthesis of the engine without the block design.
        implementation: Vivado's implementation of the whole block design.
        logs: names of the logs of the tools in the project.
        design: the design folder that was made, which `ese4ml check` and `ese4ml run` take.
    """

    csim: bool = False
    synthesis: Synthesis | None = None
    simulation: RtlSimulation | None = None
    vivado_synthesis: Implementation | None = None
    implementation: Implementation | None = None
    logs: tuple[str, ...] = ()
    design: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The reports as plain values, without those of steps that were not run."""
        plain = asdict(self)
        if self.synthesis is not None:
            plain["synthesis"] = self.synthesis.to_json()
        return {name: value for name, value in plain.items() if value is not None}

    def write(self, project: Path) -> None:
        """Write synthesis.json into the folder of a project."""
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
        lines += [f"{title}{part}" for title, part in parts if part is not None]
        return "\n".join(lines + ([] if self.design is None else [f"design folder: {self.design}"]))


def read_vitis(file: Path) -> Synthesis:
    """Read the csynth.xml of Vitis HLS.

    Raises:
        MissingError: if the file cannot be read.
        FormatError: if it is not such a report, or a number in it is none.
    """
    try:
        root = ElementTree.fromstring(file.read_text(encoding="utf-8"))  # noqa: S314 (written by a tool that was just run)
    except OSError as error:
        raise MissingError(f"{file}: {error.strerror}; C synthesis writes it") from error
    except ElementTree.ParseError as error:
        raise FormatError(f"{file}: not XML ({error}); run the synthesis again") from error

    def text(path: str) -> str:
        content = root.findtext(path)
        if content is None:
            raise FormatError(f"{file}: has no {path}; it is no report of Vitis HLS's C synthesis")
        return content.strip()

    def number(path: str, kind: type[T]) -> T:
        with contextlib.suppress(ValueError):
            if math.isfinite(value := kind(text(path))):
                return value
        expected = "a whole number" if kind is int else "a number"
        raise FormatError(f"{file}: {path} is {text(path)!r}, not {expected}; run the synthesis again")

    resources = "AreaEstimates/Resources"
    return Synthesis(
        tool="Vitis HLS",
        version=text("ReportVersion/Version"),
        part=text("UserAssignments/Part"),
        clock_ns=number("UserAssignments/TargetClockPeriod", float),
        estimated_ns=number("PerformanceEstimates/SummaryOfTimingAnalysis/EstimatedClockPeriod", float),
        luts=number(f"{resources}/LUT", int),
        registers=number(f"{resources}/FF", int),
        dsps=number(f"{resources}/DSP", int),
        bram18=number(f"{resources}/BRAM_18K", int),
    )


def read_cosim(file: Path) -> RtlSimulation:
    """Read the `<top>_cosim.rpt` of Vitis HLS.

    Raises:
        MissingError: if the file cannot be read.
        FormatError: if it is not such a report.
    """
    for cells in _rows(_text(file, "co-simulation")):
        if cells[0] in ("Verilog", "VHDL") and len(cells) > 7 and cells[1] != "NA":
            return RtlSimulation(cells[0], cells[1], _cycles(cells[2:5]), _cycles(cells[5:8]))
    raise FormatError(f"{file}: has no row of Verilog or VHDL with a status; it is no report of Vitis HLS's cosim")


def read_utilization(file: Path) -> Utilization:
    """Read the totals of a report_utilization of Vivado.

    Raises:
        MissingError: if the file cannot be read.
        FormatError: if it is not such a report.
    """
    uses: dict[str, Use] = {}
    header: list[str] = []
    for cells in _rows(_text(file, "report_utilization")):
        if "Used" in cells and "Available" in cells:
            header = cells
        elif len(cells) == len(header) and cells[header.index("Available")]:
            used, available = (cells[header.index(name)] for name in ("Used", "Available"))
            uses.setdefault(cells[0].rstrip("*"), Use(_number(file, used), _number(file, available)))

    def use(*names: str) -> Use:
        for name in names:
            if name in uses:
                return uses[name]
        raise FormatError(f"{file}: has no row of {' or '.join(names)}; it is no report of Vivado's report_utilization")

    tiles = use("Block RAM Tile")
    return Utilization(
        luts=use("Slice LUTs", "CLB LUTs"),
        registers=use("Slice Registers", "CLB Registers"),
        bram18=Use(2 * tiles.used, 2 * tiles.available),
        dsps=use("DSPs"),
        urams=uses.get("URAM"),
    )


def read_timing(file: Path) -> Timing:
    """Read the "Design Timing Summary" of a report_timing_summary of Vivado.

    Raises:
        MissingError: if the file cannot be read.
        FormatError: if it is not such a report, or the design has no clock.
    """
    lines = iter(_text(file, "report_timing_summary").splitlines())
    for line in lines:
        if line.split()[:2] == ["WNS(ns)", "TNS(ns)"]:
            next(lines, "")
            values = next(lines, "").split()
            if len(values) == 12 and "NA" not in values:
                number = [_number(file, value) for value in values]
                return Timing(number[0], number[4], number[8], int(number[2] + number[6] + number[10]))
            raise FormatError(
                f"{file}: the timing summary is {' '.join(values)!r}; twelve numbers are expected: has the design a "
                "clock?"
            )
    raise FormatError(f"{file}: has no design timing summary; it is no report of Vivado's report_timing_summary")


def _text(file: Path, writer: str) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise MissingError(f"{file}: {error.strerror}; {writer} writes it") from error


def _rows(text: str) -> Iterator[list[str]]:
    """The cells of each row of the tables in a report, which have | between columns."""
    for line in text.splitlines():
        if re.match(r"\s*\|.*\|\s*$", line):
            yield [cell.strip() for cell in line.strip()[1:-1].split("|")]


def _cycles(cells: list[str]) -> tuple[int, int, int] | None:
    """(least, average, most) from the text of three cells, or None if they are no numbers."""
    if not all(cell.isdigit() for cell in cells):
        return None
    least, average, most = map(int, cells)
    return least, average, most


def _sorted(cycles: tuple[int, int, int]) -> tuple[int, int, int]:
    """(least, most, average), the order of the text, from (least, average, most)."""
    return cycles[0], cycles[2], cycles[1]


def _number(file: Path, text: str) -> float:
    try:
        return float(text.replace(",", ""))
    except ValueError as error:
        raise FormatError(f"{file}: {text!r} stands where a number is expected; run the tool again") from error
