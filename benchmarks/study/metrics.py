# SPDX-License-Identifier: Apache-2.0
"""Metrics of cells by seed, their confidence intervals, and goals judged by these."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import mean, stdev
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.stats import t as student

from benchmarks.study.cell import StudyCell
from benchmarks.study.store import Record
from ese_host.decoding import standard_error

Results = Mapping[StudyCell, Record]
Values = Mapping[int, float]
"""Values by seed."""
Counts = tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]
"""Errors, and phones, of each test utterance."""
Verdict = Literal["yes", "no", "undecided", "not run"]
RECORDED_UTTERANCES = 62
"""Test utterances of the cells whose errors over utterances were recorded, and their counts were not."""


ERRORS = {"phone_error_rate": "errors", "viterbi_phone_error_rate": "viterbi_errors"}
"""Counts of errors of each utterance, in a record's "samples", by the name of the rate that they make."""
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Estimate:
    """A figure, and how sure it is.

    Attributes:
        value: mean over seeds.
        error: its standard error; None if there is neither a second seed nor a count by utterance.
        freedom: degrees of freedom of the error (Welch and Satterthwaite's for a sum of two).
    """

    value: float
    error: float | None = None
    freedom: float = 1.0

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95% confidence interval (Student's), or None if the error is not known."""
        if self.error is None:
            return None
        width = float(student.ppf(0.5 + CONFIDENCE / 2, self.freedom)) * self.error
        return self.value - width, self.value + width

    @classmethod
    def of(cls, value: float, parts: Iterable[tuple[float, float]]) -> Estimate:
        """An estimate whose error is made of independent ones.

        Args:
            value: the figure.
            parts: standard error and degrees of freedom of each.
        """
        listed = list(parts)
        if not listed:
            return cls(value)
        total = sum(error**2 for error, _ in listed)
        weighed = sum(error**4 / freedom for error, freedom in listed)
        return cls(value, sqrt(total), total**2 / weighed if weighed else listed[0][1])

    def text(self, unit: str) -> str:
        """The figure with its interval and unit.

        >>> Estimate(1.5, 0.5, 100).text(" points"), Estimate(24.1).text("%")
        ('1.50 (0.51 to 2.49) points', '24.10%')
        """
        if self.interval is None:
            return f"{self.value:.2f}{unit}"
        return f"{self.value:.2f} ({self.interval[0]:.2f} to {self.interval[1]:.2f}){unit}"


@dataclass(frozen=True)
class Goal:
    """A goal of the study.

    Attributes:
        text: the goal.
        found: the value found, with its unit.
        verdict: "yes" or "no"; "undecided" if the 95% interval holds the goal's limit, or if there is no interval; "not
            run" if a result is missing.
    """

    text: str
    found: str
    verdict: Verdict


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

    def figure(self, cells: Sequence[StudyCell], group: str, name: str) -> Estimate | None:
        """A figure of the records, whose error is that of the spread over seeds; None without a result.

        Args:
            cells: cells of different seeds.
            group: group of the record.
            name: name of the figure in the group.
        """
        return self._estimate(self.part(cells, group, name), [])

    def level(self, cells: Sequence[StudyCell], metric: str) -> Estimate | None:
        """A metric on the test split, in percent; None without a result.

        Args:
            cells: cells of different seeds.
            metric: name of the metric.
        """
        values = self.of(cells, metric)
        counts = [self._counts(cell, metric) for cell in cells if cell.seed in values]
        return self._estimate(values, counts)

    def loss(self, base: Sequence[StudyCell], other: Sequence[StudyCell], metric: str, lower: bool) -> Estimate | None:
        """Amount by which a metric of some cells is worse than that of others, in points; None without two results.

        Each seed is compared with itself, and so is each utterance.

        Args:
            base: cells of different seeds.
            other: cells of different seeds.
            metric: name of the metric.
            lower: whether lower values are better.
        """
        values = losses(self.of(base, metric), self.of(other, metric), lower)
        firsts, seconds = ({cell.seed: cell for cell in cells} for cells in (base, other))
        counts: list[Counts | None] = []
        for seed in values:
            first, second = self._counts(firsts[seed], metric), self._counts(seconds[seed], metric)
            same = first is not None and second is not None and np.array_equal(first[1], second[1])
            counts.append((second[0] - first[0], first[1]) if same and first and second else None)
        known = [self._recorded(firsts[seed], seconds[seed], metric) for seed in values]
        return self._estimate(values, counts, known[0] if len(known) == 1 else None)

    def _recorded(self, first: StudyCell, second: StudyCell, metric: str) -> float | None:
        """Standard error over utterances of the difference of two cells, if it was recorded in place of the counts."""
        for one, other in ((first, second), (second, first)):
            errors: dict[str, float] = self._found[one].get("paired_errors", {}).get(metric, {})
            if other.key in errors:
                return errors[other.key]
        return None

    def _counts(self, cell: StudyCell, metric: str) -> Counts | None:
        """Errors and phones of each test utterance of a cell, or None if they were not kept."""
        samples = self._found[cell].get("samples") or {}
        name = ERRORS.get(metric, "")
        return (np.array(samples[name], float), np.array(samples["phones"], float)) if name in samples else None

    @staticmethod
    def _estimate(values: Values, counts: Sequence[Counts | None], known: float | None = None) -> Estimate | None:
        """The mean of values by seed with its error, which has two independent parts.

        One is that of the test utterances, the `standard_error` of a rate. The counts are means over seeds, as all
        seeds have the same utterances. The other part is the spread over seeds, if there are several. The spread holds
        some of the first part too, so that the error is rather too large than too small.

        Args:
            values: values by seed, in percent or points.
            counts: for each seed errors and phones of each utterance.
            known: error over utterances that was recorded, if there are no counts.
        """
        if not values:
            return None
        parts = []
        given = [item for item in counts if item is not None]
        if given and len(given) == len(values):
            phones = given[0][1]
            errors = np.mean([item[0] for item in given], axis=0)
            parts.append((100 * (standard_error(errors, phones) or 0.0), max(1, len(phones) - 1)))
        elif known is not None:
            parts.append((known, RECORDED_UTTERANCES - 1))
        if len(values) > 1:
            parts.append((stdev(values.values()) / sqrt(len(values)), len(values) - 1))
        return Estimate.of(mean(values.values()), parts)


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


def judged(text: str, found: Estimate | None, limit: float, unit: str = " points", most: bool = True) -> Goal:
    """A goal that a figure is at most a limit, or at least the limit, decided by the figure's 95% interval.

    Args:
        text: the goal.
        found: the figure; None if a result is missing.
        limit: the limit.
        unit: unit of the figure, with a space if needed.
        most: whether the limit is the largest value allowed, otherwise the smallest.
    """
    if found is None:
        return Goal(text, "", "not run")
    if found.interval is None:
        return Goal(text, found.text(unit), "undecided")
    low, high = found.interval
    met, missed = (high <= limit, low > limit) if most else (low >= limit, high < limit)
    return Goal(text, found.text(unit), "yes" if met else "no" if missed else "undecided")


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
