# SPDX-License-Identifier: Apache-2.0
"""Deadlines of waits."""

from __future__ import annotations

import time
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Deadline:
    """The moment at which a wait ends.

    Attributes:
        seconds: time allowed, counted from when this object was made.
        end: the moment, by the clock of `time.monotonic`.
    """

    seconds: float
    end: float = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "end", time.monotonic() + self.seconds)

    @property
    def left(self) -> float:
        """Seconds left; zero or less once the deadline has passed."""
        return self.end - time.monotonic()
