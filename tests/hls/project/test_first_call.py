# SPDX-License-Identifier: Apache-2.0
"""The registers before the first packet: the emulated engine shows what its top has written, and nothing else."""

from __future__ import annotations

import ctypes
from pathlib import Path

import pytest

from ese_hls.emulate import compile_emulator
from ese_host.device.emulated import EmulatedEngine
from ese_host.protocol import PROTOCOL_VERSION, REGISTERS
from support.compiled_engine import library, write_sources
from support.rtl import CASES

DESIGN = CASES["ternary-4"].make()[1]


def registers(engine: EmulatedEngine) -> dict[str, int]:
    return {name: engine.register(register.offset) for name, register in REGISTERS.items() if name != "CTRL"}


def test_the_engine_is_known_before_the_first_packet() -> None:
    constants = {"design_id": DESIGN.design_id, "version": PROTOCOL_VERSION}
    with EmulatedEngine(library(DESIGN)) as engine:
        assert registers(engine) == dict.fromkeys(REGISTERS.keys() - {"CTRL"}, 0) | constants


@pytest.mark.parametrize(
    ("line", "without"),
    [
        ("    registers.design_id = Config::design_id;\n", "design_id"),
        ("    registers.version = protocol_version;\n", "version"),
    ],
)
def test_a_register_that_the_top_does_not_write_reads_zero(line: str, without: str, tmp_path: Path) -> None:
    write_sources(tmp_path, DESIGN)
    top = tmp_path / "csrc/tops/top.h"
    text = top.read_text(encoding="utf-8")
    assert line in text
    top.write_text(text.replace(line, ""), encoding="utf-8")
    built = compile_emulator(tmp_path, tmp_path / "design.so")
    with EmulatedEngine(ctypes.CDLL(str(built))) as engine:
        assert registers(engine)[without] == 0
