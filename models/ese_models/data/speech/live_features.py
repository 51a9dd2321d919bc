# SPDX-License-Identifier: Apache-2.0
"""Speech features of samples that come one block after the other, for `ese4ml live --microphone`."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ese_models.data.speech.features import Features, Floats, log_mel, with_differences


class LiveFeatures:
    """Features of a recording that is still going on, the same as those of the whole recording.

    A frame is given once the frames that its differences reach to are there: four frames, 40 ms, later.

    Args:
        features: parameters of the analysis; those of the task festvox-ru by default.
    """

    def __init__(self, features: Features = Features()) -> None:  # noqa: B008 - frozen
        self._features = features
        self._samples = np.zeros(0, np.int16)  # from the frame after the last one analysed, and one sample before it
        self._begun = False
        self._static = np.zeros((0, features.filters + 1), np.float32)
        self._given = 0  # frames of `_static` that have been given with their differences

    @property
    def rate(self) -> int:
        """Samples per second."""
        return self._features.rate

    @property
    def width(self) -> int:
        """Features per frame."""
        return self._features.width

    def feed(self, samples: npt.NDArray[np.int16], last: bool = False) -> Floats:
        """Take more samples, and return the frames that are complete now.

        Args:
            samples: (samples,) of one channel, 16 bits each.
            last: whether no more will come, so that the frames at the end are given too.

        Returns:
            (frames, width) features.
        """
        self._analyse(samples)
        reach = 2 * self._features.reach
        done = len(self._static) - (0 if last else reach)
        if done <= self._given:
            return np.zeros((0, self.width), np.float32)
        found: Floats = with_differences(self._static, self._features.reach)[self._given : done]
        # Second differences reach twice as far; before that, the first frame is repeated only at the real beginning.
        drop = max(0, done - 2 * reach)
        self._static, self._given = self._static[drop:], done - drop
        return found

    def _analyse(self, samples: npt.NDArray[np.int16]) -> None:
        """Append the static features of the frames that the samples complete."""
        step, size = self._features.step, self._features.samples
        before = int(self._begun)
        held = np.concatenate([self._samples, samples])
        count = (len(held) - before - size) // step + 1
        if count < 1:
            self._samples = held
            return
        used = held[: before + (count - 1) * step + size]
        if before:
            # The pre-emphasis needs the sample before the frame; the analysis then begins a hop early, and its first
            # frame is left out.
            used = np.concatenate([np.zeros(step - 1, np.int16), used])
        frames = log_mel(used, self._features)[before:]
        self._static = np.concatenate([self._static, frames])
        self._samples, self._begun = held[before + count * step - 1 :], True
