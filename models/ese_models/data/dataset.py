# SPDX-License-Identifier: Apache-2.0
"""Arrays of a data set: a training, a validation and a test split."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ese_host.decoding import NO_LABEL
from ese_host.errors import FormatError

__all__ = ["NO_LABEL", "Dataset", "Split"]


@dataclass(frozen=True, eq=False)
class Split:
    """Samples of one split.

    Attributes:
        inputs: (samples, steps, features) float32 sequences, or (samples, features) vectors.
        lengths: (samples,) number of frames of each sequence without padding; 1 for a vector.
        labels: (samples,) classes, or (samples, steps) classes of the frames, `NO_LABEL` for frames without one.
        padded: side on which shorter sequences are padded with zeros, "front" (the last frame is the last step) or
            "end".

    Raises:
        FormatError: if the shapes do not fit together, or `padded` is neither "front" nor "end".
    """

    inputs: npt.NDArray[np.float32]
    lengths: npt.NDArray[np.int64]
    labels: npt.NDArray[np.int64]
    padded: str = "front"

    def __post_init__(self) -> None:
        count = len(self.labels)
        shape = self.inputs.shape
        if self.inputs.ndim not in (2, 3) or (shape[0], self.lengths.shape) != (count, (count,)):
            raise FormatError(
                f"a split has {count} labels, inputs of shape {shape} and lengths of shape {self.lengths.shape}; "
                "every sample needs one of each"
            )
        if self.labels.shape not in ((count,), shape[:-1]):
            raise FormatError(f"labels have shape {self.labels.shape}; expected {(count,)} or {shape[:-1]}")
        if self.padded not in ("front", "end"):
            raise FormatError(f"padded is {self.padded!r}; 'front' or 'end' is allowed")

    @property
    def framewise(self) -> bool:
        """Whether each frame has a label, not only each sequence."""
        return self.labels.ndim == 2

    def taken(self, chosen: npt.NDArray[np.int64] | slice) -> Split:
        """The split of some of the samples, chosen by indices or a slice."""
        return Split(self.inputs[chosen], self.lengths[chosen], self.labels[chosen], self.padded)

    def divided(self, every: int) -> tuple[Split, Split]:
        """The split without each `every`-th sample, and the split of those samples."""
        held = np.arange(len(self.labels)) % every == every - 1
        return self.taken(np.flatnonzero(~held)), self.taken(np.flatnonzero(held))


@dataclass(frozen=True, eq=False)
class Dataset:
    """A data set: its three splits, and the files from which they were read.

    Networks are trained on the training split; recipes, masks, formats and the settings of a decoder are chosen by it
    and by the validation split. The test split is read only to measure a network that is finished.

    Attributes:
        name: of the data set.
        train: training split.
        validation: validation split.
        test: test split.
        classes: names of the classes, by label.
        mean: (features,) mean of the training frames; input = (recorded - mean) / deviation. None if the inputs are not
            standardized.
        deviation: (features,) standard deviation of the training frames, or None as `mean`.
        files: files that were read.
        remark: limitation of the data that must be told with every result.

    Raises:
        FormatError: if a label is not a class, or the splits have different numbers of features.
    """

    name: str
    train: Split
    validation: Split
    test: Split
    classes: tuple[str, ...]
    mean: npt.NDArray[np.float64] | None = None
    deviation: npt.NDArray[np.float64] | None = None
    files: tuple[Path, ...] = ()
    remark: str = ""

    @property
    def splits(self) -> dict[str, Split]:
        """The splits by name: "train", "validation" and "test"."""
        return {"train": self.train, "validation": self.validation, "test": self.test}

    def __post_init__(self) -> None:
        for name, split in self.splits.items():
            low, high = split.labels.min(initial=0), split.labels.max(initial=0)
            if low < NO_LABEL * split.framewise or high >= len(self.classes):
                raise FormatError(
                    f"{self.name}: labels range from {low} to {high}; there are {len(self.classes)} classes"
                )
            if split.inputs.shape[-1] != self.train.inputs.shape[-1]:
                raise FormatError(
                    f"{self.name}: {name} inputs have {split.inputs.shape[-1]} features; training inputs have "
                    f"{self.train.inputs.shape[-1]}"
                )
