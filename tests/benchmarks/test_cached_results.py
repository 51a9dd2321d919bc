# SPDX-License-Identifier: Apache-2.0
"""Records of slow runs (benchmarks/cached_results.py), and what the page of RTL runs makes of one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pytest

from benchmarks.cached_results import CachedResults, code_of, digest, digest_of_file
from benchmarks.rtl import prove

RESULT: dict[str, Any] = {
    "tool": "Bambu",
    "version": "2024.10",
    "part": "xc7z020",
    "clock_ns": 10.0,
    "verilator": "5",
    "gxx": "g++ 12",
    "date": "2026-01-02",
    "slack_ns": 0.18,
    "registers": 1000,
    "dsps": 10,
    "bram18": 3,
    "cosimulation": {"packets": 2, "words": 64, "iterations": [0, 166], "clocks": [30000, 98000]},
}


def test_the_page_marks_a_run_of_other_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prove, "RECORD", tmp_path / "rtl.json")
    record = CachedResults(prove.RECORD)
    record.put("ternary-4", prove.sources("ternary-4"), RESULT)
    record.put("int4-4", "other", RESULT)
    page = prove.page()
    assert "| ternary-4 | Dense, ternary | ternary | 4 | 2 | 64 | 166 | 98,000 | 30,000 |" in page
    assert "| int4-4 * |" in page and "to be run again" in page
    assert "Not proved: ternary-8, int4-8," in page
    assert "Bambu 2024.10, xc7z020, 10 ns;\nVerilator 5;\ng++ 12; runs of 2026-01-02" in page


def test_no_result_makes_no_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prove, "RECORD", tmp_path / "rtl.json")
    with pytest.raises(click.ClickException, match=r"rtl\.json holds no result; run `make rtl`"):
        prove.page()


def test_a_record_outlives_its_run(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    record = CachedResults(path)
    assert not record.current("one", "abc")
    record.put("one", "abc", {"date": "2026-01-02", "tool": "new"})
    record.put("two", "abc", {"date": "2026-01-01", "tool": "old"})
    again = CachedResults(path)
    assert again.current("one", "abc") and not again.current("one", "abd")
    assert again.days(["one"]) == "2026-01-02" and again.days(["one", "two"]) == "2026-01-01 to 2026-01-02"
    assert again.said(["one", "two"], "tool") == "new, old"
    assert [p.name for p in tmp_path.iterdir()] == ["record.json"]


def test_a_digest_is_of_the_engine_alone(tmp_path: Path) -> None:
    (tmp_path / "pe.h").write_text("one")
    first = digest(tmp_path)
    (tmp_path / "testbench.cpp").write_text("any")
    assert digest(tmp_path) == first != digest(tmp_path, b"packet")
    (tmp_path / "pe.h").write_text("two")
    assert digest(tmp_path) != first
    (tmp_path / "engine").mkdir()
    (tmp_path / "engine" / "scan.h").write_text("three")
    below = digest(tmp_path)
    (tmp_path / "engine" / "scan.h").rename(tmp_path / "scan.h")
    assert len({first, below, digest(tmp_path)}) == 3


ENGINE = """// A unit.
#include <ap_int.h> // the integers
#define TWICE(x) \\
    ((x) + (x)) /* both */

int sum(int a, int b) { /* add */
    const char *name = "no // comment", *more = "\\"/*", quote = '"', slash = '/';
    return a + +b - 1'000; // isn't it
}
"""
SAME = """#include   <ap_int.h>
#define TWICE(x) ((x) + (x)) // of a number
int sum(int a,
        int b) {
    // add
    const char *name = "no // comment", *more = "\\"/*", quote = '"', slash = '/';
    return a + + b - 1'000;
}"""


def test_comments_and_layout_change_no_digest(tmp_path: Path) -> None:
    source = tmp_path / "pe.h"
    digests = set()
    for text in (ENGINE, SAME):
        source.write_text(text)
        digests.add((digest(tmp_path), digest_of_file(source)))
    assert len(digests) == 1


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("int sum", "long sum"),
        ("a + +b", "a ++b"),
        ("no // comment", "no // remark"),
        ("no // comment", "no  // comment"),
        ("1'000", "1'001"),
        ("quote = '\"'", "quote = '\"' + 1"),
        ("slash = '/'", "slash = '*'"),
        ("TWICE(x)", "TWICE (x)"),
        ("// the integers\n", " "),
        ("((x) + (x)) /* both */", "((x) + (x)) /* both */ + 1"),
    ],
)
def test_a_changed_token_changes_the_digest(before: str, after: str) -> None:
    assert before in ENGINE
    assert code_of(ENGINE.replace(before, after)) != code_of(ENGINE)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("a // b\nc", "a c"),
        ("a/* b */c", "a c"),
        ("f( x ) ; // one\\\n still\n g", "f(x);g"),
        ("x = 4'b0 ? 'a' : 2'd1; // isn't", "x=4'b0?'a':2'd1;"),
        ("a - -b, c< ::d", "a- -b,c< ::d"),
        ("a\n  #if B /* c\n d */ // e\nf", "a\n#if B\nf"),
        ('R"x(a // b)" c)x" // d', 'R"x(a // b)" c)x"'),
    ],
)
def test_code_of_a_source(text: str, code: str) -> None:
    assert code_of(text) == code
