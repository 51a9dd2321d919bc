# SPDX-License-Identifier: Apache-2.0
"""Compiles the engine to Verilog with PandA Bambu, an open HLS compiler, and checks the Verilog in simulation.

Its answers must equal those of the engine under g++, and these must equal those of the golden model.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ese_hls.build import bambu_log
from ese_hls.build.synthesis import Cosimulation, Synthesis
from ese_hls.emulate import compile_emulator
from ese_hls.project import Project, vectors
from ese_host.boards import Board
from ese_host.device.emulated import EmulatedEngine
from ese_host.errors import MissingError, UnsupportedError
from ese_host.files import Contents, write_file
from ese_host.protocol import Words, read_trailer
from ese_host.run_tool import ToolError, run_tool

COMMAND, SIMULATOR = "bambu", "verilator"
FOLDER, LOG, REPORT = "bambu", "bambu.log", "bambu.json"
BENCH_LOG = "HLS_output/simulation/testbench.log"
TOP = "ese_core"
TIMEOUT = 2 * 3600.0
MALFORMED_ROOM = 1 << 16
"""Room in words for the answer to a packet for which the golden model has no answer."""
DEVICES = {"zynq-7000": "xc7z020-1clg484-VVD", "zynq-ultrascale": "xcu280-2Lfsvh2892-VVD"}
"""Nearest device that Bambu knows: for Zynq-7000 the die of the PYNQ boards, else an UltraScale+ of another size."""
FRONT_END = (
    # Bambu can follow the packets through the references in the engine only if every function is inlined. Small loops
    # are unrolled, as Vitis HLS is told by pragmas, so that the arrays that they index become registers, not memories.
    "-mllvm -inline-threshold=100000",
    "-funroll-loops",
    "-mllvm -unroll-full-max-count=4",
    "-mllvm -unroll-threshold=20000",
    "-mllvm -unroll-allow-partial=0",
    "-mllvm -unroll-runtime=0",
)
# The pass that packs Booleans into LUTs fails on ap_int with "unexpected condition", so it is switched off.
PASSES = ("--panda-parameter=lut-transformation=0",)
# The makefile in the Python package of Verilator does not set the g++ option for precompiled headers.
MAKE = "CFG_CXXFLAGS_PCH_I=-include"


def find_tool() -> str:
    """Path of the program bambu.

    Raises:
        MissingError: if bambu, or the simulator that it calls, is not on PATH.
    """
    path = shutil.which(COMMAND)
    if path is None:
        raise MissingError(
            f"{COMMAND} is not on PATH; PandA Bambu 2024.10 is an optional tool: install its AppImage or package so "
            f"that {COMMAND} is on PATH, or build with g++ (--with g++)"
        )
    if shutil.which(SIMULATOR) is None:
        raise MissingError(
            f"{SIMULATOR} is not on PATH; bambu simulates its Verilog with it: pip install {SIMULATOR}, or apt-get "
            f"install {SIMULATOR}"
        )
    return path


def device_of(board: Board) -> str:
    """Bambu's name of the device that it uses for a board.

    Raises:
        UnsupportedError: if there is no device of the family of the board.
    """
    if board.family not in DEVICES:
        raise UnsupportedError(
            f"board {board.name!r} has a part of family {board.family!r}; Bambu has devices only of "
            f"{', '.join(DEVICES)}: choose another board"
        )
    return DEVICES[board.family]


def build_project(project: Project, *, timeout: float = TIMEOUT) -> Synthesis:
    """Synthesize the engine of a project and simulate it with the test vectors of the project.

    The work is done in the folder `bambu` of the project.

    Args:
        project: an emitted project.
        timeout: limit in seconds.

    Returns:
        The report, which is also written to bambu.json in the project.

    Raises:
        MissingError: if bambu or its simulator is not installed.
        UnsupportedError: if Bambu has no device for the board, or the project's engine is in RTL.
        ToolError: if bambu fails or takes too long, or if the answers of RTL, g++ and golden model differ.
    """
    if project.flow != "hls":
        raise UnsupportedError(
            f"{project.path}: the project's flow is 'rtl', whose engine Bambu does not make; simulate it with "
            "`ese4ml build --with verilator`, or emit with flow 'hls'"
        )
    find_tool()
    sent = vectors.read(project.path / "tb" / vectors.INPUT)
    golden = vectors.read(project.path / "tb" / vectors.EXPECTED)
    report = cosimulate(
        project.path,
        sent,
        golden,
        device=device_of(project.board),
        clock_ns=1000 / project.design.clock_mhz,
        timeout=timeout,
    )
    text = json.dumps(report.to_json(), indent=2, sort_keys=True)
    write_file(project.path / REPORT, text + "\n")
    return report


def cosimulate(
    folder: Path,
    sent: Sequence[Words],
    golden: Sequence[Words | None],
    *,
    device: str = DEVICES["zynq-7000"],
    clock_ns: float = 10.0,
    timeout: float = TIMEOUT,
) -> Synthesis:
    """Synthesize the engine in a folder and simulate it with packets.

    Every answer of the RTL must equal that of g++, and that of g++ the one of the golden model.

    Args:
        folder: a project, or a folder with csrc and ap_types of one.
        sent: the packets.
        golden: the answers of the golden model, whose `UNKNOWN_WORDS` are ignored; None for a packet that the
            golden model cannot answer, such as a malformed one, so that only RTL and g++ are compared.
        device: Bambu's name of the device.
        clock_ns: clock period in ns.
        timeout: limit in seconds.

    Returns:
        The report.

    Raises:
        MissingError: if bambu or its simulator is not installed.
        ToolError: if bambu fails or takes too long, or if the answers differ.
    """
    tool = find_tool()
    work = (folder / FOLDER).absolute()
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    answers = answers_of(folder, work, sent, golden)
    vectors.write_packets(work / vectors.INPUT, sent)
    vectors.write_packets(work / vectors.EXPECTED, answers)
    command = [
        tool,
        "../csrc/tops/core.cpp",
        "-I../csrc",
        f"--top-fname={TOP}",
        "--generate-interface=INFER",
        "--compiler=I386_CLANG16",
        "-O1",
        f"--extra-gcc-options={' '.join(FRONT_END)}",
        f"--clock-period={clock_ns:g}",
        f"--device-name={device}",
        "--generate-tb=../csrc/testbench/core_testbench.cpp",
        f"--tb-arg={work / vectors.INPUT}",
        f"--tb-arg={work / vectors.EXPECTED}",
        "--simulate",
        "--simulator=VERILATOR",
        *PASSES,
        "-v2",
    ]
    try:
        environment = {"MAKEFLAGS": f"{os.environ.get('MAKEFLAGS', '')} {MAKE}".strip()}
        run_tool(command, work, work / LOG, timeout, environment)
        log = (work / LOG).read_text(encoding="utf-8", errors="replace")
        bench = work / BENCH_LOG
        bambu_log.check(log + (bench.read_text(errors="replace") if bench.is_file() else ""))
        results = work / "results.txt"
        clocks = bambu_log.clocks(results.read_text(encoding="utf-8")) if results.is_file() else ()
        if len(clocks) != len(sent):
            raise ToolError(f"bambu simulated {len(clocks)} packets of {len(sent)}; its log is {work / LOG}")
    except ToolError as error:
        raise ToolError(f"{error}{_end_of(work / BENCH_LOG)}") from error
    return Synthesis(
        tool="Bambu",
        version=bambu_log.version(log),
        part=device,
        clock_ns=clock_ns,
        estimated_ns=bambu_log.period(log),
        luts=None,
        registers=bambu_log.registers(log),
        dsps=bambu_log.dsps(log),
        bram18=bambu_log.bram18(log),
        cosimulation=Cosimulation(
            packets=len(sent),
            words=sum(len(answer) for answer in answers),
            clocks=clocks,
            iterations=tuple(read_trailer(answer).cycles for answer in answers),
        ),
    )


def answers_of(folder: Path, work: Path, sent: Sequence[Words], golden: Sequence[Words | None]) -> list[Words]:
    """The answers of the engine under g++, with the words that the golden model does not know.

    Args:
        folder: a project, or a folder with csrc and ap_types of one.
        work: folder for the compiled engine and the log of g++.
        sent: the packets.
        golden: the answers of the golden model, or None for a packet that it cannot answer.

    Raises:
        ToolError: if an answer differs from that of the golden model.
    """
    library = compile_emulator(folder, work / "emulator.so", work / "g++.log")
    answers: list[Words] = []
    with EmulatedEngine(Contents.of(library)) as emulator:
        for number, (packet, expected) in enumerate(zip(sent, golden, strict=True)):
            answer = emulator.packet(packet, MALFORMED_ROOM if expected is None else len(expected))
            if expected is not None:
                compared = len(expected) - len(vectors.UNKNOWN_WORDS)
                if len(answer) != len(expected) or not np.array_equal(answer[:compared], expected[:compared]):
                    raise ToolError(
                        f"packet {number}: the engine under g++ answers otherwise than the golden model, so the "
                        "sources or test vectors of the project were changed: emit it again"
                    )
            answers.append(answer)
    return answers


def _end_of(bench_log: Path) -> str:
    """The last lines that the test bench printed, for a message; nothing if the test bench was not run."""
    if not bench_log.is_file():
        return ""
    return "\nthe test bench ends with\n" + "\n".join(bench_log.read_text(errors="replace").splitlines()[-6:])
