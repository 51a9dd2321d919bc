"""Sequences as arrays: (N, T, width) codes and (N,) lengths, and what is sound about them.

Whoever takes such arrays asks here, and refuses in words of its own: it knows what they are called and what to change.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ese_host.errors import FormatError
from ese_host.ir.fixed import Codes, Fixed

Lengths = npt.NDArray[np.int64]
"""(N,) steps of each sequence."""
INTEGERS, NUMBERS = "iu", "iuf"
"""Kinds of numpy's data types."""


def are_frames(array: npt.NDArray[Any], axes: int, width: int, kinds: str | None = INTEGERS) -> bool:
    """Whether an array holds frames of `width` elements.

    Args:
        array: any array.
        axes: 3 for (N, T, width), 2 for one sequence's (steps, width).
        width: elements of a frame.
        kinds: of data types that are allowed; None for any.
    """
    return array.ndim == axes and array.shape[-1] == width and (kinds is None or array.dtype.kind in kinds)


def full_lengths(batch: npt.NDArray[Any]) -> Lengths:
    """(N,) lengths of an (N, T, ...) array of which all steps count."""
    return np.full(len(batch), batch.shape[1], dtype=np.int64)


def are_lengths(steps: npt.NDArray[Any], full: Lengths) -> bool:
    """Whether `steps` are integers, 1 to `full` (N,) for each of N sequences, and there is one at least."""
    if steps.shape != full.shape or not len(full) or steps.dtype.kind not in INTEGERS:
        return False
    return bool(steps.min() >= 1 and (steps <= full).all())


def by_name(given: Mapping[str, Any] | Sequence[Any] | Any, names: Sequence[str], alone: bool) -> dict[str, Any]:
    """Inputs by name; empty where they are given in order and there are not as many as names.

    Args:
        given: a mapping by name, which is taken as it is; a sequence in the order of the names; or the only input.
        names: of the inputs expected.
        alone: whether what is no mapping is the only input itself.
    """
    if isinstance(given, Mapping):
        return dict(given)
    if alone:
        return {names[0]: given}
    return dict(zip(names, given, strict=True)) if len(given) == len(names) else {}


def check_codes(codes: Codes, form: Fixed, what: str, holder: str, cure: str) -> None:
    """Refuse codes outside a format.

    Args:
        codes: one at least.
        form: the format.
        what: the codes' name in the refusal.
        holder: the format's name there.
        cure: what to do about it.

    Raises:
        FormatError: the smallest or the largest is outside.
    """
    low, high = codes.min(), codes.max()
    if low < form.low or high > form.high:
        raise FormatError(f"{what} span {low}..{high}; {holder} holds {form.low}..{form.high}: {cure}")
