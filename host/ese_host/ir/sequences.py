"""Checks of batches of sequences: (N, T, width) arrays of codes and (N,) lengths.

Most functions here only answer whether an array is valid. The caller raises the error, because it knows how the array
is called and how to mend it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ese_host.errors import FormatError
from ese_host.ir.fixed import Codes, Fixed

Lengths = npt.NDArray[np.int64]
"""(N,) number of steps of each sequence."""
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
    return dict(zip(names, given, strict=True)) if len(given) == len(names) else {}


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
