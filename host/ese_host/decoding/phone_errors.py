# SPDX-License-Identifier: Apache-2.0
"""Phones of frames, and the edit distance between two sequences of phones."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

import numpy as np
import numpy.typing as npt

NO_LABEL = -1
"""Label of a frame that is ignored in training and scoring."""
Labels = npt.NDArray[np.int64]


def phone_errors(decided: Labels, labels: Labels) -> tuple[list[int], list[int]]:
    """Edit distance and number of phones of each utterance.

    Frames without a label are left out. Runs of equal phones are collapsed to one phone, in decisions and labels alike.

    Args:
        decided: (utterances, steps) phone that was found for each frame.
        labels: (utterances, steps) phone of each frame, `NO_LABEL` for frames without one.
    """
    errors, phones = [], []
    for predicted, true in zip(decided, labels, strict=True):
        labelled = true != NO_LABEL
        reference = collapsed(true[labelled])
        errors.append(edit_distance(reference, collapsed(predicted[labelled])))
        phones.append(len(reference))
    return errors, phones


def standard_error(errors: npt.ArrayLike, phones: npt.ArrayLike) -> float | None:
    """Standard error of a rate, errors over phones, both summed over utterances; None for a single utterance.

    The rate is a ratio of sums, and its error that of the ratio's linear part, which is nearly a bootstrap's over
    utterances and needs no random numbers.

    Args:
        errors: (utterances,) errors of each utterance, or differences of errors of two networks.
        phones: (utterances,) phones of each utterance.
    """
    wrong, total = np.asarray(errors, np.float64), np.asarray(phones, np.float64)
    count = len(total)
    if count < 2:
        return None
    rest = wrong - wrong.sum() / total.sum() * total
    return sqrt(float(rest @ rest) * count / (count - 1)) / float(total.sum())


def collapsed(labels: Sequence[int] | Labels) -> list[int]:
    """Labels without those that equal the label before.

    >>> collapsed([3, 3, 1, 1, 1, 3])
    [3, 1, 3]
    """
    return [int(label) for place, label in enumerate(labels) if not place or label != labels[place - 1]]


def edit_distance(first: Sequence[int], second: Sequence[int]) -> int:
    """Fewest insertions, deletions and substitutions that turn one sequence into the other (Levenshtein distance).

    >>> edit_distance([1, 2, 3, 4], [1, 3, 5, 4])
    2
    """
    row = list(range(len(second) + 1))
    for place, item in enumerate(first, 1):
        diagonal, row[0] = row[0], place
        for other, value in enumerate(second, 1):
            diagonal, row[other] = row[other], min(row[other] + 1, row[other - 1] + 1, diagonal + (item != value))
    return row[-1]


def aligned(first: Sequence[int], second: Sequence[int]) -> list[tuple[int | None, int | None]]:
    """Pairs of items of two sequences with the fewest pairs of different items; None stands for no item.

    >>> aligned([1, 2, 3, 4], [1, 3, 4, 5])
    [(1, 1), (2, None), (3, 3), (4, 4), (None, 5)]
    """
    table = [list(range(len(second) + 1))]
    for place, item in enumerate(first, 1):
        row, above = [place], table[-1]
        for other, value in enumerate(second, 1):
            row.append(min(above[other] + 1, row[-1] + 1, above[other - 1] + (item != value)))
        table.append(row)
    pairs: list[tuple[int | None, int | None]] = []
    one, two = len(first), len(second)
    while one or two:
        here = table[one][two]
        if one and two and here == table[one - 1][two - 1] + (first[one - 1] != second[two - 1]):
            one, two = one - 1, two - 1
            pairs.append((first[one], second[two]))
        elif one and here == table[one - 1][two] + 1:
            one -= 1
            pairs.append((first[one], None))
        else:
            two -= 1
            pairs.append((None, second[two]))
    return pairs[::-1]
