# SPDX-License-Identifier: Apache-2.0
"""Stand-ins for Vitis HLS and Vivado, which write the files that the real tools write for the chosen steps."""

from __future__ import annotations

from pathlib import Path

import pytest
import report_texts

from ese_hls.build import vitis
from ese_hls.project.project import PRJ, Project
from ese_host.boards import hwh

BIT = b"\x00\x09 no real bitstream"
VITIS = f"""
[ "$1" = -version ] && echo "Vitis HLS v2022.2.1" && exit 0
leave() {{ if grep -q "opt($1) 1" build_opt.tcl && [ -f MADE/$2 ]; then mkdir -p $(dirname $3); cp MADE/$2 $3; fi; }}
echo "steps of $*"
mkdir -p {PRJ}
cp MADE/hls.app {PRJ}
leave csim csim.log {vitis.CSIM}
for step in synth cosim export; do
    leave $step csynth.xml {vitis.CSYNTH}
    leave $step ese_top.v {vitis.RTL}/ese_top.v
done
leave cosim cosim.rpt {vitis.COSIM}
leave export csynth.xml {vitis.IP}/component.xml
"""
VIVADO = f"""
[ "$1" = -version ] && echo "vivado v2022.2 (64-bit)" && exit 0
echo "running $*"
case $6 in
bitstream.tcl) test -d {vitis.IP} && cp MADE/design.* MADE/utilization.rpt MADE/timing.rpt . ;;
vivado_synth.tcl) test -f {vitis.RTL}/ese_top.v && cp MADE/vivado_synth*.rpt . ;;
esac 2>/dev/null
true
"""
HLS_APP = """<AutoPilot:project xmlns:AutoPilot="com.autoesl.autopilot.project" xmlns="urn:x" top="ese_top">
<solutions><solution name="solution1" status="active"/></solutions></AutoPilot:project>
"""


def install(project_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put both stand-ins on PATH; returns the folder of the files that they copy, which a test may change."""
    project, made, path = Project.open(project_path), folder / "made", folder / "bin"
    files = {
        "csim.log": f"INFO: [SIM 211-1] {vitis.CSIM_PASSED}.\n",
        "csynth.xml": report_texts.CSYNTH,
        "ese_top.v": "module ese_top(input ap_clk); endmodule\n",
        "cosim.rpt": report_texts.COSIM,
        "hls.app": HLS_APP,
        "utilization.rpt": report_texts.UTILIZATION,
        "timing.rpt": report_texts.TIMING,
        "vivado_synth.rpt": report_texts.SYNTHESIZED,
        "vivado_synth_timing.rpt": report_texts.TIMING,
        "design.hwh": hwh.render(project.board.name, project.design),
    }
    made.mkdir()
    path.mkdir()
    for name, text in files.items():
        (made / name).write_text(text)
    (made / "design.bit").write_bytes(BIT)
    for name, script in (("vitis_hls", VITIS), ("vivado", VIVADO)):
        (path / name).write_text("#!/bin/sh\n" + script.replace("MADE", str(made)))
        (path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{path}:/usr/bin:/bin")
    return made
