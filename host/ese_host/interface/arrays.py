# SPDX-License-Identifier: Apache-2.0
"""Arrays of samples as users give them: any numbers that Keras would take, in the shapes of the model's inputs."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ese_host.errors import FormatError

Extents = tuple[int | None, ...]
"""A tensor's shape without the sample axis; None for an axis of varying length."""
Floats = npt.NDArray[np.float32]
LARGEST = float(np.finfo(np.float32).max)
TAKEN = (
    "NumPy arrays, lists of numbers, and tensors are taken: for a data set or generator, collect the samples in an "
    "array first"
)


def numbers_of(given: Any, what: str) -> npt.NDArray[Any]:
    """An array of numbers from whatever Keras would take as one.

    Raises:
        FormatError: if it is no array of real numbers.
    """
    if isinstance(given, np.ma.MaskedArray):
        raise FormatError(f"{what} is a masked array; fill the masked values first, with its method `filled`")
    if not hasattr(given, "__array__") and not isinstance(given, (list, tuple, int, float)):
        raise FormatError(f"{what} is a {type(given).__name__}; {TAKEN}")
    try:
        array = np.asarray(given)
    except Exception as error:  # NumPy and other libraries say with any class that they cannot convert
        raise FormatError(f"{what} cannot become an array; all samples must have the same shape: pad them") from error
    if array.dtype.kind not in "biuf" and array.dtype.name != "bfloat16":
        raise FormatError(f"{what} holds values of type {array.dtype}; {TAKEN}")
    return array


def with_all_axes(array: npt.NDArray[Any], name: str, shape: Extents) -> npt.NDArray[Any]:
    """An input with all its axes: as Keras does, a last axis of one element may be missing.

    Args:
        array: the samples.
        name: name of the input, for messages.
        shape: shape of the input.

    Raises:
        FormatError: if the samples have another shape, or no steps.
    """
    if array.ndim == len(shape) and shape[-1] == 1:
        array = array[..., None]
    wanted = ", ".join(["samples", *("steps" if extent is None else str(extent) for extent in shape)])
    wanted += "," * (not shape)
    fits = array.ndim == len(shape) + 1 and all(
        extent in (None, found) for extent, found in zip(shape, array.shape[1:], strict=True)
    )
    if not fits:
        one = array.ndim == len(shape) and all(e in (None, n) for e, n in zip(shape, array.shape, strict=True))
        way = ": give a single sample as a batch of one, x[None]" if one else ""
        raise FormatError(f"input {name!r} has shape {array.shape}; the model takes ({wanted}){way}")
    if 0 in array.shape[1:]:
        raise FormatError(f"input {name!r} has shape {array.shape}; a sample has at least one step")
    return array


def as_floats(values: npt.NDArray[np.float64], name: str, first: int = 0) -> Floats:
    """An input as Keras's floats; what these cannot hold becomes their largest value.

    Args:
        values: the samples.
        name: name of the input, for messages.
        first: number of the first sample, for messages.

    Raises:
        FormatError: if a value is not finite.
    """
    wrong = ~np.isfinite(values)
    if wrong.any():
        index = tuple(int(i) for i in np.argwhere(wrong)[0])
        place = (first + index[0], *index[1:])
        raise FormatError(
            f"input {name!r} is {values[index]} at {place}; only finite numbers are taken: check the samples"
        )
    return np.clip(values, -LARGEST, LARGEST).astype(np.float32)
