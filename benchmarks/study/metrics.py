"""CellMetrics of cells by seed, their spread, and goals that are judged by them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import sqrt
from statistics import mean, stdev

from benchmarks.study.cell import StudyCell
from benchmarks.study.store import Record

Results = Mapping[StudyCell, Record]
Values = Mapping[int, float]
"""Seed -> value."""


@dataclass(frozen=True)
class Goal:
    """What was hoped for: its text, what was found, and whether it holds; None where a result is missing."""

    text: str
    found: str
    holds: bool | None

    @property
    def verdict(self) -> str:
        """Yes, no, or not run."""
        return {True: "yes", False: "no", None: "not run"}[self.holds]


class CellMetrics:
    """CellMetrics of cells, by seed; those without a result are left out."""

    def __init__(self, found: Results) -> None:
        self._found = found

    def of(self, cells: Iterable[StudyCell], metric: str) -> Values:
        """A metric on the test split, in percent."""
        return {seed: 100 * value for seed, value in self.part(cells, "metrics", metric).items()}

    def load(self, cells: Iterable[StudyCell], name: str, factor: float = 1.0) -> Values:
        """A load figure of the whole network, times a factor."""
        return {seed: factor * value for seed, value in self.part(cells, "load", name).items()}

    def part(self, cells: Iterable[StudyCell], group: str, name: str) -> Values:
        """A figure of a part of the records, as it stands there."""
        records = {cell.seed: self._found[cell][group] for cell in cells if cell in self._found}
        return {seed: values[name] for seed, values in records.items() if name in values}

    def error(self, base: Iterable[StudyCell], other: Iterable[StudyCell]) -> float | None:
        """Standard error of the difference of two phone error rates over the utterances of the test split, in points.

        Of a ratio of sums, by its linear part; each utterance is compared with itself. None where there are several
        seeds, which tell more, or no counts by utterance, and of cells against themselves.
        """
        if base is other:
            return None
        pair = [[self._found[cell].get("samples") for cell in cells if cell in self._found] for cells in (base, other)]
        if [len(part) for part in pair] != [1, 1] or not pair[0][0] or not pair[1][0]:
            return None
        phones = pair[0][0]["phones"]
        more = [second - first for first, second in zip(pair[0][0]["errors"], pair[1][0]["errors"], strict=True)]
        rate = sum(more) / sum(phones)
        rest: float = sum((extra - rate * count) ** 2 for extra, count in zip(more, phones, strict=True))
        return float(100 * sqrt(rest * len(more) / max(1, len(more) - 1)) / sum(phones))


def spread(values: Values, digits: int = 2, error: float | None = None) -> str:
    """Mean, and standard deviation where there are several seeds; for one seed the error that is given.

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
    """A goal that a mean is at most a limit, or at least one."""
    if not values:
        return Goal(text, "", None)
    found = mean(values.values())
    return Goal(text, f"{spread(values, error=error)}{unit}", found <= limit if most else found >= limit)


def losses(base: Values, other: Values, lower: bool) -> Values:
    """What `other` is worse by, for the seeds that both have.

    >>> losses({0: 90.0, 1: 91.0}, {0: 89.5}, lower=False), losses({0: 20.0}, {0: 19.0}, lower=True)
    ({0: 0.5}, {0: -1.0})
    """
    sign = 1 if lower else -1
    return {seed: sign * (other[seed] - value) for seed, value in base.items() if seed in other}
