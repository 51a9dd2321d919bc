# SPDX-License-Identifier: Apache-2.0
"""provenance.json: how a model was made, step by step. Training writes it; emission and `check` read what they need.

Each step adds to the record of the step before it, and keeps the fields that it does not know.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sized
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ese_host.bundle.manifest import MAX_BYTES, PROVENANCE
from ese_host.errors import FormatError
from ese_host.files import JsonForm, KeepsUnknown, Source, decode, encode, json_text, write_file
from ese_host.image import MAX_PES

FORMAT = 1
ADVICE = "train or compress the model again"
USED = "used"
"""Label of the mask that the model has; the other labels are families of masks that it is compared with."""
MAX_STAGES = 64
"""Most stages of training, and most families of masks, that a report shows."""
MAX_NAMES = 256
"""Most seeds, and most versions, that a report shows."""


@dataclass(frozen=True)
class MatrixLoad(KeepsUnknown):
    """How one matrix loads the PEs under one mask. The mask's other figures are kept as unknown fields.

    `ese_models.pruning.statistics` writes these fields.

    Attributes:
        entries_per_pe: (pes,) stored entries of each PE, including those that only pad gaps. A PE takes one cycle for
            each entry.
    """

    entries_per_pe: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class TrainingData(KeepsUnknown):
    """The data that a model was trained on.

    Attributes:
        name: name of the data set.
        samples: {split: number of samples}.
        sha256: {file name: SHA-256 in hexadecimal} of the data files.
        mean: (features,) mean that was subtracted from the recorded inputs; None if they were used as recorded.
        deviation: (features,) divisor of the inputs after that; None if they were used as recorded.
        classes: names of the classes, by label; None if they have no names.
    """

    name: str
    samples: dict[str, int]
    sha256: dict[str, str]
    mean: list[float] | None
    deviation: list[float] | None
    classes: list[str] | None = None


@dataclass(frozen=True)
class ProvenanceRecord(KeepsUnknown):
    """A model's whole record. Fields of stages that the model has not been through are absent.

    Attributes:
        format: version of this file's format.
        stage: the last stage: dense, dsd, pruned or quantized.
        task: name of the learning task.
        remark: remark that must be printed beside every figure.
        commands: command lines, in the order in which they ran.
        seeds: {command: random seed}.
        versions: {package: version} at the last step.
        recipes: {stage: settings of its training}.
        epochs: {stage: epochs trained}.
        accuracy: {stage: accuracy}, either {split: accuracy} or the accuracy on the test split.
        figures: {stage: {figure: value}}, the task's own figures on the test split.
        density: {kernel, or matrix that the engine makes of it: fraction of its weights that are kept}.
        data: the data that the model was trained on.
        sparse_density: {kernel: density} in the sparse stage of dense-sparse-dense training.
        weights: weight kind that the codes were made for.
        pes: number of PEs that the masks were made for.
        gap_bits: bits of a gap that the masks were made for.
        family: family of the masks.
        target_density: density that pruning aimed at.
        emphasis: densities of recurrent layers' input kernels and of the last kernel, in units of the target density.
        masks: {matrix: {`USED` or a family of masks: load}}.
        seconds: {command: seconds that it took}.
    """

    format: int | None = None
    stage: str | None = None
    task: str | None = None
    remark: str | None = None
    commands: list[list[str]] = field(default_factory=list)
    seeds: dict[str, int] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    recipes: dict[str, dict[str, Any]] = field(default_factory=dict)
    epochs: dict[str, int] = field(default_factory=dict)
    accuracy: dict[str, float | dict[str, float]] = field(default_factory=dict)
    figures: dict[str, dict[str, float]] = field(default_factory=dict)
    density: dict[str, float] = field(default_factory=dict)
    data: TrainingData | None = None
    sparse_density: dict[str, float] = field(default_factory=dict)
    weights: str | None = None
    pes: int | None = None
    gap_bits: int | None = None
    family: str | None = None
    target_density: float | None = None
    emphasis: tuple[float, float] | None = None
    masks: dict[str, dict[str, MatrixLoad]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain values, in the order in which the steps added them."""
        fields: dict[str, Any] = encode(self)
        return fields


def beside(model: Path) -> Path:
    """The path `<stem>.provenance.json` beside a saved model."""
    return model.with_name(f"{model.stem}.{PROVENANCE}")


def write(path: Path, record: ProvenanceRecord) -> None:
    """Write a record atomically, so that no reader sees a part of it."""
    write_file(path, json.dumps(record.to_json(), indent=1) + "\n")


def read_record(path: Source, *names: str) -> ProvenanceRecord:
    """Read the named fields of a record. All others are kept unchecked, to be written again as they are.

    Figures may be NaN: training writes NaN for a figure that is undefined.

    Raises:
        OSError: if the file cannot be read.
        FormatError: if the file is no JSON object, or a named field has another type.
    """
    value = json_text.read(path, MAX_BYTES[PROVENANCE], ADVICE, finite=False)
    if not isinstance(value, dict):
        raise FormatError(f"{path}: is a {type(value).__name__}; expected a JSON object: {ADVICE}")
    return decode(ProvenanceRecord, value, str(path), ADVICE, JsonForm(only=names))


@dataclass(frozen=True)
class MaskWork:
    """How the whole model loads the PEs under one family of masks.

    Attributes:
        entries: (pes,) entries of each PE, summed over all matrices.
        iterations: entries of each matrix's fullest PE, summed over all matrices: in each, all PEs wait for that PE.
        worst: the largest `imbalance` of a matrix.
    """

    entries: list[int]
    iterations: int
    worst: float


@dataclass(frozen=True)
class Provenance:
    """The part of provenance.json that `ese4ml check` reports.

    Attributes:
        accuracy: {stage: accuracy on the test split}, in the order of the stages.
        seeds: {command: random seed}.
        versions: {package: version}.
        masks: {family of masks: load}.
    """

    accuracy: dict[str, float] = field(default_factory=dict)
    seeds: dict[str, int] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    masks: dict[str, MaskWork] = field(default_factory=dict)


def read(path: Source) -> Provenance:
    """Read the fields that `ese4ml check` reports; other fields are not checked.

    Raises:
        OSError: if the file cannot be read.
        FormatError: if the file is no JSON object, or a field has another type.
    """
    record = read_record(path, "accuracy", "seeds", "versions", "masks")
    for name, items in (("seeds", record.seeds), ("versions", record.versions)):
        _check_count(f"{path}: {name}", items, MAX_NAMES)
    _check_count(f"{path}: accuracy", record.accuracy, MAX_STAGES)
    try:
        accuracy = {name: _accuracy(item) for name, item in record.accuracy.items()}
        return Provenance(accuracy, record.seeds, record.versions, _masks(str(path), record.masks))
    except (KeyError, ValueError, OverflowError) as error:
        raise FormatError(f"{path}: the field accuracy or masks is invalid ({error!r}); {ADVICE}") from error


def _check_count(name: str, items: Sized, most: int) -> None:
    if len(items) > most:
        raise FormatError(f"{name} has {len(items)} items; at most {most} are allowed: {ADVICE}")


def _accuracy(value: float | Mapping[str, float]) -> float:
    """A stage's accuracy on the test split, from a record that is either that number or {split: number}."""
    accuracy = float(value["test"] if isinstance(value, Mapping) else value)
    if not 0 <= accuracy <= 1:  # NaN is not between either
        raise ValueError(f"an accuracy is {accuracy}; 0 to 1 are allowed")
    return accuracy


def _masks(name: str, matrices: Mapping[str, Mapping[str, MatrixLoad]]) -> dict[str, MaskWork]:
    """Load of each family of masks, summed over the matrices. `USED` is left out: its load is counted in the image."""
    rows: dict[str, list[list[int]]] = {}
    for families in matrices.values():
        for family, work in families.items():
            if family != USED:
                rows.setdefault(family, []).append(work.entries_per_pe)
                _check_count(f"{name}: entries_per_pe", work.entries_per_pe, MAX_PES)
    _check_count(f"{name}: masks", rows, MAX_STAGES)
    return {
        family: MaskWork(
            [sum(column) for column in zip(*lists, strict=True)], sum(map(max, lists)), max(map(imbalance, lists))
        )
        for family, lists in rows.items()
    }


def imbalance(entries: list[int]) -> float:
    """Entries of the fullest PE over the mean of all PEs: the factor that the PEs lose by waiting for the fullest."""
    return max(entries) * len(entries) / max(1, sum(entries))
