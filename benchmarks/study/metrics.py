# SPDX-License-Identifier: Apache-2.0
"""Metrics of cells by seed, their spread, and goals judged by them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import sqrt
from statistics import mean, stdev

from benchmarks.study.cell import StudyCell
from benchmarks.study.store import Record

Results = Mapping[StudyCell, Record]
Values = Mapping[int, float]
"""Values by seed."""


@dataclass(frozen=True)
class Goal:
    """A goal of the study.

    Attributes:
        text: the goal.
        found: the value found, with its unit.
        holds: whether the goal is met; None if a result is missing.
    """

    text: str
    found: str
    holds: bool | None

    @property
    def verdict(self) -> str:
        """The word of the page: "yes", "no" or "not run"."""
        return {True: "yes", False: "no", None: "not run"}[self.holds]


class CellMetrics:
    """Metrics of cells by seed; cells without a result are left out."""

    def __init__(self, found: Results) -> None:
        self._found = found

    def of(self, cells: Iterable[StudyCell], metric: str) -> Values:
        """A metric on the test split, in percent."""
        return {seed: 100 * value for seed, value in self.part(cells, "metrics", metric).items()}

    def load(self, cells: Iterable[StudyCell], name: str, factor: float = 1.0) -> Values:
        """A load figure of the whole network.

        Args:
            cells: cells of different seeds.
            name: name of the figure.
            factor: multiplies the figure, for example 100 for percent.
        """
        return {seed: factor * value for seed, value in self.part(cells, "load", name).items()}

    def part(self, cells: Iterable[StudyCell], group: str, name: str) -> Values:
        """A figure of the records.

        Args:
            cells: cells of different seeds.
            group: group of the record, such as "metrics" or "storage".
            name: name of the figure in the group.
        """
        records = {cell.seed: self._found[cell][group] for cell in cells if cell in self._found}
        return {seed: values[name] for seed, values in records.items() if name in values}

    def error(self, base: Iterable[StudyCell], other: Iterable[StudyCell], counts: str = "errors") -> float | None:
        """Standard error of the difference of two phone error rates over the utterances of the test split, in points.

        The rate is a ratio of sums, whose error is that of its linear part; each utterance is compared with itself.
        The result is None if there are several seeds, whose spread says more, if there are no counts by utterance, or
        if both are the same cells.

        Args:
            base: cells of one network.
            other: cells of the other.
            counts: name of the counts by utterance: "errors", or "viterbi_errors" for those of the decoder.
        """
        if base is other:
            return None
        pair = [[self._found[cell].get("samples") for cell in cells if cell in self._found] for cells in (base, other)]
        if [len(part) for part in pair] != [1, 1] or not pair[0][0] or not pair[1][0]:
            return None
        phones = pair[0][0]["phones"]
        more = [second - first for first, second in zip(pair[0][0][counts], pair[1][0][counts], strict=True)]
        rate = sum(more) / sum(phones)
        rest: float = sum((extra - rate * count) ** 2 for extra, count in zip(more, phones, strict=True))
        return float(100 * sqrt(rest * len(more) / max(1, len(more) - 1)) / sum(phones))


def spread(values: Values, digits: int = 2, error: float | None = None) -> str:
    """Mean and standard deviation as text; for one seed, the given error stands for the deviation.

    Args:
        values: values by seed.
        digits: digits after the point.
        error: standard error if there is one seed; None for none.

    >>> spread({0: 1.0, 1: 2.0}), spread({0: 3.14159}), spread({}), spread({0: 1.0}, error=0.25)
    ('1.50 ± 0.71', '3.14', '', '1.00 ± 0.25')
    """
    if not values:
        return ""
    width = stdev(values.values()) if len(values) > 1 else error
    return f"{mean(values.values()):.{digits}f}" + ("" if width is None else f" ± {width:.{digits}f}")


def limited(
    text: str, values: Values, limit: float, unit: str = " points", most: bool = True, error: float | None = None
) -> Goal:
    """A goal that the mean of values is at most a limit, or at least the limit.

    Args:
        text: the goal.
        values: values by seed.
        limit: the limit.
        unit: unit of the value found, with a space if needed.
        most: whether the limit is the largest value allowed, otherwise the smallest.
        error: standard error if there is one seed; None for none.
    """
    if not values:
        return Goal(text, "", None)
    value = mean(values.values())
    return Goal(text, f"{spread(values, error=error)}{unit}", value <= limit if most else value >= limit)


def losses(base: Values, other: Values, lower: bool) -> Values:
    """Amount by which `other` is worse than `base`, by seed, for the seeds that both have.

    Args:
        base: values by seed.
        other: values by seed.
        lower: whether lower values are better.

    >>> losses({0: 90.0, 1: 91.0}, {0: 89.5}, lower=False), losses({0: 20.0}, {0: 19.0}, lower=True)
    ({0: 0.5}, {0: -1.0})
    """
    sign = 1 if lower else -1
    return {seed: sign * (other[seed] - value) for seed, value in base.items() if seed in other}
