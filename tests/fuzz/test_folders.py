# SPDX-License-Identifier: Apache-2.0
"""Damaged design folders and failing boards: each is refused, or every value is exact.

A failure names its cases and the command that runs one of them by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from support.fuzz import GROUPS, folder_cases, make_seeds, run_cases, unexpected


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_seeds(tmp_path_factory.mktemp("seeds"))


def try_groups(groups: Sequence[str], count: int, seeds: Path) -> None:
    """Damage folders in the ways of some groups; every group must find what it is made for."""
    cases = [case for case in folder_cases(count) if case.mutator.startswith(tuple(groups))]
    verdicts = run_cases(cases, seeds)
    assert not (found := unexpected(verdicts)), "\n" + "\n".join(found)
    assert len(verdicts) == len(cases)
    for group in groups:
        wanted = "exact" if group == "sound" else "refused"
        mine = [verdict for case, verdict in verdicts.items() if case.mutator.startswith(group)]
        assert any(verdict.outcome == wanted for verdict in mine), group


@pytest.mark.slow
def test_two_hundred_folders(seeds: Path) -> None:
    try_groups(GROUPS, 200, seeds)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("group", GROUPS)
def test_folders(group: str, seeds: Path) -> None:
    try_groups([group], 5000, seeds)
