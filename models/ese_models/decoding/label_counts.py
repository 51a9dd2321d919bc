# SPDX-License-Identifier: Apache-2.0
"""Counts of the labels of training frames: how often and how long each phone occurs, and which follow which."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from ese_host.errors import FormatError
from ese_models.data import NO_LABEL, Split

MINIMUM = 3
"""Most states of a phone. Of 53,821 labelled phones of festvox-ru, none is shorter than three frames."""
SHORTER = 0.01
"""Largest share of whole phones that may be shorter than the fewest frames of a phone."""
SMOOTHING = 5.0
"""Changes that are added to those counted of each phone, in the proportions of all phones."""
BRIEFEST = 1.05
"""Fewest frames that a phone is in its last state on the mean; it may always stay there."""
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class LabelCounts:
    """Counts of labels. Labels of training chunks are enough: nothing depends on where an utterance begins or ends.

    Attributes:
        frames: (phones,) frames of each phone.
        entered: (phones,) changes to each phone from another one.
        changes: (phones, phones) changes from each phone to each other one.
        stays: (phones,) pairs of frames, one after the other, in which the phone stays the same.
        minimum: fewest frames of a phone.
        delay: frames at the beginning of every sequence that have no label.
    """

    frames: Floats
    entered: Floats
    changes: Floats
    stays: Floats
    minimum: int
    delay: int

    @classmethod
    def of(cls, split: Split, phones: int) -> LabelCounts:
        """Count the labels of a split.

        Args:
            split: with a label for each frame.
            phones: number of phones.

        Raises:
            FormatError: if the labels are not those of frames, or there are none.
        """
        if not split.framewise or not (split.labels != NO_LABEL).any():
            raise FormatError("a decoder is fitted on labels of frames, but no frame has a label")
        before, after = split.labels[:, :-1], split.labels[:, 1:]
        known = (before != NO_LABEL) & (after != NO_LABEL)
        pairs = np.zeros((phones, phones))
        np.add.at(pairs, (before[known], after[known]), 1)
        stays = np.diag(pairs).copy()
        changes = pairs - np.diag(stays)
        frames = np.bincount(split.labels[split.labels != NO_LABEL], minlength=phones).astype(np.float64)
        labelled = split.labels != NO_LABEL
        first = np.where(labelled.any(axis=1), labelled.argmax(axis=1), labelled.shape[1])
        return cls(frames, changes.sum(axis=0), changes, stays, _minimum(split.labels), int(first.min()))

    def log_prior(self) -> Floats:
        """(phones,) logarithm of each phone's share of the frames."""
        return _log_shares(self.frames + 1)

    def log_start(self) -> Floats:
        """(phones,) logarithm of each phone's share of all phones."""
        return _log_shares(self.entered + 1)

    def log_changes(self) -> Floats:
        """(phones, phones) logarithm of the share of each phone among those that follow another; -inf on the diagonal.

        The shares are smoothed by those of all phones: a phone that was seen `SMOOTHING` times has equal parts of both.
        """
        others = np.tile(self.entered + 1, (len(self.entered), 1)) * (1 - np.eye(len(self.entered)))
        others /= np.maximum(others.sum(axis=1, keepdims=True), 1)
        return _log_shares(self.changes + SMOOTHING * others)

    def stay_shares(self) -> Floats:
        """(phones,) probability of staying in a phone's last state, so that its mean duration is that of the labels.

        The mean is the number of pairs of frames that begin in the phone over that of changes from it, which does not
        depend on where sequences are cut. One that is rare gets the mean of all.
        """
        leaves = self.changes.sum(axis=1)
        overall = (self.stays.sum() + leaves.sum()) / max(1.0, leaves.sum())
        mean = (self.stays + leaves + SMOOTHING * overall) / (leaves + SMOOTHING)
        shares: Floats = 1 - 1 / np.maximum(mean - (self.minimum - 1), BRIEFEST)
        return shares


def _log_shares(counts: Floats) -> Floats:
    """Logarithms of the shares of counts in their sum over the last axis; -inf for none."""
    with np.errstate(divide="ignore"):
        shares: Floats = np.log(counts / np.maximum(counts.sum(axis=-1, keepdims=True), 1))
    return shares


def _minimum(labels: npt.NDArray[np.int64]) -> int:
    """The most frames, up to `MINIMUM`, than which at most the share `SHORTER` of whole phones is shorter."""
    whole = []
    for row in labels:
        edges = np.flatnonzero(np.diff(row)) + 1
        whole += [
            end - begin
            for begin, end in pairwise(edges)
            if row[begin] != NO_LABEL and row[begin - 1] != NO_LABEL and row[end] != NO_LABEL
        ]
    durations = np.array(whole, np.int64)
    allowed = [count for count in range(1, MINIMUM + 1) if (durations < count).sum() <= SHORTER * len(durations)]
    return allowed[-1]
