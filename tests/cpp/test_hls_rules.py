# SPDX-License-Identifier: Apache-2.0
"""Tests of the rules of HLS C++: each finds what breaks it and nothing in what keeps it; csrc keeps them all."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import pytest

from support import compiled_engine
from support.hls_rules import RULES, Breach, SourceError, check, check_csrc, parse

SAMPLES = Path(__file__).parent / "rules"


def found(path: Path) -> list[Breach]:
    return check(parse(path, [path]))


def test_every_rule_has_two_samples() -> None:
    assert {path.stem for path in SAMPLES.iterdir()} == {
        f"{name}_{kind}" for name in RULES for kind in ("broken", "kept")
    }


@pytest.mark.parametrize(
    ("rule", "lines"),
    [
        ("labels", [5]),
        ("dependences", [7, 10]),
        ("unroll-factors", [6]),
        ("reference-members", [4, 7]),
        ("static-objects", [7]),
        ("object-arrays", [11]),
        ("partitioned-where-defined", [6, 10]),
        ("loop-state", [14, 15, 16]),
        ("ram-ports", [7]),
    ],
)
def test_a_sample_breaks_its_rule_and_no_other(rule: str, lines: list[int]) -> None:
    assert [(breach.rule, breach.line) for breach in found(SAMPLES / f"{rule}_broken.cpp")] == [
        (rule, line) for line in lines
    ]


@pytest.mark.parametrize("rule", RULES)
def test_a_sample_keeps_all_rules(rule: str) -> None:
    assert found(SAMPLES / f"{rule}_kept.cpp") == []


def test_a_finding_says_what_is_allowed() -> None:
    (breach,) = found(SAMPLES / "ram-ports_broken.cpp")
    assert breach.text == (
        "the pipelined loop of run has 2 reads and 1 writes of memory[*] (lines 4, 17): one of each, or two reads, are "
        "allowed; multiplex the operands, and let one branch instantiate the access"
    )


def test_memories_that_are_not_partitioned_apart_are_one(tmp_path: Path) -> None:
    text = (SAMPLES / "ram-ports_kept.cpp").read_text()
    path = tmp_path / "one.cpp"
    path.write_text(text.replace("#pragma HLS array_partition variable = tables complete dim = 1\n", ""))
    assert [breach.text.split(" (")[0] for breach in found(path)] == [
        "the pipelined loop of run has 3 reads and 0 writes of tables[*][*]"
    ]


def test_all_headers_of_csrc_are_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    csrc = tmp_path / "csrc"
    shutil.copytree(compiled_engine.CSRC, csrc)
    headers = [path for path in sorted((csrc / "engine").glob("*.h")) if path.name != "contract.h"]
    for number, header in enumerate(headers):
        body = f"inline int added_{number}(int n) {{\n    while (n > 9)\n        n -= 9;\n    return n;\n}}\n#endif\n"
        header.write_text(header.read_text().rstrip().removesuffix("#endif") + body)
    monkeypatch.setattr(compiled_engine, "CSRC", csrc)
    unlabelled = {breach.file.name for breach in check_csrc() if "added_" in breach.text}
    assert unlabelled == {header.name for header in headers}


def test_a_source_that_does_not_compile_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "wrong.cpp"
    path.write_text("int sum( { return x; }\n")
    with pytest.raises(SourceError, match=r"^clang cannot parse .*wrong\.cpp: .*; mend it first$"):
        found(path)


def test_csrc_keeps_the_rules() -> None:
    assert Counter(breach.rule for breach in check_csrc()) == {}
