"""Proof that no sum overflows: worst cases from the actual weights of each row and the range of the input."""

from __future__ import annotations

import numpy as np

from ese_host.errors import CapacityError
from ese_host.image import SUM_BITS
from ese_host.ir import Codes, Fixed, Matrix


def partial_sums(matrix: Matrix, source: Fixed) -> tuple[Codes, Codes]:
    """(2, rows) smallest and largest value that any partial sum of a row can reach, positive and negative bank.

    A matrix with one scale keeps both in the first row; the second is zero. Whatever the order of the entries, a
    partial sum lies between the sum of all least and the sum of all greatest products.
    """
    levels = matrix.levels
    low = np.minimum(levels * source.low, levels * source.high)
    high = np.maximum(levels * source.low, levels * source.high)
    if not matrix.two_scales:
        zero = np.zeros(len(levels), dtype=np.int64)
        return np.stack([low.sum(axis=1), zero]), np.stack([high.sum(axis=1), zero])
    banks = (levels > 0, levels < 0)
    return np.stack([(low * b).sum(axis=1) for b in banks]), np.stack([(high * b).sum(axis=1) for b in banks])


def largest_change(matrix: Matrix, source: Fixed) -> int:
    """Largest magnitude of a level times the difference of two inputs: a delta network's largest single term.

    Its sums need no bound of their own. A row's sum is, before and after every single term, the sum of its levels times
    some vector of inputs within their range, and so within `partial_sums`.
    """
    return int(np.abs(matrix.levels).max()) * (source.high - source.low)


def bits_for(low: int, high: int) -> int:
    """Width of the two's complement integer that holds low..high.

    >>> bits_for(-8, 7), bits_for(0, 8), bits_for(0, 0)
    (4, 5, 1)
    """
    return max((-low - 1).bit_length() if low < 0 else 0, high.bit_length()) + 1


def check_sum(name: str, low: int, high: int) -> None:
    """Refuse a pre-activation sum that could leave its register.

    Raises:
        CapacityError: the sum may need more than 48 bits.
    """
    found = bits_for(low, high)
    if found > SUM_BITS:
        raise CapacityError(
            f"layer {name!r}: a scaled sum may need {found} bits; {SUM_BITS} are there: "
            "prune more, or give inputs or scales fewer bits"
        )
