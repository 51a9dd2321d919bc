# SPDX-License-Identifier: Apache-2.0
"""Runs Vitis HLS and Vivado on an emitted project, with the steps of hls4ml's `build`."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from ese_hls.build import vivado
from ese_hls.build.vendor_reports import BuildReport, read_cosim, read_vitis
from ese_hls.project import PRJ, TOP, Project
from ese_host.errors import MissingError, UnsupportedError
from ese_host.run_tool import ToolError, run_tool

SCRIPT = "build_prj.tcl"
OPTIONS = "build_opt.tcl"
LOG = "vitis.log"
TIMEOUT = 24 * 3600.0
SOLUTION = Path(PRJ) / "solution1"
CSIM = SOLUTION / f"csim/report/{TOP}_csim.log"
CSYNTH = SOLUTION / f"syn/report/{TOP}_csynth.xml"
COSIM = SOLUTION / f"sim/report/{TOP}_cosim.rpt"
RTL = SOLUTION / "syn/verilog"
IP = SOLUTION / "impl/ip"
CSIM_PASSED = "CSim done with 0 errors"


def find_tool() -> list[str]:
    """The command that runs the Tcl script of a project in Vitis HLS.

    Raises:
        UnsupportedError: if only Vivado HLS is on PATH.
        MissingError: if neither is on PATH.
    """
    for name, arguments in (("vitis-run", ["--mode", "hls", "--tcl", SCRIPT]), ("vitis_hls", ["-f", SCRIPT])):
        path = shutil.which(name)
        if path is not None:
            return [path, *arguments]
    if shutil.which("vivado_hls") is not None:
        raise UnsupportedError(
            "vivado_hls is on PATH, but the engine needs Vitis HLS 2022.2 or newer: install and source it"
        )
    raise MissingError(
        "neither vitis-run nor vitis_hls is on PATH; install Vitis HLS 2022.2 or newer and source its settings64.sh, "
        f"or carry the project folder to a machine that has it and run `vitis_hls -f {SCRIPT}` there; without it, "
        "`ese4ml build --with g++` makes an emulated design, as hls_model.build(emulated=True) does"
    )


def build_project(
    project_path: Path,
    *,
    reset: bool = False,
    csim: bool = True,
    synth: bool = True,
    cosim: bool | None = None,
    validation: bool = False,
    export: bool = False,
    vsynth: bool = False,
    bitfile: bool = False,
    fifo_opt: bool = False,
    log_to_stdout: bool = False,
    timeout: float = TIMEOUT,
) -> BuildReport:
    """Run the chosen steps. Logs and reports of the tools stay in the project, and synthesis.json is written there.

    Names and defaults are those of hls4ml's Vitis backend, except that the RTL is simulated by default; `bitfile` and
    `timeout` are added.

    Args:
        project_path: an emitted project.
        reset: start with an empty Vitis HLS project.
        csim: compile and run the test bench, which compares every word with the answers of the golden model.
        synth: run C synthesis.
        cosim: simulate the RTL with the same test bench and the short test; by default if C synthesis is run.
        validation: run `csim` and `cosim`. In hls4ml it compares the outputs of both, which the test bench does here.
        export: package the IP core.
        vsynth: synthesize the engine with Vivado without the block design, after C synthesis if there is no RTL yet.
        bitfile: build design.bit and design.hwh with the block design of the board, after `export` if there is no IP
            core yet.
        fifo_opt: refused, because the depths of the FIFOs of the engine are part of the design.
        log_to_stdout: print the log of each tool when the tool has ended; the log is kept in any case.
        timeout: limit in seconds for each tool.

    Returns:
        The reports of all steps that were run.

    Raises:
        MissingError: if a tool is not installed.
        UnsupportedError: if only Vivado HLS is installed, `fifo_opt` is set, or a step of Vitis HLS is asked for in a
            project of flow "rtl".
        ToolError: if a tool fails, or a simulation finds a difference.
        FormatError: if a report cannot be read.
        MismatchError: if the .hwh of Vivado has another block design.
    """
    if fifo_opt:
        raise UnsupportedError(
            "fifo_opt is True; the depths of the engine's FIFOs are part of the design: leave it out"
        )
    project = Project.open(project_path)
    here = project.path
    by_hls = project.flow == "hls"
    if by_hls:
        synth = synth or (vsynth and not any((here / RTL).glob("*.v")))
        export = export or (bitfile and not (here / IP).is_dir())
    csim = csim or validation
    cosim = validation or (by_hls and (synth or export) if cosim is None else cosim)
    if not by_hls:
        _refuse({"csim": csim, "synth": synth, "cosim": cosim, "export": export}, vsynth or bitfile)
    if vsynth or bitfile:
        vivado.find_vivado()  # fail before Vitis HLS has run for hours
    logs: list[str] = []

    def ended(log: str) -> None:
        logs.append(log)
        if log_to_stdout:
            sys.stdout.write((here / log).read_text(encoding="utf-8", errors="replace"))

    wanted = {CSIM: csim, CSYNTH: synth or cosim or export, COSIM: cosim, IP: export}
    if any(wanted.values()):
        _run_hls(here, {"reset": reset, "csim": csim, "synth": synth, "cosim": cosim, "export": export}, timeout)
        ended(LOG)
        missing = [str(path) for path, chosen in wanted.items() if chosen and not (here / path).exists()]
        if missing:
            raise ToolError(f"Vitis HLS ended without {', '.join(missing)}; see {here / LOG}")
    if csim and CSIM_PASSED not in (here / CSIM).read_text(encoding="utf-8", errors="replace"):
        raise ToolError(f"C simulation failed: {here / CSIM} does not say {CSIM_PASSED!r}; see there")
    synthesis = read_vitis(here / CSYNTH) if wanted[CSYNTH] else None
    simulation = read_cosim(here / COSIM) if cosim else None
    if simulation is not None and not simulation.passed:
        raise ToolError(f"{simulation}; the RTL answers otherwise than the golden model: see {here / LOG}")
    vivado_synthesis = implementation = None
    if vsynth:
        vivado_synthesis = vivado.synthesize(here, timeout)
        ended(vivado.SYNTHESIS_LOG)
    if bitfile:
        implementation = vivado.implement(project, timeout)
        ended(vivado.LOG)
    report = BuildReport(csim, synthesis, simulation, vivado_synthesis, implementation, tuple(logs))
    report.write(here)
    return report


def _refuse(steps: dict[str, bool], others: bool) -> None:
    """Refuse the steps of Vitis HLS for a project whose engine is in RTL; `others` is whether there are other steps."""
    chosen = [step for step, wanted in steps.items() if wanted]
    if chosen or not others:
        raise UnsupportedError(
            f"{', '.join(chosen) or 'no step'} is asked for, but the project's flow is 'rtl': its engine is Verilog, "
            "on which Vitis HLS has no step to run; choose vsynth or bitfile (`ese4ml build --with vivado`), an "
            "emulated engine (`--with verilator`), or emit with flow 'hls'"
        )


def _run_hls(project: Path, steps: dict[str, bool], timeout: float) -> None:
    """Run steps of Vitis HLS. Reports of an earlier run are removed first, so that they are not taken for results."""
    command = find_tool()
    for path in (CSIM, CSYNTH, COSIM):
        (project / path).unlink(missing_ok=True)
    if steps["export"]:
        shutil.rmtree(project / IP, ignore_errors=True)
    lines = [f"set opt({name}) {int(chosen)}\n" for name, chosen in steps.items()]
    (project / OPTIONS).write_text("".join(lines), encoding="utf-8")
    run_tool(command, project, project / LOG, timeout)
