# SPDX-License-Identifier: Apache-2.0
"""Figures of merit: accuracy, and for networks that classify the phone of each frame, the greedy phone error rate."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ese_host.errors import FormatError
from ese_models.data import NO_LABEL, Split

Floats = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]


def accuracy(probabilities: Floats, split: Split) -> float:
    """Share of samples, or of frames with a label, that are classified correctly, 0 to 1.

    Args:
        probabilities: (samples, classes) or (samples, steps, classes).
        split: samples for which they were computed.
    """
    return _share(probabilities.argmax(axis=-1), split.labels, split.labels != NO_LABEL)


def classification(probabilities: Floats, split: Split) -> dict[str, float]:
    """Figures of a task with one label per sample, by name."""
    return {"accuracy": accuracy(probabilities, split)}


def phones(probabilities: Floats, split: Split, pause: int) -> dict[str, float]:
    """Figures of phone recognition: accuracy on all frames and on frames that are no pause, and phone error rate.

    Args:
        probabilities: (utterances, steps, phones).
        split: whole utterances, with a label for each frame.
        pause: label of silence.

    Raises:
        FormatError: if no frame has a label.
    """
    decided = probabilities.argmax(axis=-1)
    spoken = (split.labels != NO_LABEL) & (split.labels != pause)
    return {
        "accuracy": accuracy(probabilities, split),
        "non_pause_accuracy": _share(decided, split.labels, spoken),
        "phone_error_rate": phone_error_rate(decided, split.labels),
    }


def utterances(probabilities: Floats, split: Split) -> dict[str, list[int]]:
    """Errors and phones of each utterance, by which two networks can be compared utterance by utterance.

    Args:
        probabilities: (utterances, steps, phones).
        split: whole utterances, with a label for each frame.
    """
    errors, phones = phone_errors(probabilities.argmax(axis=-1), split.labels)
    return {"errors": errors, "phones": phones}


def phone_error_rate(decided: Labels, labels: Labels) -> float:
    """Edit distance over the number of phones, both summed over the utterances; `phone_errors` describes the arguments.

    Raises:
        FormatError: if no frame has a label.
    """
    errors, phones = phone_errors(decided, labels)
    if not sum(phones):
        raise FormatError(f"{len(labels)} utterances have no labelled frame; a phone error rate needs one")
    return sum(errors) / sum(phones)


def phone_errors(decided: Labels, labels: Labels) -> tuple[list[int], list[int]]:
    """Edit distance and number of phones of each utterance.

    Frames without a label are left out. Runs of equal phones are collapsed to one phone, in decisions and labels alike.

    Args:
        decided: (utterances, steps) most probable phone of each frame.
        labels: (utterances, steps) phone of each frame, `NO_LABEL` for frames without one.
    """
    errors, phones = [], []
    for predicted, true in zip(decided, labels, strict=True):
        labelled = true != NO_LABEL
        reference = collapsed(true[labelled])
        errors.append(edit_distance(reference, collapsed(predicted[labelled])))
        phones.append(len(reference))
    return errors, phones


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


def _share(decided: Labels, labels: Labels, counted: npt.NDArray[np.bool_]) -> float:
    """Share of the counted positions at which decision and label are equal."""
    return float((decided[counted] == labels[counted]).mean())
