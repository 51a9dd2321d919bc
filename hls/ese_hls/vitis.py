"""Synthesis of an emitted project with Vitis HLS, where it is installed."""

from __future__ import annotations

import shutil
from pathlib import Path

from ese_hls.run_tool import run_tool
from ese_host.errors import MissingError, UnsupportedError

SCRIPT = "build_prj.tcl"
OPTIONS = "build_opt.tcl"
LOG = "vitis.log"
TIMEOUT = 24 * 3600.0


def find_tool() -> list[str]:
    """The command that runs a Tcl script in Vitis HLS.

    Raises:
        UnsupportedError: only Vivado HLS is there.
        MissingError: neither is.
    """
    for name, arguments in (("vitis-run", ["--mode", "hls", "--tcl", SCRIPT]), ("vitis_hls", ["-f", SCRIPT])):
        found = shutil.which(name)
        if found is not None:
            return [found, *arguments]
    if shutil.which("vivado_hls") is not None:
        raise UnsupportedError(
            "vivado_hls is on PATH, but the engine needs Vitis HLS 2022.2 or newer: install and source it"
        )
    raise MissingError(
        "neither vitis-run nor vitis_hls is on PATH; install Vitis HLS 2022.2 or newer and source its settings64.sh, "
        f"or carry the project folder to a machine that has it and run `vitis_hls -f {SCRIPT}` there"
    )


def build_project(
    project: Path,
    *,
    csim: bool = False,
    synth: bool = True,
    cosim: bool = False,
    export: bool = False,
    reset: bool = False,
    timeout: float = TIMEOUT,
) -> Path:
    """Run the chosen steps; the log stays in the project.

    Args:
        project: an emitted project.
        csim: compile and run the test bench.
        synth: C synthesis.
        cosim: simulate the RTL.
        export: package the IP core.
        reset: start from an empty Vitis HLS project.
        timeout: seconds.

    Returns:
        The log.

    Raises:
        MissingError, UnsupportedError: the tool is not there. ToolError: it failed.
    """
    command = find_tool()
    steps = {"reset": reset, "csim": csim, "synth": synth, "cosim": cosim, "export": export}
    lines = [f"set opt({name}) {int(chosen)}\n" for name, chosen in steps.items()]
    (project / OPTIONS).write_text("".join(lines), encoding="utf-8")
    run_tool(command, project, project / LOG, timeout)
    return project / LOG
