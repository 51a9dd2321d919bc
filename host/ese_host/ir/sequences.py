# SPDX-License-Identifier: Apache-2.0
"""Batches of sequences as callers give them, checked: (N, T, width) arrays of codes and (N,) lengths."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ese_host.errors import FormatError
from ese_host.ir.fixed import Codes, Fixed

Lengths = npt.NDArray[np.int64]
"""(N,) number of steps of each sequence."""
GROUP = 64
"""Most sequences for which the golden model keeps every value at once."""
MAX_SHOWN = 80
"""Most characters of a value that a message shows."""
INTEGERS, NUMBERS = "iu", "iuf"
"""Codes of numpy's data types (`dtype.kind`) for integers, and for integers and floats."""


def are_frames(array: npt.NDArray[Any], axes: int, width: int, kinds: str | None = INTEGERS) -> bool:
    """Whether an array holds frames of `width` elements.

    Args:
        array: any array.
        axes: number of axes: 3 for (N, T, width), 2 for (steps, width) of one sequence.
        width: elements of a frame.
        kinds: allowed kinds of data types, such as `INTEGERS`; None allows all.
    """
    return array.ndim == axes and array.shape[-1] == width and (kinds is None or array.dtype.kind in kinds)


def full_lengths(batch: npt.NDArray[Any]) -> Lengths:
    """(N,) lengths of an (N, T, ...) array in which every sequence has all T steps."""
    return np.full(len(batch), batch.shape[1], dtype=np.int64)


def are_lengths(steps: npt.NDArray[Any], full: Lengths) -> bool:
    """Whether `steps` are integers from 1 to `full`, both (N,), for N >= 1 sequences."""
    if steps.shape != full.shape or not len(full) or steps.dtype.kind not in INTEGERS:
        return False
    return bool(steps.min() >= 1 and (steps <= full).all())


def integers_of(given: Any, what: str, expected: str) -> npt.NDArray[np.int64]:
    """Convert what a caller gave to 64-bit integers; nothing is rounded, parsed or left out.

    Args:
        given: an array, or lists of numbers.
        what: name of the value in error messages.
        expected: what is expected, in error messages.

    Raises:
        FormatError: if it is no array of integers, has a mask, or an integer has more than 64 bits.
    """
    try:
        array = np.asarray(given)
    except Exception as error:  # NumPy and other libraries' arrays say with any class that they cannot be converted
        raise FormatError(f"{what} are {shown(given)}; expected {expected}") from error
    wide = array.dtype.kind == "u" and array.size and int(array.max()) > np.iinfo(np.int64).max
    if array.dtype.kind not in INTEGERS or isinstance(given, np.ma.MaskedArray) or wide:
        raise FormatError(f"{what} are {shown(given)} of type {array.dtype}; expected {expected}")
    return array.astype(np.int64, copy=False)


def shown(value: Any) -> str:
    """A value in one short line, for error messages."""
    try:
        text = " ".join(repr(value).split())
    except Exception:  # noqa: BLE001 - an integer of thousands of digits cannot be printed, and a class may do anything
        text = f"a value of type {type(value).__name__}"
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}..."


def sequences_of(given: Any, width: int, what: str, *, vector: bool = False) -> tuple[Codes | list[Codes], Lengths]:
    """The sequences that a caller gave, and the (N,) steps of each.

    Args:
        given: (N, T, width) integers, or a list, tuple or array of N arrays (steps, width).
        width: elements of a frame.
        what: name of the sequences in error messages.
        vector: whether the step may be left out: (N, width).

    Raises:
        FormatError: if they are no integers, or have another shape. There may be none of them.
    """
    expected = f"integer codes (N, T, {width}), or N arrays (steps, {width})"
    objects = isinstance(given, np.ndarray) and given.ndim == 1 and given.dtype == object
    listed = objects or isinstance(given, (list, tuple))
    parts = [integers_of(item, what, expected) for item in (given if listed else [given])]
    axes = 2 if listed else 3
    if vector:
        parts = [part[..., None, :] if part.ndim == axes - 1 else part for part in parts]
    if not all(are_frames(part, axes, width) for part in parts):
        shape = [part.shape for part in parts[:3]] if listed else parts[0].shape
        raise FormatError(f"{what} have shape {shape}; expected {expected}")
    if listed:
        return parts, np.array([len(part) for part in parts], dtype=np.int64)
    return parts[0], full_lengths(parts[0])


def lengths_of(given: Any, full: Lengths, what: str = "lengths") -> Lengths:
    """The steps to run of each sequence that a caller gave; all of them if `given` is None.

    Args:
        given: (N,) integers, or None.
        full: (N,) steps of each sequence.
        what: name of the lengths in error messages.

    Raises:
        FormatError: if they are no integers from 1 to the sequence's steps, one for each of at least one sequence.
    """
    expected = f"1 to T steps for each of {len(full)} sequences"
    steps = full if given is None else integers_of(given, what, expected)
    if not are_lengths(steps, full):
        raise FormatError(f"{what} are {steps.ravel()[:5].tolist()} ...; expected {expected}")
    return steps


def alike(steps: Lengths) -> Iterator[tuple[int, Lengths]]:
    """Groups of sequences of equal length: their steps, and the indices of at most `GROUP` of them."""
    for count in np.unique(steps):
        index = np.flatnonzero(steps == count)
        for start in range(0, len(index), GROUP):
            yield int(count), index[start : start + GROUP]


def by_name(given: Mapping[str, Any] | Sequence[Any] | Any, names: Sequence[str], only_input: bool) -> dict[str, Any]:
    """Assign names to inputs; the result is empty if a sequence of inputs has not as many items as there are names.

    Args:
        given: a mapping by name, which is copied unchanged; a sequence in the order of the names; or the only input.
        names: names of the expected inputs.
        only_input: whether a value that is no mapping is itself the only input.
    """
    if isinstance(given, Mapping):
        return dict(given)
    if only_input:
        return {names[0]: given}
    listed = isinstance(given, (list, tuple)) or (isinstance(given, np.ndarray) and given.ndim > 0)
    return dict(zip(names, given, strict=True)) if listed and len(given) == len(names) else {}


def check_codes(codes: Codes, form: Fixed, what: str, holder: str, cure: str) -> None:
    """Refuse codes outside a format.

    Args:
        codes: array of any shape, with at least one code.
        form: the format.
        what: name of the codes in the error message.
        holder: name of the format in the error message.
        cure: advice in the error message.

    Raises:
        FormatError: if the smallest or the largest code is outside the format.
    """
    low, high = codes.min(), codes.max()
    if low < form.low or high > form.high:
        raise FormatError(f"{what} span {low}..{high}; {holder} holds {form.low}..{form.high}: {cure}")
