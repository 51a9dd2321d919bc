"""provenance.json: how a model was made, step by step. Training writes it; emission and `check` read what they need.

A step adds to the record of the step before, and keeps what it does not know.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ese_host.bundle.manifest import MAX_BYTES, PROVENANCE
from ese_host.errors import FormatError
from ese_host.files import JsonForm, KeepsUnknown, decode, encode, json_text, write_file

FORMAT = 1
ADVICE = "train or compress the model again"
USED = "used"
"""Label of the mask that the model has, beside those of the families that it might have had."""


@dataclass(frozen=True)
class MatrixLoad(KeepsUnknown):
    """Work of one matrix under one mask; further figures of the mask stand beside it (`ese_models.pruning.statistics`).

    Attributes:
        entries_per_pe: stored entries of each PE, gap padding counted: its cycles.
    """

    entries_per_pe: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class TrainingData(KeepsUnknown):
    """What a model was trained on.

    Attributes:
        name: of the data set. samples: of each split. sha256: of each file, by name.
        mean, deviation: of each feature, as `ese_models.data.Dataset` has them.
    """

    name: str
    samples: dict[str, int]
    sha256: dict[str, str]
    mean: list[float] | None
    deviation: list[float] | None


@dataclass(frozen=True)
class ProvenanceRecord(KeepsUnknown):
    """A model's whole record; what a stage has not been through is absent.

    Attributes:
        format: of this file. stage: the last one: dense, dsd, pruned or quantized.
        task: what is learned. remark: what must stand beside every number.
        commands: command lines, in their order. seeds: by command. versions: of packages, at the last step.
        recipes, epochs: by stage. accuracy: by stage, of all splits or of the test split alone.
        figures: the task's, by stage, on the test split.
        density: of each kernel. data: what it was trained on.
        sparse_density: of each kernel in the sparse stage of dense-sparse-dense.
        weights, pes, gap_bits, family, target_density, emphasis: what masks and codes were made for.
        masks: kernel -> `USED` or a family of masks -> its work.
        seconds: by command.
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
        plain: dict[str, Any] = encode(self)
        return plain


def beside(model: Path) -> Path:
    """`<stem>.provenance.json` beside a saved model."""
    return model.with_name(f"{model.stem}.{PROVENANCE}")


def write(path: Path, record: ProvenanceRecord) -> None:
    """Write a record, whole or not at all."""
    write_file(path, json.dumps(record.to_json(), indent=1) + "\n")


def read_record(path: Path, *names: str) -> ProvenanceRecord:
    """Read fields of a record; the others are kept as they are, and not looked at.

    A figure of nothing is NaN, as training writes it.

    Raises:
        OSError: the file cannot be read.
        FormatError: it is no JSON object, or one of the fields has another form.
    """
    value = json_text.read(path, MAX_BYTES[PROVENANCE], ADVICE, finite=False)
    if not isinstance(value, dict):
        raise FormatError(f"{path}: is a {type(value).__name__}; expected an object")
    return decode(ProvenanceRecord, value, str(path), ADVICE, JsonForm(only=names))


@dataclass(frozen=True)
class MaskWork:
    """Work of one family of masks on this model.

    Attributes:
        entries: (pes,) entries of each PE over all matrices. worst: largest most / mean of a matrix.
    """

    entries: list[int]
    worst: float


@dataclass(frozen=True)
class Provenance:
    """What a check takes from provenance.json.

    Attributes:
        accuracy: test accuracy by stage, in the order of the stages. seeds: by stage. versions: of packages.
        masks: work of each family of masks.
    """

    accuracy: dict[str, float] = field(default_factory=dict)
    seeds: dict[str, int] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    masks: dict[str, MaskWork] = field(default_factory=dict)


def read(path: Path) -> Provenance:
    """Read what a check reports; other fields are not looked at.

    Raises:
        FormatError: it is no JSON object, or a field has another form.
    """
    record = read_record(path, "accuracy", "seeds", "versions", "masks")
    try:
        accuracy = {name: _accuracy(item) for name, item in record.accuracy.items()}
        return Provenance(accuracy, record.seeds, record.versions, _masks(record.masks))
    except (KeyError, ValueError, OverflowError) as error:
        raise FormatError(f"{path}: accuracy or masks has another form ({error!r}); make the model again") from error


def _accuracy(value: float | Mapping[str, float]) -> float:
    """A stage's accuracy: a number, or one for each split."""
    return float(value["test"] if isinstance(value, Mapping) else value)


def _masks(matrices: Mapping[str, Mapping[str, MatrixLoad]]) -> dict[str, MaskWork]:
    """Entries of each family, summed over the matrices; those that are used are counted in the image."""
    rows: dict[str, list[list[int]]] = {}
    for families in matrices.values():
        for family, work in families.items():
            if family != USED:
                rows.setdefault(family, []).append(work.entries_per_pe)
    return {
        family: MaskWork([sum(column) for column in zip(*lists, strict=True)], max(map(imbalance, lists)))
        for family, lists in rows.items()
    }


def imbalance(entries: list[int]) -> float:
    """Most over mean entries of a PE: what the PEs lose by waiting for the fullest."""
    return max(entries) * len(entries) / max(1, sum(entries))
