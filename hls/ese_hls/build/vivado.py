# SPDX-License-Identifier: Apache-2.0
"""Runs Vivado on an emitted project: synthesis of the engine out of context, and implementation of the block design."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from ese_hls.build.vendor_reports import Implementation, read_timing, read_utilization
from ese_hls.project import Project
from ese_host.boards import hwh
from ese_host.bundle import manifest
from ese_host.errors import MissingError
from ese_host.run_tool import ToolError, run_tool, version_of

SYNTHESIS, SYNTHESIS_LOG = "vivado_synth.tcl", "vivado_synth.log"
SYNTHESIS_REPORTS = ("vivado_synth.rpt", "vivado_synth_timing.rpt")
SCRIPT, LOG = "bitstream.tcl", "vivado.log"
REPORTS = ("utilization.rpt", "timing.rpt")
TIMEOUT = 24 * 3600.0


def find_vivado() -> str:
    """Path of the program vivado.

    Raises:
        MissingError: if it is not on PATH.
    """
    path = shutil.which("vivado")
    if path is None:
        raise MissingError(
            "vivado is not on PATH; install Vivado 2022.2 or newer and source its settings64.sh, or carry the project "
            f"folder to a machine that has it and run `vivado -mode batch -source {SCRIPT}` there; without it, "
            "`ese4ml build --with g++` makes an emulated bitstream, as hls_model.build(emulated=True) does"
        )
    return path


def synthesize(project: Path, timeout: float = TIMEOUT) -> Implementation:
    """Synthesize the RTL of the engine of a project, out of context.

    Raises:
        MissingError: if Vivado is not installed.
        ToolError: if Vivado fails.
        FormatError: if its reports cannot be read.
    """
    return _run(project, SYNTHESIS, SYNTHESIS_LOG, SYNTHESIS_REPORTS, timeout)


def implement(project: Project, timeout: float = TIMEOUT) -> Implementation:
    """Build design.bit and design.hwh in a project whose IP core was exported.

    Raises:
        MissingError: if Vivado is not installed.
        ToolError: if Vivado fails, or the timing is not met.
        FormatError: if its reports cannot be read.
        MismatchError: if its .hwh has another block design.
    """
    implementation = _run(project.path, SCRIPT, LOG, REPORTS, timeout, (manifest.BIT, manifest.HWH))
    if not implementation.timing.met:
        raise ToolError(
            f"{implementation.timing} at {project.design.clock_mhz} MHz; emit with a lower --clock-mhz, see "
            f"{project.path / REPORTS[1]}"
        )
    hwh.check((project.path / manifest.HWH).read_text(encoding="utf-8"), project.board.name, project.design)
    return implementation


def _run(
    project: Path, script: str, log: str, reports: tuple[str, str], timeout: float, outputs: tuple[str, ...] = ()
) -> Implementation:
    """Run a script of a project in Vivado, check that it wrote reports and outputs, and read the reports."""
    vivado = find_vivado()
    for name in (*outputs, *reports):
        (project / name).unlink(missing_ok=True)
    run_tool([vivado, "-mode", "batch", "-nojournal", "-nolog", "-source", script], project, project / log, timeout)
    missing = [name for name in (*outputs, *reports) if not (project / name).is_file()]
    if missing:
        raise ToolError(f"vivado ended without {', '.join(missing)}; see {project / log}")
    utilization, timing = reports
    return Implementation(read_utilization(project / utilization), read_timing(project / timing))


def version(command: str) -> str:
    """The version of Vivado or Vitis HLS: `v2022.2` if the command prints `vivado v2022.2 (64-bit)`."""
    line = version_of(command, "-version")
    match = re.search(r"v?\d{4}\.\d+\S*", line)
    return match.group() if match else line or "unknown"
