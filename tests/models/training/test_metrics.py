# SPDX-License-Identifier: Apache-2.0
"""Figures of merit against brute force."""

import numpy as np
import pytest

from ese_host.errors import FormatError
from ese_models.data import NO_LABEL, Split
from ese_models.training.metrics import (
    accuracy,
    classification,
    phone_error_rate,
    phones,
    utterances,
)


def test_phone_error_rate_counts_errors_over_phones() -> None:
    # 1 2 3 against 1 3 (a deletion) and 4 against 4 5 (an insertion): 2 errors, 4 phones
    labels = np.array([[1, 1, 2, 3, 3, NO_LABEL], [NO_LABEL, 4, 4, 4, 4, 4]])
    said = np.array([[1, 1, 1, 3, 3, 7], [9, 4, 4, 5, 5, 5]])
    assert phone_error_rate(said, labels) == 0.5
    split = Split(np.zeros((2, 6, 1), np.float32), np.array([6, 6]), labels, "end")
    assert utterances(np.eye(10, dtype=np.float32)[said], split) == {"errors": [1, 1], "phones": [3, 1]}
    assert phone_error_rate(labels, labels) == 0
    with pytest.raises(FormatError, match=r"^2 utterances have no labelled frame; a phone error rate needs one$"):
        phone_error_rate(said, np.full_like(said, NO_LABEL))


def test_frames_without_a_label_do_not_count() -> None:
    labels = np.array([[0, 0, 1, 2, NO_LABEL]])
    split = Split(np.zeros((1, 5, 2), np.float32), np.array([5]), labels, "end")
    probabilities = np.eye(3, dtype=np.float32)[[[0, 1, 1, 0, 2]]]
    found = phones(probabilities, split, pause=0)
    assert found == {"accuracy": 0.5, "non_pause_accuracy": 0.5, "phone_error_rate": pytest.approx(1 / 3)}
    assert accuracy(probabilities, split) == 0.5
    plain = Split(np.zeros((2, 1), np.float32), np.array([1, 1]), np.array([0, 1]))
    assert classification(np.array([[0.9, 0.1], [0.8, 0.2]], np.float32), plain) == {"accuracy": 0.5}
