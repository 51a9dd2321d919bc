"""Damaged design folders and failing boards: each is refused, or every value is exact.

A failure names its cases and the command that runs one of them by itself.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from support.fuzz import GROUPS, folder_cases, make_seeds, run_cases, unexpected


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_seeds(tmp_path_factory.mktemp("seeds"))


@pytest.mark.parametrize("count", [200, pytest.param(5000, marks=[pytest.mark.slow, pytest.mark.timeout(3600)])])
@pytest.mark.parametrize("group", GROUPS)
def test_folders(group: str, count: int, seeds: Path) -> None:
    cases = [case for case in folder_cases(count) if case.mutator.startswith(group)]
    verdicts = run_cases(cases, seeds)
    assert not (found := unexpected(verdicts)), "\n" + "\n".join(found)
    assert len(verdicts) == len(cases)
    assert any(verdict.outcome == ("exact" if group == "sound" else "refused") for verdict in verdicts.values())
