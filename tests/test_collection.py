# SPDX-License-Identifier: Apache-2.0
"""No folder of tests is left out of a run: pytest skips folders by their names, "build" among them by default."""

from __future__ import annotations

from fnmatch import fnmatch
from pathlib import Path

import pytest


def test_every_folder_with_tests_is_collected(request: pytest.FixtureRequest) -> None:
    skipped = request.config.getini("norecursedirs")
    folders = {folder for path in Path(__file__).parent.rglob("test_*.py") for folder in path.parents}
    tests = [folder for folder in folders if folder.is_relative_to(Path(__file__).parent)]
    assert len(tests) > 20
    assert [folder for folder in tests if any(fnmatch(folder.name, pattern) for pattern in skipped)] == []
