# SPDX-License-Identifier: Apache-2.0
"""Search for the recipes of JapaneseVowels by its validation split; the test split is not read.

    python -m benchmarks.recipes.vowels [--seeds 3] [--results build/recipes] [--page docs/vowels-recipes.md]

The dense stage is searched first, then pruning from its best recipe, then ternary weights from the best pruning. In
each stage one hyperparameter after the other is changed, and the best value kept. A recipe is better if it has the
higher mean accuracy over seeds, and among equals the lower mean cross-entropy. Results are kept in a JSON file for each
network; networks that are there already are not trained again.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from functools import lru_cache
from pathlib import Path
from statistics import mean
from typing import Any

import click
import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

from benchmarks.page import publish
from ese_models.data import Dataset, Split, load
from ese_models.training import Plan, Recipe, accuracy, predict, prune, quantize, train_dense

ROOT = Path(__file__).resolve().parents[2]
START = {
    "dense": Recipe(epochs=160, rate=5e-3, noise=0.6, crop=0.2),
    "prune": Recipe(epochs=240, rate=1e-2, noise=0.5, crop=0.2),
    "tune": Recipe(epochs=160, rate=5e-3, noise=0.5, crop=0.2),
}
"""Recipes by stage from which the search starts: those that were once chosen with a look at test accuracies."""
FACTORS = {"rate": (0.5, 2.0), "noise": (0.5, 1.5), "epochs": (0.75, 1.25)}
"""Factors by which each hyperparameter is changed, in the order of the search."""
Record = dict[str, Any]


class Search:
    """Trains and measures the networks of the search.

    Args:
        folder: folder of the results.
        seeds: number of seeds.
        data: the data set.
    """

    def __init__(self, folder: Path, seeds: int, data: Dataset) -> None:
        self.folder, self.seeds, self.data = folder, seeds, data

    def measured(self, recipes: dict[str, Recipe]) -> list[Record]:
        """Results of all seeds for the recipes of one stage and of those before it."""
        return [self._measured(recipes, seed) for seed in range(self.seeds)]

    def _measured(self, recipes: dict[str, Recipe], seed: int) -> Record:
        described = {"seed": seed, "recipes": {stage: asdict(recipe) for stage, recipe in recipes.items()}}
        digest = hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()[:12]
        path = self.folder / f"{list(recipes)[-1]}-seed{seed}-{digest}.json"
        if path.is_file():
            known: Record = json.loads(path.read_text())
            return known
        start = time.monotonic()
        model = self._trained(tuple(recipes.items()), seed)[0]
        split = self.data.validation
        probabilities = predict(model, split)
        record = {
            **described,
            "accuracy": accuracy(probabilities, split),
            "cross_entropy": cross_entropy(probabilities, split),
            "seconds": round(time.monotonic() - start, 1),
        }
        part = path.with_suffix(".part")
        part.write_text(json.dumps(record, indent=1))
        part.replace(path)
        return record

    @lru_cache(maxsize=32)  # noqa: B019 - there is one search, and it lives as long as the process
    def _trained(self, recipes: tuple[tuple[str, Recipe], ...], seed: int) -> tuple[Any, Any]:
        """The network after the last of the stages, and its masks."""
        *before, (stage, recipe) = recipes
        if stage == "dense":
            return train_dense(self.data, seed, recipe=recipe), None
        plan = Plan(weights="ternary", seed=seed, prune=recipe, tune=recipe)
        dense = self._trained(tuple(before[:1]), seed)[0]
        if stage == "prune":
            return prune(dense, self.data, plan)
        pruned, masks = self._trained(tuple(before), seed)
        return quantize(pruned, dense, masks, self.data, plan), masks


def cross_entropy(probabilities: Any, split: Split) -> float:
    """Mean cross-entropy of probabilities and labels, in nats."""
    own = probabilities[np.arange(len(split.labels)), split.labels]
    return float(-np.log(np.maximum(own, 1e-7)).mean())


def rank(records: list[Record]) -> tuple[float, float]:
    """Mean accuracy, and the negative mean cross-entropy: a recipe is better if these are larger, in this order."""
    return mean(item["accuracy"] for item in records), -mean(item["cross_entropy"] for item in records)


def searched(
    search: Search, stage: str, chosen: dict[str, Recipe], told: Callable[[str], None]
) -> Iterator[tuple[Recipe, list[Record]]]:
    """All recipes of a stage that are tried, each with its results; the best of them is put among the chosen ones.

    Args:
        search: trains and measures.
        stage: the stage.
        chosen: recipes of the stages before it, to which that of this stage is added.
        told: called with a line for each recipe.
    """
    best = START[stage]
    found: dict[Recipe, list[Record]] = {}

    def tried(recipe: Recipe) -> list[Record]:
        found[recipe] = search.measured({**chosen, stage: recipe})
        told(f"{stage} {recipe}: accuracy {rank(found[recipe])[0]:.4f}, cross-entropy {-rank(found[recipe])[1]:.4f}")
        return found[recipe]

    tried(best)
    for name, factors in FACTORS.items():
        around = getattr(best, name)
        for factor in factors:
            value = round(around * factor) if name == "epochs" else round(around * factor, 6)
            other = replace(best, **{name: value})
            if rank(tried(other)) > rank(found[best]):
                best = other
    chosen[stage] = best
    yield from found.items()


@click.command()
@click.option("--seeds", type=click.IntRange(1), default=3, show_default=True, help="Number of seeds of each recipe.")
@click.option(
    "--results",
    type=click.Path(path_type=Path),
    default=ROOT / "build" / "recipes",
    help="Folder of the results.  [default: build/recipes]",
)
@click.option(
    "--page",
    type=click.Path(path_type=Path),
    default=ROOT / "docs" / "vowels-recipes.md",
    help="Page to write.  [default: docs/vowels-recipes.md]",
)
def main(seeds: int, results: Path, page: Path) -> None:
    """Search for the recipes, and write the page."""
    results.mkdir(parents=True, exist_ok=True)
    search, chosen = Search(results, seeds, load()), dict[str, Recipe]()
    tables = {stage: list(searched(search, stage, chosen, lambda line: click.echo(line, err=True))) for stage in START}
    stages = {
        stage: [
            {
                **asdict(recipe),
                "chosen": recipe == chosen[stage],
                "start": recipe == START[stage],
                "accuracy": 100 * rank(records)[0],
                "accuracies": [100 * item["accuracy"] for item in records],
                "cross_entropy": -rank(records)[1],
            }
            for recipe, records in rows
        ]
        for stage, rows in tables.items()
    }
    seconds = sum(item["seconds"] for rows in tables.values() for _, records in rows for item in records)
    publish(page, Path(__file__).with_name("vowels.md.jinja"), stages=stages, seeds=seeds, minutes=seconds / 60)


if __name__ == "__main__":
    main()
