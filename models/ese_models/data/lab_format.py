# SPDX-License-Identifier: Apache-2.0
"""Reader of Festival's .lab files: a header that ends with #, then lines `end colour phone`, the end in seconds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ese_host.errors import FormatError


@dataclass(frozen=True, eq=False)
class Phones:
    """Phones of one recording, in the order of time.

    Attributes:
        names: of the phones.
        ends: (phones,) ascending ends of the phones, seconds; a phone starts at the end of the one before.
    """

    names: tuple[str, ...]
    ends: npt.NDArray[np.float64]

    def at(self, times: npt.NDArray[np.float64]) -> list[str]:
        """Name of the phone at each time, seconds; after the last end it is the last phone."""
        places = np.minimum(np.searchsorted(self.ends, times, side="right"), len(self.names) - 1)
        return [self.names[place] for place in places]


def read_lab(path: Path) -> Phones:
    """Read the phones of a .lab file.

    Raises:
        FormatError: if the file does not have this format; the message names the file, line and fault.
    """
    lines = path.read_text(encoding="utf-8").splitlines()
    if "#" not in lines:
        raise FormatError(f"{path.name} has no line '#' before its phones; is it a .lab file of Festival?")
    start = lines.index("#") + 1
    names: list[str] = []
    ends: list[float] = []
    for number, line in enumerate(lines[start:], start + 1):
        words = line.split()
        if not words:
            continue
        where = f"{path.name} line {number}"
        if len(words) != 3:
            raise FormatError(f"{where}: {line[:40]!r} has {len(words)} words; expected end, colour and phone")
        try:
            end = float(words[0])
        except ValueError as error:
            raise FormatError(f"{where}: end {words[0]!r} is not a number of seconds") from error
        if not end > (ends[-1] if ends else 0.0) or not np.isfinite(end):
            raise FormatError(f"{where}: end {end} does not follow {ends[-1] if ends else 0.0}; times must rise")
        names.append(words[2])
        ends.append(end)
    if not names:
        raise FormatError(f"{path.name} has no phones after '#'")
    return Phones(tuple(names), np.array(ends))
