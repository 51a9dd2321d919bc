# SPDX-License-Identifier: Apache-2.0
"""Schedules by which the density falls during training, from a start to a target, in rounds of pruning."""

from __future__ import annotations

from typing import Literal, get_args

from ese_host.errors import UnsupportedError

Schedule = Literal["cubic", "geometric"]
SCHEDULES: tuple[Schedule, ...] = get_args(Schedule)


def cubic_density(done: float, target: float, finished: float = 1.0, start: float = 1.0) -> float:
    """Density that falls from `start` to `target` as a cubic, fast at first (Zhu and Gupta, 1710.01878, equation 1).

    The paper gives the equation for the sparsity, which is one minus the density.

    Args:
        done: share of the training steps done, 0 to 1.
        target: density at the end.
        finished: share of the steps at which the target is reached.
        start: density at the beginning.

    >>> cubic_density(0.0, 0.1, 0.5), round(cubic_density(0.25, 0.1, 0.5), 4), cubic_density(0.7, 0.1, 0.5)
    (1.0, 0.2125, 0.1)
    """
    rest = 1 - min(1.0, done / finished)
    return target + (start - target) * rest**3


def geometric_density(done: float, target: float, finished: float = 1.0, start: float = 1.0) -> float:
    """Density that falls from `start` to `target` by equal factors: each round keeps the same share of what is left.

    This is iterative pruning (Han et al., NIPS'15) with equal rounds.

    Args:
        done: share of the training steps done, 0 to 1.
        target: density at the end.
        finished: share of the steps at which the target is reached.
        start: density at the beginning.

    >>> [round(geometric_density(done, 0.04, 0.5), 4) for done in (0.0, 0.25, 0.5, 1.0)]
    [1.0, 0.2, 0.04, 0.04]
    """
    return float(start * (target / start) ** min(1.0, done / finished))


def round_of(done: float, finished: float, rounds: int) -> int:
    """Number of the pruning round that is due: 0 at the start, `rounds` once the target is reached.

    Args:
        done: share of the training steps done, 0 to 1.
        finished: share of the steps at which the last round is due.
        rounds: number of rounds.

    >>> [round_of(done, 0.5, 4) for done in (0.0, 0.2, 0.5, 0.9)]
    [0, 1, 4, 4]
    """
    return min(rounds, int(done / finished * rounds))


def density_of_round(schedule: Schedule, number: int, rounds: int, target: float, start: float = 1.0) -> float:
    """Density after a round of pruning.

    Args:
        schedule: "cubic" or "geometric".
        number: of the round, 0 (before the first) to `rounds`.
        rounds: number of rounds.
        target: density after the last round.
        start: density before the first round.

    Raises:
        UnsupportedError: if there is no such schedule.
    """
    if schedule == "cubic":
        return cubic_density(number / rounds, target, start=start)
    if schedule == "geometric":
        return geometric_density(number / rounds, target, start=start)
    raise UnsupportedError(f"schedule is {schedule!r}; allowed: {', '.join(SCHEDULES)}")
