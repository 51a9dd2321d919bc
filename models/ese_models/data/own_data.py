# SPDX-License-Identifier: Apache-2.0
"""Data of the user's own, from an .npz file: for any Keras model, or as a data set for the networks of this project."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ese_host.errors import FormatError
from ese_host.interface import HOLDS, SampleFile
from ese_models.data.dataset import Dataset, Split

HELD_OUT = 5
"""Every fifth sample is held out for the test if a file has no test split, and then every fifth for validation."""
MAX_CLASSES = 4096
Pair = tuple[Any, Any]
"""Samples and labels, each an array or a list of arrays."""


@dataclass(frozen=True, eq=False)
class OwnData:
    """Data of the user's own.

    Attributes:
        path: the file.
        train: training samples and labels.
        validation: likewise, or None.
        test: likewise, or None.
        classes: names of the classes, by label; empty if the file has none.
        mean: (features,) mean that was subtracted from the recorded values, or None.
        deviation: (features,) divisor of the values after that, or None.
    """

    path: Path
    train: Pair
    validation: Pair | None
    test: Pair | None
    classes: tuple[str, ...] = ()
    mean: npt.NDArray[np.float64] | None = None
    deviation: npt.NDArray[np.float64] | None = None

    @classmethod
    def read(cls, path: Path) -> OwnData:
        """Read a file.

        It holds samples `x` and labels `y`, or `x_0`, `x_1` ... and `y_0`, `y_1` ... for several inputs or outputs. It
        may hold `x_test` and `y_test`, `x_validation` and `y_validation`, names `classes`, and the scaling of recorded
        values, `mean` and `deviation`.

        Args:
            path: an .npz file.

        Raises:
            MissingError: if there is no such file.
            FormatError: if it cannot be read, or samples or labels are missing or differ in number.
        """
        file = SampleFile.read(path)
        pairs: dict[str, Pair | None] = {}
        for split in ("train", "validation", "test"):
            x, y = file.split(split)
            suffix = "" if split == "train" else f"_{split}"
            if (x is None) != (y is None) or (x is None and split == "train"):
                raise FormatError(
                    f"{path}: has the arrays {sorted(file.arrays)}; `x{suffix}` and `y{suffix}` belong together. "
                    f"Expected are {HOLDS}, and the same with _test or _validation behind the letter"
                )
            pairs[split] = None if x is None else (x, y)
            if x is not None:
                _check_counts(f"{path}: x{suffix} and y{suffix}", x, y)
        train = pairs["train"]
        if train is None:  # not reached: `x` and `y` are there
            raise FormatError(f"{path}: has no samples")
        scaling = [file.arrays.get(name) for name in ("mean", "deviation")]
        return cls(path, train, pairs["validation"], pairs["test"], _names(path, file), *scaling)

    def dataset(self) -> Dataset:
        """The data as a data set of sequences or vectors with classes.

        Without a test split, every fifth sample is held out as one; then without a validation split, every fifth of the
        training samples that are left.

        Raises:
            FormatError: if there are several inputs or outputs, or the arrays are no such samples.
        """
        if isinstance(self.train[0], list) or isinstance(self.train[1], list):
            raise FormatError(f"{self.path}: has several inputs or outputs; a network of this project has one of each")
        pairs = {"train": self.train, "test": self.test, "validation": self.validation}
        splits = {name: _split(self.path, *pair) for name, pair in pairs.items() if pair is not None}
        count = 1 + max(int(split.labels.max()) for split in splits.values())
        names = self.classes or tuple(str(number) for number in range(min(count, MAX_CLASSES)))
        for name in pairs:
            if name not in splits:
                splits["train"], splits[name] = splits["train"].divided(HELD_OUT)
        train, validation, test = splits["train"], splits["validation"], splits["test"]
        return Dataset(self.path.stem, train, validation, test, names, self.mean, self.deviation, (self.path,))


def _split(path: Path, x: Any, y: Any) -> Split:
    """A split of sequences or vectors with whole numbers as labels."""
    inputs, labels = np.asarray(x, np.float32), np.asarray(y)
    if inputs.ndim not in (2, 3) or labels.dtype.kind not in "iu" or not len(inputs):
        raise FormatError(
            f"{path}: x has shape {inputs.shape} and y the type {labels.dtype}; a network of this project takes "
            "(samples, steps, features) or (samples, features), and whole numbers as labels: train another network in "
            "Keras, and give it to `ese4ml compress`"
        )
    if not np.isfinite(inputs).all():
        raise FormatError(f"{path}: x holds NaN or infinity; only finite numbers are taken")
    steps = inputs.shape[1] if inputs.ndim == 3 else 1
    return Split(inputs, np.full(len(inputs), steps, np.int64), labels.astype(np.int64))


def _check_counts(what: str, x: Any, y: Any) -> None:
    """Refuse samples and labels that differ in number."""
    arrays = [array for given in (x, y) for array in (given if isinstance(given, list) else [given])]
    counts = {len(array) if array.ndim else 0 for array in arrays}
    if len(counts) > 1 or 0 in counts:
        raise FormatError(f"{what} have {sorted(counts)} samples; all must have the same number, at least one")


def _names(path: Path, file: SampleFile) -> tuple[str, ...]:
    """The names of the classes."""
    array = file.arrays.get("classes")
    if array is None:
        return ()
    if array.ndim != 1 or array.dtype.kind != "U" or not 0 < len(array) <= MAX_CLASSES:
        raise FormatError(
            f"{path}: classes are {array.dtype} {array.shape}; a list of 1 to {MAX_CLASSES} texts is expected"
        )
    return tuple(map(str, array))
