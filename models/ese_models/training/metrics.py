# SPDX-License-Identifier: Apache-2.0
"""Figures of merit: accuracy, and for networks that classify the phone of each frame, the greedy phone error rate."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ese_host.decoding import phone_errors
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


def _share(decided: Labels, labels: Labels, counted: npt.NDArray[np.bool_]) -> float:
    """Share of the counted positions at which decision and label are equal."""
    return float((decided[counted] == labels[counted]).mean())
