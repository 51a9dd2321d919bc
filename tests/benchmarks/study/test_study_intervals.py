# SPDX-License-Identifier: Apache-2.0
"""Confidence intervals of the study: their errors by definition, and how often they hold the truth in simulations."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.study.cell import StudyCell
from benchmarks.study.metrics import CellMetrics, Estimate, Goal, judged

METRIC = "phone_error_rate"
BASES = [StudyCell("festvox-ru", "dense", 3, seed=seed) for seed in range(3)]
OTHERS = [cell.then("dense", 1) for cell in BASES]
UTTERANCES = 124
SIMULATED = 300


def by_utterance(errors: Any, phones: Any) -> dict[str, Any]:
    rate = float(np.sum(errors) / np.sum(phones))
    return {"metrics": {METRIC: rate}, "samples": {"errors": list(errors), "phones": list(phones)}}


def loss(firsts: Any, seconds: Any, phones: Any) -> Estimate:
    """The loss of some networks of one seed each, by errors of each utterance."""
    bases, others = BASES[: len(firsts)], OTHERS[: len(firsts)]
    found = {cell: by_utterance(errors, phones) for cell, errors in zip(bases, firsts, strict=True)}
    found |= {cell: by_utterance(errors, phones) for cell, errors in zip(others, seconds, strict=True)}
    estimate = CellMetrics(found).loss(bases, others, METRIC, lower=True)
    assert estimate is not None
    return estimate


@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30), st.integers(1, 40)), min_size=2, max_size=9),
    st.integers(2, 5),
)
def test_one_seed_has_an_error_over_utterances(rows: list[tuple[int, int, int]], times: int) -> None:
    one, two, phones = (list(column) for column in zip(*rows, strict=True))
    found = loss([one], [two], phones)
    rate = sum(np.subtract(two, one)) / sum(phones)
    rest = np.subtract(two, one) - rate * np.array(phones)
    assert found.value == pytest.approx(100 * rate)
    assert found.error == pytest.approx(100 * rest.std(ddof=1) * len(rows) ** 0.5 / sum(phones), abs=1e-9)
    # the same errors more: nothing differs from utterance to utterance; more phones and errors of each: nothing changes
    assert loss([one], [one], phones).error == 0
    longer = [[times * item for item in part] for part in (one, two, phones)]
    assert loss([longer[0]], [longer[1]], longer[2]).error == pytest.approx(found.error, abs=1e-9)


def test_what_is_known_decides_what_an_error_is_made_of() -> None:
    first, second = BASES[0], OTHERS[0]
    counted = {first: by_utterance([1, 2], [5, 5]), second: by_utterance([1, 3], [5, 5])}
    estimate = CellMetrics(counted).loss([first], [second], METRIC, lower=True)
    assert estimate is not None and estimate.freedom == 1
    assert [estimate.value, estimate.error] == pytest.approx([10.0, 10.0])
    bare = {cell: {"metrics": record["metrics"]} for cell, record in counted.items()}
    estimate = CellMetrics(bare).loss([first], [second], METRIC, lower=True)
    assert estimate is not None and estimate.error is None and estimate.interval is None
    for one, other in ((first, second), (second, first)):
        recorded = {**bare, one: {**bare[one], "paired_errors": {METRIC: {other.key: 0.5}}}}
        estimate = CellMetrics(recorded).loss([first], [second], METRIC, lower=True)
        assert estimate is not None and (estimate.error, estimate.freedom) == (0.5, 61)
    seeds = {cell: {"metrics": {METRIC: 0.2 + 0.01 * cell.seed * (cell in OTHERS)}} for cell in (*BASES, *OTHERS)}
    estimate = CellMetrics(seeds).loss(BASES, OTHERS, METRIC, lower=True)
    assert estimate is not None and estimate.value == pytest.approx(1.0)
    assert estimate.error == pytest.approx(1 / 3**0.5) and estimate.freedom == 2
    assert CellMetrics({}).loss(BASES, OTHERS, METRIC, lower=True) is None


def simulated(
    rng: np.random.Generator, seeds: int, gain: float, of_seeds: float
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Errors of a network and of a worse one by seed and utterance, and phones of each utterance.

    Utterances differ in length and difficulty, which both networks share; they also differ in how much is lost.

    Args:
        rng: source of random numbers.
        seeds: number of seeds.
        gain: mean difference of the error rates.
        of_seeds: standard deviation of the difference over seeds.
    """
    phones = rng.integers(20, 160, UTTERANCES)
    hard = rng.beta(8, 40, UTTERANCES)
    lost = rng.normal(gain, 0.03, UTTERANCES) + rng.normal(0, of_seeds, (seeds, 1))
    first = rng.binomial(phones, hard, (seeds, UTTERANCES))
    second = rng.binomial(phones, np.clip(hard + lost, 0, 1))
    return first, second, phones


@pytest.mark.parametrize(("seeds", "of_seeds", "most"), [(1, 0.0, 0.98), (3, 0.004, 0.995)])
def test_intervals_hold_the_truth_as_often_as_they_say(seeds: int, of_seeds: float, most: float) -> None:
    """Of several seeds the intervals are wider than they need to be, as the spread holds a part of the other error."""
    rng = np.random.default_rng(seeds)
    held = 0
    for _ in range(SIMULATED):
        first, second, phones = simulated(rng, seeds, 0.02, of_seeds)
        interval = loss(first, second, phones).interval
        assert interval is not None
        held += interval[0] <= 2.0 <= interval[1]
    assert 0.92 <= held / SIMULATED <= most


def test_verdicts_are_rarely_wrong_and_decide_what_is_far() -> None:
    rng = np.random.default_rng(7)

    def verdict(gain: float) -> str:
        goal: Goal = judged("at most 2 points", loss(*simulated(rng, 1, gain, 0.0)), 2.0)
        return goal.verdict

    at_limit = [verdict(0.02) for _ in range(SIMULATED)]
    assert at_limit.count("undecided") / SIMULATED >= 0.92
    assert max(at_limit.count(word) for word in ("yes", "no")) / SIMULATED <= 0.045
    assert {verdict(-0.01) for _ in range(20)} == {"yes"} and {verdict(0.05) for _ in range(20)} == {"no"}
