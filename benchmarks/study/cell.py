# SPDX-License-Identifier: Apache-2.0
"""A cell of a study: one trained network, described by all settings that determine it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, Union, get_args

from ese_host.errors import FormatError, UnsupportedError

TrainingStage = Literal["dense", "dsd", "pruned", "quantized"]
STAGES: tuple[TrainingStage, ...] = get_args(TrainingStage)
Option = Union[int, float, str]
"""Value of a further setting; it must survive JSON."""


@dataclass(frozen=True)
class StudyCell:
    """One network of the study.

    Attributes:
        task: name of the task.
        stage: stage of training that makes the network.
        epochs: passes over the training data in this stage.
        seed: of initial weights, order and augmentation.
        family: of masks; "none" if the network is dense.
        density: kept share of the weights.
        weights: kind of the weight codes; "float" before the last stage.
        network: name of the layers; empty for the task's own.
        trunk: the cell whose network this one starts from; None to start from random weights.
        options: further settings of the stage, as pairs of name and value.
    """

    task: str
    stage: TrainingStage
    epochs: int
    seed: int = 0
    family: str = "none"
    density: float = 1.0
    weights: str = "float"
    network: str = ""
    trunk: StudyCell | None = None
    options: tuple[tuple[str, Option], ...] = ()

    def __post_init__(self) -> None:
        if self.stage not in STAGES:
            raise UnsupportedError(f"stage is {self.stage!r}; allowed: {', '.join(STAGES)}")
        if self.epochs < 1 or self.seed < 0 or not 0 < self.density <= 1:
            raise UnsupportedError(
                f"{self.stage} cell: epochs {self.epochs}, seed {self.seed}, density {self.density}; epochs "
                "must be at least 1, the seed at least 0, and the density above 0 and at most 1"
            )
        if self.trunk is None and self.stage != "dense":
            raise UnsupportedError(f"a {self.stage} cell has no trunk; only a dense one starts from random weights")
        if self.trunk is not None and (self.trunk.task, self.trunk.network) != (self.task, self.network):
            raise UnsupportedError(
                f"cell of {self.task} {self.network!r} starts from {self.trunk.task} {self.trunk.network!r}; both must "
                "have the same layers"
            )
        object.__setattr__(self, "options", tuple(sorted(self.options)))
        object.__setattr__(self, "density", float(self.density))  # 1 and 1.0 are one key

    @property
    def depth(self) -> int:
        """Number of cells that are trained before this one, starting from random weights."""
        return 0 if self.trunk is None else self.trunk.depth + 1

    @property
    def root(self) -> StudyCell:
        """The cell that starts from random weights."""
        return self if self.trunk is None else self.trunk.root

    @property
    def key(self) -> str:
        """Name of the cell's files: its main settings, and ten hex digits of a digest of all settings."""
        digest = hashlib.sha256(json.dumps(self.to_json(), sort_keys=True).encode()).hexdigest()[:10]
        masks = [] if self.family == "none" else [self.family, f"{self.density:g}"]
        words = [self.task, *filter(None, [self.network]), self.stage, *masks, self.weights, f"seed{self.seed}", digest]
        return "-".join(words)

    def option(self, name: str, default: Option) -> Option:
        """Value of a further setting, or the default."""
        return dict(self.options).get(name, default)

    def then(self, stage: TrainingStage, epochs: int, **changes: Any) -> StudyCell:
        """A cell that starts from this one. It does not inherit the options.

        Args:
            stage: stage of the new cell.
            epochs: its epochs.
            changes: further fields that differ.
        """
        return replace(self, stage=stage, epochs=epochs, trunk=self, **{"options": (), **changes})

    def to_json(self) -> dict[str, Any]:
        """JSON values of the cell and its trunks."""
        return {**asdict(self), "options": dict(self.options), "trunk": self.trunk and self.trunk.to_json()}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> StudyCell:
        """Inverse of `to_json`.

        Raises:
            FormatError: if the values do not describe a cell.
        """
        try:
            trunk = None if values["trunk"] is None else cls.from_json(values["trunk"])
            return cls(**{**values, "trunk": trunk, "options": tuple(values["options"].items())})
        except (TypeError, KeyError, AttributeError) as error:
            raise FormatError(f"{values!r} does not describe a cell of the study ({error}); train it again") from error


def with_trunks(cells: Iterable[StudyCell]) -> list[StudyCell]:
    """The cells and all cells that they start from, each once; trunks come first."""

    def chain(cell: StudyCell) -> Iterator[StudyCell]:
        if cell.trunk is not None:
            yield from chain(cell.trunk)
        yield cell

    unique = dict.fromkeys(part for cell in cells for part in chain(cell))
    return sorted(unique, key=lambda cell: cell.depth)
