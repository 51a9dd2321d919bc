# SPDX-License-Identifier: Apache-2.0
"""Accuracy by class: which class the engine tells for the samples of each label, and how sure an accuracy is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

Z_95 = 1.959964
"""Standard deviations of a normal distribution on either side of its mean that hold 95% of it."""


@dataclass
class Confusion:
    """Numbers of samples by label and class. Only pairs that occur take memory, whatever numbers a test set holds.

    Attributes:
        names: names of the classes by their numbers; None if they have none.
        samples: {(label, class that the engine tells): number of samples}.
    """

    names: Sequence[str] | None = None
    samples: Counter[tuple[int, int]] = field(default_factory=Counter)

    def add(self, labels: npt.NDArray[np.int64], classes: npt.NDArray[np.int64]) -> None:
        """Add samples.

        Args:
            labels: (N,) labels.
            classes: (N,) classes that the engine tells.
        """
        pairs, counts = np.unique(np.stack([labels, classes], axis=1), axis=0, return_counts=True)
        for (label, told), count in zip(pairs.tolist(), counts.tolist(), strict=True):
            self.samples[label, told] += count

    def to_json(self) -> list[dict[str, Any]]:
        """For each class that occurs: its samples, how many are right, and {number of a class: those taken for it}."""
        rows: dict[int, dict[str, Any]] = {
            number: {"class": number, "name": self._name(number), "samples": 0, "right": 0, "taken_for": {}}
            for number in sorted({number for pair in self.samples for number in pair})
        }
        for (label, told), count in sorted(self.samples.items()):
            rows[label]["samples"] += count
            if told == label:
                rows[label]["right"] = count
            else:
                rows[label]["taken_for"][str(told)] = count
        return list(rows.values())

    def _name(self, number: int) -> str:
        """Name of a class, or its number if it has no name."""
        names = self.names or ()
        return names[number] if 0 <= number < len(names) else str(number)


def interval(right: int, samples: int) -> list[float]:
    """Lower and upper end of the 95% confidence interval (Wilson's) of an accuracy.

    Args:
        right: samples whose class is right.
        samples: number of samples, one at least.

    >>> [round(end, 4) for end in interval(362, 370)]
    [0.9579, 0.989]
    """
    share, spread = right / samples, Z_95**2 / samples
    middle, half = share + spread / 2, Z_95 * (share * (1 - share) / samples + spread / (4 * samples)) ** 0.5
    low, high = (middle - half) / (1 + spread), (middle + half) / (1 + spread)
    return [min(max(0.0, low), share), max(min(1.0, high), share)]  # rounding could leave 0, 1 or the share outside
