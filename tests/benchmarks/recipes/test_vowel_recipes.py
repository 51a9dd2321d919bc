# SPDX-License-Identifier: Apache-2.0
"""The search for recipes keeps the better of two, trains nothing twice, and does not read the test split."""

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.recipes import vowels
from ese_models.data import Dataset
from ese_models.training import Recipe

pytestmark = pytest.mark.slow


def test_a_search_is_resumed_and_keeps_the_best(tmp_path: Path, tiny: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    data = Dataset(tiny.name, tiny.train, tiny.validation, tiny.test, tiny.classes)
    object.__setattr__(data, "test", None)
    monkeypatch.setattr(vowels, "START", dict.fromkeys(vowels.START, Recipe(epochs=2, rate=1e-2, batch=15)))
    monkeypatch.setattr(vowels, "FACTORS", {"rate": (0.5,)})
    lines: list[str] = []

    def tables() -> tuple[dict[str, Any], dict[str, Recipe]]:
        search, chosen = vowels.Search(tmp_path, 1, data), dict[str, Recipe]()
        return {stage: list(vowels.searched(search, stage, chosen, lines.append)) for stage in vowels.START}, chosen

    found, chosen = tables()
    assert list(found) == list(chosen) == ["dense", "prune", "tune"] and len(lines) == 6
    for stage, rows in found.items():
        assert [recipe.rate for recipe, _ in rows] == [1e-2, 5e-3]
        assert chosen[stage] == max(rows, key=lambda row: vowels.rank(row[1]))[0]
    assert len(list(tmp_path.glob("*.json"))) == 6
    path = next(tmp_path.glob("tune-*.json"))
    monkeypatch.setattr(vowels, "train_dense", None)
    assert tables() == (found, chosen) and json.loads(path.read_text())["recipes"].keys() == found.keys()
