"""A cell: one trained network of a study, named by everything that decides it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, Union, get_args

from ese_host.errors import FormatError, UnsupportedError

TrainingStage = Literal["dense", "dsd", "pruned", "quantized"]
STAGES: tuple[TrainingStage, ...] = get_args(TrainingStage)
Option = Union[int, float, str]  # a cell file is read back from JSON


@dataclass(frozen=True)
class StudyCell:
    """One network.

    Attributes:
        task: name of the task. stage: what is done here.
        epochs: passes over the training data in this stage.
        seed: of initial weights, order and augmentation.
        family: of masks, "none" where the network is dense. density: kept share.
        weights: kind of code, "float" before the last stage.
        network: name of its layers; empty is the task's own.
        trunk: the cell whose network this one starts from; none where it starts from random weights.
        options: further settings of the stage, by name.
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
                f"{self.stage} cell: epochs {self.epochs}, seed {self.seed}, density {self.density}; at least 1, at "
                "least 0, above 0 to 1"
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
        """How many cells lie under this one."""
        return 0 if self.trunk is None else self.trunk.depth + 1

    @property
    def root(self) -> StudyCell:
        """The cell that starts from random weights."""
        return self if self.trunk is None else self.trunk.root

    @property
    def key(self) -> str:
        """Name of its files: legible, and of ten hex digits over everything, so that no two cells share one."""
        digest = hashlib.sha256(json.dumps(self.to_json(), sort_keys=True).encode()).hexdigest()[:10]
        masks = [] if self.family == "none" else [self.family, f"{self.density:g}"]
        words = [self.task, *filter(None, [self.network]), self.stage, *masks, self.weights, f"seed{self.seed}", digest]
        return "-".join(words)

    def option(self, name: str, default: Option) -> Option:
        """A further setting."""
        return dict(self.options).get(name, default)

    def then(self, stage: TrainingStage, epochs: int, **changes: Any) -> StudyCell:
        """A cell that starts from this one; its options are its own."""
        return replace(self, stage=stage, epochs=epochs, trunk=self, **{"options": (), **changes})

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {**asdict(self), "options": dict(self.options), "trunk": self.trunk and self.trunk.to_json()}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> StudyCell:
        """Inverse of `to_json`.

        Raises:
            FormatError: the values are no cell's.
        """
        try:
            trunk = None if values["trunk"] is None else cls.from_json(values["trunk"])
            return cls(**{**values, "trunk": trunk, "options": tuple(values["options"].items())})
        except (TypeError, KeyError, AttributeError) as error:
            raise FormatError(f"{values!r} is no study cell ({error}); train it again") from error


def with_trunks(cells: Iterable[StudyCell]) -> list[StudyCell]:
    """The cells and all that they start from, each once, trunks first."""

    def chain(cell: StudyCell) -> Iterator[StudyCell]:
        if cell.trunk is not None:
            yield from chain(cell.trunk)
        yield cell

    found = dict.fromkeys(part for cell in cells for part in chain(cell))
    return sorted(found, key=lambda cell: cell.depth)
