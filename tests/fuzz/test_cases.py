# SPDX-License-Identifier: Apache-2.0
"""The fuzzer itself: cases repeat exactly, and what must be noticed is noticed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ese_host.bundle import NAME
from ese_host.errors import FormatError
from support.fuzz import Case, batches, folder_cases, image_cases, run_cases, unexpected
from support.fuzz.engine_images import packets_of
from support.fuzz.mutators.damage import damage_bytes, damage_json
from support.fuzz.verdicts import NOT_YET_MENDED, Verdict, materialize


def test_a_case_is_named_and_repeats() -> None:
    for case in (*folder_cases(50)[:5], *image_cases(8)[:2]):
        assert Case.parse(str(case)) == case and str(case) in case.command
    assert all((a == b).all() for a, b in zip(packets_of(case), packets_of(case), strict=True))
    text = b'{"a": [1, 2], "b": {"c": 3}}'
    for damage in (damage_bytes, damage_json):
        made = [[damage(np.random.default_rng(seed), text) for seed in range(50)] for _ in range(2)]
        assert made[0] == made[1] and len(set(made[0])) > 25
    with pytest.raises(FormatError, match="expected a mutator and a seed"):
        Case.parse("golden")


def test_bad_verdicts_fail_but_for_kinds_that_are_not_yet_mended(monkeypatch: pytest.MonkeyPatch) -> None:
    bad = {Case("image", 1): Verdict("crash", "exit code -11"), Case("image", 2): Verdict("exact")}
    assert unexpected(bad) == ["image:1: crash: exit code -11; run it: python -m support.fuzz image:1"]
    monkeypatch.setitem(NOT_YET_MENDED, "image crash: exit code -11", "somewhere")
    assert unexpected(bad) == []


def test_crashes_and_hangs_are_attributed_to_their_cases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cases after one that takes the child process down still run."""
    monkeypatch.setattr(batches, "PATIENCE", 5.0)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    cases = [Case(name, seed) for name in ("image", "golden") for seed in (1, 2, 3)]
    verdicts = run_cases(cases, tmp_path, child="fake_child")
    assert {str(case): verdict.outcome for case, verdict in verdicts.items()} == {
        "image:1": "exact",
        "image:2": "crash",
        "image:3": "hang",
        "golden:1": "exact",
        "golden:2": "crash",
        "golden:3": "hang",
    }


def test_a_damaged_folder_shares_no_file_that_differs(tmp_path: Path) -> None:
    sound = tmp_path / "plain"
    sound.mkdir()
    (sound / NAME).write_text("{}")
    (tmp_path / "program").symlink_to(sound)
    materialize(Case("manifest", 3), tmp_path, tmp_path / "made")
    assert (sound / NAME).read_text() == "{}" != (tmp_path / "made" / NAME).read_bytes().decode("latin-1")
