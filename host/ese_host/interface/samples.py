# SPDX-License-Identifier: Apache-2.0
"""Float samples and labels that a user gives in a file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ese_host.errors import FormatError, MissingError
from ese_host.files import npz

MAX_SAMPLES_BYTES = 1 << 30
ADVICE = "write it with numpy.savez"
HOLDS = "`x`, or `x_0`, `x_1` ... for several inputs, and `y` or `y_0`, `y_1` ... for labels"
Split = Literal["train", "validation", "test"]


@dataclass(frozen=True, eq=False)
class SampleFile:
    """The arrays of a file of samples.

    Attributes:
        path: the file.
        arrays: its arrays by name.
    """

    path: Path
    arrays: dict[str, npt.NDArray[Any]]

    @classmethod
    def read(cls, path: Path, *, needed: bool = True) -> SampleFile:
        """Read an .npz file; an .npy file holds samples `x` only.

        Args:
            path: the file.
            needed: whether a file without samples is refused.

        Raises:
            MissingError: if there is no such file.
            FormatError: if it cannot be read, or has no samples.
        """
        if not path.is_file():
            raise MissingError(f"{path} does not exist; name an .npz file with {HOLDS}")
        if path.suffix == ".npy":
            try:
                return cls(path, {"x": np.load(path, allow_pickle=False)})
            except (OSError, ValueError, EOFError) as error:
                raise FormatError(f"{path}: cannot be read as .npy ({error}); write it with numpy.save") from error
        file = cls(path, npz.read(path, MAX_SAMPLES_BYTES, ADVICE))
        if needed and file.split("train")[0] is None and file.split("test")[0] is None:
            raise FormatError(f"{path}: has the arrays {sorted(file.arrays)}; expected {HOLDS}")
        return file

    def split(self, split: Split) -> tuple[Any, Any]:
        """Samples and labels of a split, each an array, a list of arrays for several inputs or outputs, or None.

        They are `x` and `y`; those of the other splits have `_test` or `_validation` behind the letter.
        """
        suffix = "" if split == "train" else f"_{split}"
        return self._of(f"x{suffix}"), self._of(f"y{suffix}")

    def _of(self, name: str) -> Any:
        """The array of a name, or the list of those that are numbered, or None."""
        arrays = self.arrays
        listed = [arrays[f"{name}_{place}"] for place in range(len(arrays)) if f"{name}_{place}" in arrays]
        return arrays.get(name, listed or None)


def read_samples(path: Path) -> tuple[Any, Any]:
    """Samples and labels of a file: those of its test split if it has one, else all.

    Args:
        path: an .npz file with `x` and `y`, or `x_test` and `y_test`, or with numbers behind these names for several
            inputs or outputs; or an .npy file of samples.

    Returns:
        An array, or a list of arrays for several inputs or outputs; labels that are not there are None.

    Raises:
        MissingError: if there is no such file.
        FormatError: if it cannot be read, or has no samples.
    """
    file = SampleFile.read(path)
    test = file.split("test")
    return file.split("train") if test[0] is None else test
