# SPDX-License-Identifier: Apache-2.0
"""Decoders are fitted on training labels alone and tuned on the validation split alone, and make fewer errors."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from ese_host.decoding import FORBIDDEN, UNIT, phone_errors
from ese_host.errors import FormatError
from ese_models.data import NO_LABEL, Dataset, Split, festvox_ru
from ese_models.decoding import LabelCounts, Settings, decoder_of, error_of, fitted, log_outputs, tuned

PHONES = 4


def spoken(count: int, seed: int, least: int = 3) -> list[npt.NDArray[np.int64]]:
    """Labels of utterances: phone p is followed by p + 1 or p + 2, and lasts `least` frames and on the mean 3 more."""
    rng = np.random.default_rng(seed)
    utterances = []
    for _ in range(count):
        phone, labels = 0, list[int]()
        while len(labels) < 120:
            labels += [phone] * (least + rng.geometric(0.25) - 1)
            phone = (phone + rng.choice([1, 2], p=[0.8, 0.2])) % PHONES
        utterances.append(np.array(labels))
    return utterances


def split_of(labels: list[npt.NDArray[np.int64]]) -> Split:
    """A split whose inputs say nothing; labels come two frames late."""
    steps = 2 + max(map(len, labels))
    padded = np.full((len(labels), steps), NO_LABEL)
    for row, part in zip(padded, labels, strict=True):
        row[2 : 2 + len(part)] = part
    lengths = np.array([len(part) + 2 for part in labels])
    return Split(np.zeros((len(labels), steps, 1), np.float32), lengths, padded, "end")


def noisy(split: Split, seed: int, strength: float = 1.3) -> npt.NDArray[np.float32]:
    """Probabilities that often have the largest value at another phone than the label."""
    rng = np.random.default_rng(seed)
    outputs = rng.normal(size=(*split.labels.shape, PHONES)) + strength * np.eye(PHONES)[split.labels]
    powers = np.exp(outputs)
    shares: npt.NDArray[np.float32] = (powers / powers.sum(axis=-1, keepdims=True)).astype(np.float32)
    return shares


def test_labels_are_counted_as_by_hand() -> None:
    rows = [[-1, 0, 0, 0, 2, 2, 1], [-1, 1, 1, -1, 2, 0, 0]]
    counts = LabelCounts.of(Split(np.zeros((2, 7, 1), np.float32), np.array([7, 7]), np.array(rows), "end"), 3)
    assert counts.frames.tolist() == [5, 3, 3] and counts.stays.tolist() == [3, 1, 1]
    assert counts.changes.tolist() == [[0, 0, 1], [0, 0, 0], [1, 1, 0]] and counts.entered.tolist() == [1, 1, 1]
    assert counts.delay == 1
    assert counts.minimum == 2  # the only whole phone is that of two frames in the first row
    for logarithms in (counts.log_prior(), counts.log_start(), *counts.log_changes()):
        assert np.exp(logarithms).sum() == pytest.approx(1)
    assert (np.diag(counts.log_changes()) == -np.inf).all()
    with pytest.raises(FormatError, match=r"^a decoder is fitted on labels of frames, but no frame has a label$"):
        LabelCounts.of(Split(np.zeros((2, 7, 1), np.float32), np.array([7, 7]), np.array([1, 2])), 3)


def test_shares_and_durations_are_those_of_the_labels_wherever_they_are_cut() -> None:
    labels = spoken(60, 1)
    whole = LabelCounts.of(split_of(labels), PHONES)
    pieces = [part[start : start + 40] for part in labels for start in range(0, len(part) - 39, 40)]
    cut = LabelCounts.of(split_of(pieces), PHONES)
    for counts in (whole, cut):
        assert counts.minimum == 3 and counts.delay == 2
        assert counts.minimum - 1 + 1 / (1 - counts.stay_shares()) == pytest.approx(6, rel=0.15)
        assert np.exp(counts.log_changes()[0]) == pytest.approx([0, 0.8, 0.2, 0], abs=0.06)


def test_short_phones_lower_the_fewest_frames() -> None:
    assert [LabelCounts.of(split_of(spoken(20, 2, least)), PHONES).minimum for least in (1, 2, 3, 4)] == [1, 2, 3, 3]


def test_scores_are_logarithms_and_impossible_is_finite() -> None:
    counts = LabelCounts.of(split_of(spoken(20, 3)), PHONES)
    decoder = decoder_of(counts, Settings(acoustic=0.5, insertion=1.0, prior=1.0))
    stay = counts.stay_shares()
    assert decoder.multiplier == UNIT // 2 and decoder.stay == np.rint(np.log(stay) * UNIT).tolist()
    assert decoder.prior == np.rint(0.5 * counts.log_prior() * UNIT).tolist()
    expected = (np.log(1 - stay[0]) + counts.log_changes()[0, 1] - 1) * UNIT
    assert decoder.change[0][1] == round(expected) and decoder.change[1][1] == FORBIDDEN


def test_a_tuned_decoder_makes_fewer_errors_on_utterances_that_it_never_saw() -> None:
    train, validation, test = (split_of(spoken(count, seed)) for count, seed in ((60, 4), (12, 5), (12, 6)))
    counts = LabelCounts.of(train, PHONES)
    decoder = tuned(counts, log_outputs(noisy(validation, 7)), validation)
    assert decoder == tuned(counts, log_outputs(noisy(validation, 7)), validation)
    probabilities = noisy(test, 8)
    errors, phones = error_of(decoder, probabilities, test)
    greedy = phone_errors(probabilities.argmax(axis=-1), test.labels)[0]
    assert sum(errors) / sum(phones) < 0.25 < 1 < sum(greedy) / sum(phones)
    found = decoder.chosen
    errors = error_of(decoder, noisy(validation, 7), validation)[0]
    assert found["validation_errors"] == sum(errors) and found["validation_utterances"] == 12


class _Network:
    """Stands for a Keras model that gives noisy probabilities for the validation split."""

    layers = ()

    def __init__(self, probabilities: npt.NDArray[np.float32]) -> None:
        self.probabilities = probabilities

    def predict(self, inputs: Any, batch_size: int, verbose: int) -> Any:
        assert len(inputs) >= len(self.probabilities) and batch_size and not verbose
        return self.probabilities


def test_fitting_does_not_read_the_test_split() -> None:
    train, validation = split_of(spoken(30, 9)), split_of(spoken(6, 10))
    data = Dataset("x", train, validation, train, tuple("abcd"))
    object.__setattr__(data, "test", None)
    probabilities = noisy(validation, 11)
    assert fitted(_Network(probabilities), data) == tuned(
        LabelCounts.of(train, PHONES), log_outputs(probabilities), validation
    )
    silent = Split(validation.inputs, validation.lengths, np.full_like(validation.labels, NO_LABEL), "end")
    with pytest.raises(FormatError, match=r"^x: no frame of the validation split has a label; a decoder is tuned on"):
        fitted(_Network(probabilities), Dataset("x", train, silent, train, tuple("abcd")))


@pytest.mark.network
def test_the_published_speech_has_phones_of_three_frames_and_a_delay_of_five() -> None:
    data = festvox_ru.load()
    counts = LabelCounts.of(data.train, len(data.classes))
    assert (counts.minimum, counts.delay) == (3, festvox_ru.DELAY) and (counts.entered > 0).all()
