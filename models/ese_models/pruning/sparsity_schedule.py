"""How density falls while a network trains: from a start to a target, in rounds of pruning and retraining."""

from __future__ import annotations

from typing import Literal, get_args

from ese_host.errors import UnsupportedError

Schedule = Literal["cubic", "geometric"]
SCHEDULES: tuple[Schedule, ...] = get_args(Schedule)


def cubic_density(done: float, target: float, finished: float = 1.0, start: float = 1.0) -> float:
    """Density when a share `done` of the steps is done: from `start` to `target` at `finished`, steep at first.

    Zhu and Gupta, 1710.01878, equation 1, for densities.

    >>> cubic_density(0.0, 0.1, 0.5), round(cubic_density(0.25, 0.1, 0.5), 4), cubic_density(0.7, 0.1, 0.5)
    (1.0, 0.2125, 0.1)
    """
    rest = 1 - min(1.0, done / finished)
    return target + (start - target) * rest**3


def geometric_density(done: float, target: float, finished: float = 1.0, start: float = 1.0) -> float:
    """As `cubic_density`, but every round of pruning keeps the same share of what is left (Han et al., NIPS'15).

    >>> [round(geometric_density(done, 0.04, 0.5), 4) for done in (0.0, 0.25, 0.5, 1.0)]
    [1.0, 0.2, 0.04, 0.04]
    """
    return float(start * (target / start) ** min(1.0, done / finished))


def round_of(done: float, finished: float, rounds: int) -> int:
    """Round of pruning that is due, 0 (the start) to `rounds` (the target), when a share `done` of the steps is done.

    >>> [round_of(done, 0.5, 4) for done in (0.0, 0.2, 0.5, 0.9)]
    [0, 1, 4, 4]
    """
    return min(rounds, int(done / finished * rounds))


def density_of_round(schedule: Schedule, number: int, rounds: int, target: float, start: float = 1.0) -> float:
    """Density after round `number` of `rounds`, which began at `start`.

    Raises:
        UnsupportedError: there is no such schedule.
    """
    if schedule == "cubic":
        return cubic_density(number / rounds, target, start=start)
    if schedule == "geometric":
        return geometric_density(number / rounds, target, start=start)
    raise UnsupportedError(f"schedule is {schedule!r}; allowed: {', '.join(SCHEDULES)}")
