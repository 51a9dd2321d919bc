# SPDX-License-Identifier: Apache-2.0
"""Cases of the fuzzer: each is named by a mutator and a seed, from which it is made again exactly."""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass

import numpy as np

from ese_host.errors import FormatError


@dataclass(frozen=True, order=True)
class Case:
    """One case.

    Attributes:
        mutator: name of the mutator.
        seed: seed of the mutator's random numbers.
    """

    mutator: str
    seed: int

    def __str__(self) -> str:
        return f"{self.mutator}:{self.seed}"

    @classmethod
    def parse(cls, text: str) -> Case:
        """The case of a name such as "golden-fixed:17".

        Raises:
            FormatError: if the text is no such name.
        """
        found = re.fullmatch(r"([a-z0-9-]+):(\d{1,9})", text)
        if found is None:
            raise FormatError(f"a case is named {text!r}; expected a mutator and a seed, such as golden-fixed:17")
        return cls(found[1], int(found[2]))

    @property
    def rng(self) -> np.random.Generator:
        """Random numbers that belong to this case alone."""
        return np.random.default_rng([zlib.crc32(self.mutator.encode()), self.seed])

    @property
    def command(self) -> str:
        """The command that runs this case by itself."""
        return f"python -m support.fuzz {self}"


def share(weights: dict[str, int], count: int) -> list[Case]:
    """Cases of several mutators, with seeds from 0 on.

    Args:
        weights: {mutator: its share}.
        count: number of all cases; each mutator gets at least one.
    """
    total = sum(weights.values())
    return [Case(name, seed) for name, part in weights.items() for seed in range(max(1, round(count * part / total)))]
