# SPDX-License-Identifier: Apache-2.0
"""The test bench of the AXI top, which Vitis HLS runs: under g++ it passes, and finds a wrong word and a wrong CRC."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ese_hls.emulate.gxx import INCLUDES, MACHINE_WORDS, find_compiler
from ese_hls.project import vectors
from support.compiled_engine import write_sources
from support.rtl import CASES, exchange


@pytest.mark.parametrize(
    ("header", "code", "changed", "says"),
    [
        ("", "", "", "0 differ"),
        ("tb/expected.txt", "0000", "0001", "1 differ"),
        ("csrc/engine/packet.h", "out.word(to, ~crc)", "out.word(to, crc)", "not the CRC of the words before it"),
        ("csrc/tops/top.h", "= protocol_version", "= 1", "protocol version is 0x00000001; expected 0x00000002"),
        ("csrc/tops/top.h", "= Config::design_id", "= 0", "design id is 0x00000000; expected 0x"),
        ("csrc/tops/top.cpp", "started = false", "started = true", "the first call took a packet"),
    ],
    ids=["sound", "wrong word", "wrong CRC", "wrong version", "no design id", "registers only after a packet"],
)
def test_bench(tmp_path: Path, header: str, code: str, changed: str, says: str) -> None:
    design, sent, golden, _ = exchange(CASES["ternary-4"])
    write_sources(tmp_path, design)
    (tmp_path / "tb").mkdir()
    vectors.write_packets(tmp_path / "tb" / vectors.INPUT, sent)
    vectors.write_packets(tmp_path / "tb" / vectors.EXPECTED, [words for words in golden if words is not None])
    if header:
        text = (tmp_path / header).read_text(encoding="utf-8")
        assert code in text
        (tmp_path / header).write_text(text.replace(code, changed, 1), encoding="utf-8")
    command = [find_compiler(), "-std=c++14", "-w", MACHINE_WORDS, *(f"-I{path}" for path in INCLUDES)]
    command += ["csrc/tops/top.cpp", "csrc/testbench/testbench.cpp", "-o", "bench"]
    subprocess.run(command, cwd=tmp_path, check=True, timeout=300)
    ran = subprocess.run(["./bench"], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    passes = says == "0 differ"
    assert says in ran.stdout
    assert ran.stdout.endswith("PASS\n" if passes else "FAIL\n") and (ran.returncode == 0) == passes
