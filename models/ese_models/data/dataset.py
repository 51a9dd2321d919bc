"""What every data set is once it is read: two splits of arrays."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ese_host.errors import FormatError

NO_LABEL = -1
"""Label of a frame that takes no part in training or scoring."""


@dataclass(frozen=True, eq=False)
class Split:
    """Samples of one split.

    Attributes:
        inputs: (samples, steps, features) float32 sequences, or (samples, features) vectors.
        lengths: (samples,) real frames of each; a vector has one.
        labels: (samples,) classes, or (samples, steps), one a frame and `NO_LABEL` where there is none.
        padded: where the zeros of a shorter sequence stand: "front" (the last frame is the last step) or "end".
    """

    inputs: npt.NDArray[np.float32]
    lengths: npt.NDArray[np.int64]
    labels: npt.NDArray[np.int64]
    padded: str = "front"

    def __post_init__(self) -> None:
        count = len(self.labels)
        shape = self.inputs.shape
        if self.inputs.ndim not in (2, 3) or (shape[0], self.lengths.shape) != (count, (count,)):
            raise FormatError(f"{count} labels, inputs {shape}, lengths {self.lengths.shape}; one of each a sample")
        if self.labels.shape not in ((count,), shape[:-1]):
            raise FormatError(f"labels have shape {self.labels.shape}; expected {(count,)} or {shape[:-1]}")
        if self.padded not in ("front", "end"):
            raise FormatError(f"padding stands at {self.padded!r}; front or end is allowed")

    @property
    def framewise(self) -> bool:
        """Whether each frame has a label of its own."""
        return self.labels.ndim == 2

    def taken(self, chosen: npt.NDArray[np.int64] | slice) -> Split:
        """Some of the samples."""
        return Split(self.inputs[chosen], self.lengths[chosen], self.labels[chosen], self.padded)


@dataclass(frozen=True, eq=False)
class Dataset:
    """Training and test split, and the files that they came from.

    Attributes:
        name: of the data set.
        classes: names of the labels.
        mean, deviation: (features,) of the training frames: input = (recorded - mean) / deviation; None where the
            inputs are as recorded.
        files: what was read.
        remark: what must stand beside every number.
    """

    name: str
    train: Split
    test: Split
    classes: tuple[str, ...]
    mean: npt.NDArray[np.float64] | None = None
    deviation: npt.NDArray[np.float64] | None = None
    files: tuple[Path, ...] = ()
    remark: str = ""

    def __post_init__(self) -> None:
        for split in (self.train, self.test):
            low, high = split.labels.min(initial=0), split.labels.max(initial=0)
            if low < NO_LABEL * split.framewise or high >= len(self.classes):
                raise FormatError(f"{self.name}: labels span {low}..{high}; there are {len(self.classes)} classes")
            if split.inputs.shape[-1] != self.train.inputs.shape[-1]:
                raise FormatError(
                    f"{self.name}: inputs have {split.inputs.shape[-1]} features; training has "
                    f"{self.train.inputs.shape[-1]}"
                )
