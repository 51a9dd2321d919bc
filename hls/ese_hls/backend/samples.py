"""Float samples that a user gives to a conversion, as arrays or in a file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from ese_host.bundle import testset
from ese_host.errors import FormatError, MissingError, UnsupportedError
from ese_host.files import npz
from ese_host.ir import shown

ADVICE = "write it with numpy.savez"
HOLDS = "`x`, or `x_0`, `x_1` ... for several inputs, and `y` or `y_0`, `y_1` ... for labels"


def read_samples(path: Path) -> tuple[Any, Any]:
    """Samples and labels of a file: an array, or a list of arrays for several inputs or outputs; no labels are None.

    Args:
        path: an .npz file with `x` and `y`, or `x_0`, `x_1` ... and `y_0`, `y_1` ...; or an .npy file of samples.

    Raises:
        MissingError: if there is no such file.
        FormatError: if it cannot be read, or has no samples.
    """
    if not path.is_file():
        raise MissingError(f"{path} does not exist; name an .npz file with {HOLDS}")
    if path.suffix == ".npy":
        try:
            return np.load(path, allow_pickle=False), None
        except (OSError, ValueError, EOFError) as error:
            raise FormatError(f"{path}: cannot be read as .npy ({error}); write it with numpy.save") from error
    arrays = npz.read(path, testset.MAX_BYTES, ADVICE)
    x, y = _of(arrays, "x"), _of(arrays, "y")
    if x is None:
        raise FormatError(f"{path}: has the arrays {sorted(arrays)}; expected {HOLDS}")
    return x, y


def _of(arrays: dict[str, Any], name: str) -> Any:
    """The array of a name, or the list of those that are numbered."""
    listed = [arrays[f"{name}_{place}"] for place in range(len(arrays)) if f"{name}_{place}" in arrays]
    return arrays.get(name, listed or None)


def calibration_from(given: Any) -> Any:
    """Samples of the argument `calibration`: what `predict` takes, or a file of them."""
    return read_samples(Path(given))[0] if isinstance(given, (str, os.PathLike)) else given


def test_from(given: Any) -> tuple[Any, Any]:
    """Samples and labels of the argument `test`: a pair, or a file of them.

    Raises:
        UnsupportedError: if it is neither.
    """
    if isinstance(given, (str, os.PathLike)):
        return read_samples(Path(given))
    if isinstance(given, tuple) and len(given) == 2:
        return given
    raise UnsupportedError(
        f"test is {shown(given)}; a pair (x, y) of samples and labels, or the path of an .npz file with {HOLDS}, is "
        "allowed: give None as y if there are no labels"
    )
