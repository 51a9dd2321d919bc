"""provenance.json: what training and compression say about a model, as far as a check reports it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ese_host.errors import FormatError


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
    """Read provenance.json; fields that a check does not report are not looked at.

    Raises:
        FormatError: it is no JSON object, or a field has another form.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{path}: not JSON ({error}); train or compress the model again") from error
    if not isinstance(value, dict):
        raise FormatError(f"{path}: is a {type(value).__name__}; expected an object")
    try:
        return Provenance(
            {name: _accuracy(item) for name, item in value.get("accuracy", {}).items()},
            {name: int(item) for name, item in value.get("seeds", {}).items()},
            {name: str(item) for name, item in value.get("versions", {}).items()},
            _masks(value.get("masks", {})),
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise FormatError(
            f"{path}: accuracy, seeds, versions or masks has another form ({error!r}); make the model again"
        ) from error


def _accuracy(value: Any) -> float:
    """A stage's accuracy: a number, or one for each split."""
    return float(value["test"] if isinstance(value, dict) else value)


def _masks(matrices: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> dict[str, MaskWork]:
    """{matrix: {family: {"entries_per_pe": [...], ...}}}, summed over the matrices; "used" is counted in the image."""
    rows: dict[str, list[list[int]]] = {}
    for families in matrices.values():
        for family, work in families.items():
            if family != "used":
                rows.setdefault(family, []).append([int(item) for item in work["entries_per_pe"]])
    return {
        family: MaskWork([sum(column) for column in zip(*lists, strict=True)], max(map(imbalance, lists)))
        for family, lists in rows.items()
    }


def imbalance(entries: list[int]) -> float:
    """Most over mean entries of a PE: what the PEs lose by waiting for the fullest."""
    return max(entries) * len(entries) / max(1, sum(entries))
