# SPDX-License-Identifier: Apache-2.0
"""Provenance of a model that was compressed on the user's own data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ese_host.bundle import FORMAT, ProvenanceRecord, TrainingData
from ese_host.files import digest
from ese_models.data import OwnData
from ese_models.masking import MaskPlan
from ese_models.records.provenance import mask_fields, versions
from ese_models.training import classifies, score


def own_record(
    before: ProvenanceRecord | None,
    dense: Any,
    compressed: Any,
    data: OwnData,
    plan: MaskPlan,
    recipe: Mapping[str, Any],
    command: list[str],
) -> ProvenanceRecord:
    """Provenance of a compressed model, which extends that of the model before, if there is one.

    Args:
        before: provenance of the model that was compressed, or None.
        dense: model that was compressed.
        compressed: the result.
        data: data that it was compressed on.
        plan: of the masks.
        recipe: options of the training.
        command: command line, word by word.
    """
    before = before or ProvenanceRecord(format=FORMAT, task=data.path.stem)
    stage = "pruned" if plan.weights == "float" else "quantized"
    pairs = {"train": data.train, "validation": data.validation, "test": data.test}
    splits = {name: pair for name, pair in pairs.items() if pair is not None}
    models = {"dense": dense, stage: compressed}
    scores = {name: {split: score(model, *pair) for split, pair in splits.items()} for name, model in models.items()}
    named = classifies(dense, data.train[1])
    metric = "accuracy" if named else "explained variance"
    figures = {name: {f"{metric}, {split}": value for split, value in row.items()} for name, row in scores.items()}
    classes = data.test is not None and named  # the record of an accuracy has one of the test split
    return replace(
        before,
        stage=stage,
        commands=[*before.commands, command],
        seeds={**before.seeds, "compress": recipe["seed"]},
        versions=versions(),
        recipes={**before.recipes, "compress": dict(recipe)},
        accuracy={**before.accuracy, **scores} if classes else before.accuracy,
        figures={**before.figures, **({} if classes else figures)},
        **mask_fields(dense, compressed, plan),
        data=TrainingData(
            name=data.path.stem,
            samples={name: len(pair[1][0] if isinstance(pair[1], list) else pair[1]) for name, pair in splits.items()},
            sha256={data.path.name: digest(data.path)},
            mean=None if data.mean is None else data.mean.tolist(),
            deviation=None if data.deviation is None else data.deviation.tolist(),
            classes=list(data.classes) or None,
        ),
    )
