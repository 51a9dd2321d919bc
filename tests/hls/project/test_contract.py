# SPDX-License-Identifier: Apache-2.0
"""Tests that the committed contract.h is what Python writes, and that csrc has no second copy of its numbers."""

from __future__ import annotations

import re
import subprocess
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from ese_hls.project import contract_header
from ese_host.files import words as places
from ese_host.image import design, phases, reader
from ese_host.image.phases import FIELDS, FLAGS, PHASE_WORDS, SCAN_WORDS, Phase
from ese_host.ir import weight_kinds
from ese_host.ir.weight_kinds import WEIGHT_KINDS
from ese_host.protocol import packets, registers
from support.compiling import AP_TYPES

CSRC = Path(str(files("ese_hls"))) / "csrc"
COMMITTED = Path(str(files("ese_hls"))) / contract_header.PATH
ANEW = "contract.h is not what the host's tables say; write it anew with `make contract` and commit it"


def check() -> None:
    assert COMMITTED.read_text(encoding="utf-8") == contract_header.render(), ANEW


def test_the_committed_header_is_what_python_writes() -> None:
    check()


def changed_places() -> dict[str, places.Field]:
    return {**FIELDS, "codebook": places.Field(0, 21, 3)}


@pytest.mark.parametrize(
    ("module", "name", "value"),
    [
        (design, "WRITEBACK", 25),
        (design, "ADD_DISTANCE", 4),
        (design, "FORMAT_VERSION", 3),
        (packets, "MAX_STEPS", 1000),
        (packets, "PROTOCOL_VERSION", 3),
        (packets, "TRAILER", packets.TRAILER[::-1]),
        (weight_kinds, "WEIGHT_KINDS", {**WEIGHT_KINDS, "int4": replace(WEIGHT_KINDS["int4"], code_bits=5)}),
        (phases, "FLAGS", FLAGS[::-1]),
        (phases, "FIELDS", changed_places()),
        (reader, "HEADER", ("version", "magic", *reader.HEADER[2:])),
        (registers, "REGISTERS", {"CTRL": registers.REGISTERS["CTRL"]}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_change_in_python_is_noticed(
    monkeypatch: pytest.MonkeyPatch, module: object, name: str, value: object
) -> None:
    monkeypatch.setattr(module, name, value)
    with pytest.raises(AssertionError, match="write it anew with `make contract`"):
        check()


def test_writing_anew_is_how_it_is_mended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / contract_header.PATH).parent.mkdir(parents=True)
    monkeypatch.setattr(contract_header, "files", lambda package: tmp_path / {"ese_hls": "."}[package])
    assert contract_header.write().read_bytes() == COMMITTED.read_bytes()


def test_the_top_has_its_ports_at_the_registers_offsets() -> None:
    """Vitis HLS accepts only literal offsets in pragmas, so top.cpp repeats the offsets of the registers."""
    top = (CSRC / "tops/top.cpp").read_text(encoding="utf-8")
    ports = re.findall(r"s_axilite port = (\w+) offset = (0x[0-9a-f]+)", top)
    assert {name: int(offset, 16) for name, offset in ports} == {
        name: register.offset for name, register in registers.REGISTERS.items() if name != "CTRL"
    }


@pytest.mark.parametrize(
    ("file", "number"),
    [
        ("engine/loader.h", r"header\[\d|take\(\d|0x34455345"),
        ("engine/phase.h", r"\bbit\(|field\([^)]*\d\)|\bw\[[1-9]"),
        ("engine/packet.h", r"operation == \d|bit\(\w+, \d|0x4553"),
        ("emulator/emulator.cpp", r"case 0x"),
    ],
)
def test_the_cpp_reads_by_name(file: str, number: str) -> None:
    assert re.findall(number, (CSRC / file).read_text(encoding="utf-8")) == []


def test_no_bit_of_a_record_is_two_numbers() -> None:
    taken = [1 << bit for bit in range(len(FLAGS))]
    for place in FIELDS.values():
        mask = (1 << place.width) - 1
        for index in range(place.count):
            taken.append(mask << (32 * place.word + place.low + places.SPACING * index))
    assert sum(taken) == np.bitwise_or.reduce(np.array(taken, dtype=object))
    assert sum(taken).bit_length() <= 32 * (PHASE_WORDS + SCAN_WORDS)


PROBE = """
#include "engine/phase.h"
#include <cstdio>
using namespace ese;
static int cell_kind(Stage stage) {
    const Stage stages[] = {Stage::lstm, Stage::gru, Stage::gru_before, Stage::reset};
    int kind = 0;
    while (stages[kind] != stage)
        ++kind;
    return kind;
}
int main() {
    word_t w[phase_words + scan_words];
    for (word_t &word : w) {
        unsigned value;
        if (std::scanf("%u", &value) != 1)
            return 1;
        word = value;
    }
    Phase p = decode_phase(w);
    Scan s = decode_scan(w);
    const bool flags[] = {p.stage == Stage::lstm, p.stage == Stage::dense, p.source_ram, p.set, p.ahead, p.last_only,
                          p.zero_state, p.waits_frame, p.frees_frame, p.emits, p.emits_stored, p.output_last_only,
                          p.stores_output, p.relu, p.peepholes, p.first.enabled, p.first.ram, p.second.enabled,
                          p.second.ram, s.delta};
    for (bool flag : flags)
        std::printf("%d ", flag);
    const long long numbers[] = {p.codebook, p.stride_log2, p.bank_positive, p.bank_negative, p.entry_base,
                                 p.entry_count, p.source_base, p.items, p.param_base, p.cell_base, p.first.base,
                                 p.second.base, p.bank_shift[0], p.bank_shift[1], p.bank_shift[2], p.bank_shift[3],
                                 p.bias_shift, p.peephole_shift, p.stored_shift, cell_kind(decode_cells(w)), p.low,
                                 p.high, p.rows,
                                 s.pointer_base, s.columns, s.group_base, s.threshold, s.last_base};
    for (long long number : numbers)
        std::printf("%lld ", number);
}
"""


def test_both_languages_read_a_record_alike(tmp_path: Path) -> None:
    source, program = tmp_path / "probe.cpp", tmp_path / "probe"
    source.write_text(PROBE, encoding="utf-8")
    command = ["g++", "-std=c++14", "-DESE_MACHINE_WORDS", "-w", f"-I{CSRC}", "-isystem", str(AP_TYPES)]
    subprocess.run([*command, str(source), "-o", str(program)], check=True, timeout=120)
    random = np.random.default_rng(5)
    for _ in range(50):
        words = random.integers(0, 1 << 32, PHASE_WORDS + SCAN_WORDS, dtype=np.uint32)
        # Both limits lie within the range of an element, as in every image.
        words[7:9] = random.integers(-(1 << 17), 1 << 17, 2).astype(np.uint32)
        phase = Phase.from_words(words)
        assert (phase.to_words(skip=True) & used() == words & used()).all()
        said = subprocess.run([program], input=" ".join(map(str, words)), capture_output=True, text=True, check=True)
        found = [int(number) for number in said.stdout.split()]
        expected = [int(flag in phase.flags) for flag in FLAGS]
        expected[1] &= 1 - expected[0]  # a phase has at most one stage, and lstm comes first
        for name in FIELDS:
            if name not in ("layer", "part", "window", "format_set"):  # the engine ignores these
                value = getattr(phase, name)
                expected += value if isinstance(value, tuple) else [value]
        assert found == expected


def used() -> npt.NDArray[Any]:
    """A mask of the bits in the words of a record that are used."""
    words = [0] * (PHASE_WORDS + SCAN_WORDS)
    words[0] = (1 << len(FLAGS)) - 1
    for place in FIELDS.values():
        for index in range(place.count):
            words[place.word] |= ((1 << place.width) - 1) << (place.low + places.SPACING * index)
    return np.array(words, dtype=np.uint32)
