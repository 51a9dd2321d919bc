# SPDX-License-Identifier: Apache-2.0
"""The Viterbi algorithm for phones of a least duration, in integers, for many utterances at once.

A phone is a row of as many states as it has frames at least. Its first states pass on after one frame; the last may
stay. A path's score is the sum of its scores of frames, of its first phone's `start`, of `stay` for every frame after
the first in a last state, and of `change` for every change of the phone. Sums of integers are exact, so that every
machine finds the same path.

Several paths may have the largest score. Then, read from the last frame to the first, the path ends in the phone of
the lowest number, rather stays in a last state than enters it, and comes from the phone of the lowest number.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Scores = npt.NDArray[np.int64]
NEVER = -(1 << 62)
"""Score of a state in which no path can be yet; what is added to it before a path gets there does not wrap."""


@dataclass(frozen=True, eq=False)
class Lattice:
    """Where the best path to each phone comes from.

    Attributes:
        stayed: (utterances, steps, phones) whether the best path to a phone's last state was in this state before.
        came_from: (utterances, steps, phones) phone before, on the best path that enters a phone.
        end: (utterances,) phone in which the best path ends.
    """

    stayed: npt.NDArray[np.bool_]
    came_from: npt.NDArray[np.int16]
    end: npt.NDArray[np.int64]


def search(
    scores: Scores, lengths: npt.NDArray[np.int64], start: Scores, stay: Scores, change: Scores, minimum: int
) -> Lattice:
    """Find the best path to every phone at every frame.

    Args:
        scores: (utterances, steps, phones) score of each phone in each frame.
        lengths: (utterances,) frames of each utterance, at least `minimum`.
        start: (phones,) score of a first phone.
        stay: (phones,) score of staying in a phone's last state.
        change: (phones, phones) score of a change, from the phone of a row to that of a column.
        minimum: number of states of a phone.
    """
    count, steps, phones = scores.shape
    stayed = np.zeros(scores.shape, np.bool_)
    came_from = np.zeros(scores.shape, np.int16)
    end = np.zeros(count, np.int64)
    into = np.ascontiguousarray(change.T)
    rows, columns = np.arange(count)[:, None], np.arange(phones)
    # passing[k] are the scores of the states in which a phone has k + 1 frames; last those of the last states.
    passing = [np.full((count, phones), NEVER, np.int64) for _ in range(minimum - 1)]
    last = np.full((count, phones), NEVER, np.int64)
    for step in range(steps):
        if step:
            entering = last[:, None, :] + into
            came_from[:, step] = before = entering.argmax(axis=2)
            entered = entering[rows, columns, before]
        else:
            entered = np.broadcast_to(start, (count, phones))
        passing.insert(0, entered)
        entered, staying = passing.pop(), last + stay
        stayed[:, step] = staying >= entered if step else False
        last = np.maximum(staying, entered) if step else entered.copy()
        last += scores[:, step]
        passing = [state + scores[:, step] for state in passing]
        ending = lengths == step + 1
        if ending.any():
            end[ending] = last[ending].argmax(axis=1)
    return Lattice(stayed, came_from, end)


def path_of(lattice: Lattice, utterance: int, length: int, minimum: int) -> list[int]:
    """The phone of each frame on the best path of an utterance.

    Args:
        lattice: of all utterances.
        utterance: number of the utterance in it.
        length: its frames.
        minimum: number of states of a phone.
    """
    stayed, came_from = lattice.stayed[utterance], lattice.came_from[utterance]
    path = [0] * length
    phone, stop = int(lattice.end[utterance]), length
    while stop:
        last = stop - 1
        while stayed[last, phone]:
            last -= 1
        begin = last - minimum + 1
        path[begin:stop] = [phone] * (stop - begin)
        phone, stop = int(came_from[begin, phone]), begin
    return path
