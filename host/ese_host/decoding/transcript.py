# SPDX-License-Identifier: Apache-2.0
"""One utterance as phones over time: by the labels, by the decoder and greedily, as plain values and as text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from ese_host.decoding.phone_errors import NO_LABEL, aligned, collapsed

Labels = npt.NDArray[np.int64]
WIDTH = 100
"""Most characters of a line of text."""
ERRORS = {"substitution": "S", "deletion": "D", "insertion": "I"}


@dataclass(frozen=True)
class SpokenPhone:
    """A phone and its place in time.

    Attributes:
        phone: number of the phone.
        begin: its first frame, counted from 0.
        end: the frame behind its last one.
    """

    phone: int
    begin: int
    end: int


@dataclass(frozen=True, eq=False)
class Transcript:
    """The phones of one utterance, each way that they are known.

    Attributes:
        utterance: number of the utterance in the test set, counted from 0.
        names: names of the phones, by their numbers.
        lanes: phone of each frame by "labels", if there are any, "viterbi" and "greedy"; -1 for none.
    """

    utterance: int
    names: Sequence[str]
    lanes: dict[str, Labels]

    @property
    def frames(self) -> int:
        """Number of frames."""
        return len(self.lanes["viterbi"])

    def segments(self, lane: str) -> list[SpokenPhone]:
        """The phones of a lane, with their frames."""
        row = self.lanes[lane]
        edges = [0, *(np.flatnonzero(np.diff(row)) + 1).tolist(), len(row)] if len(row) else []
        return [SpokenPhone(int(row[begin]), begin, end) for begin, end in pairwise(edges) if row[begin] != NO_LABEL]

    def pairs(self, lane: str) -> list[tuple[int | None, int | None]]:
        """The phones of the labels beside those of a lane, aligned, in the frames that have a label."""
        labelled = self.lanes["labels"] != NO_LABEL
        return aligned(collapsed(self.lanes["labels"][labelled]), collapsed(self.lanes[lane][labelled]))

    def errors(self, lane: str) -> dict[str, int]:
        """Number of errors of a lane by kind: "substitution", "deletion" and "insertion"."""
        kinds = [kind for one, two in self.pairs(lane) if (kind := _error(one, two))]
        return {kind: kinds.count(kind) for kind in ERRORS}

    def to_json(self) -> dict[str, Any]:
        """Plain values: the phones of each lane with their frames, and the errors if there are labels."""
        lanes = {
            lane: [
                {"phone": item.phone, "name": self.names[item.phone], "begin": item.begin, "end": item.end}
                for item in self.segments(lane)
            ]
            for lane in self.lanes
        }
        values = {"utterance": self.utterance, "frames": self.frames, "phones": lanes}
        if "labels" not in self.lanes:
            return values
        return {**values, "errors": {lane: self.errors(lane) for lane in self.lanes if lane != "labels"}}

    def to_text(self) -> str:
        """The phones as text; with labels, each lane below the labels, and S, D and I below its errors."""
        title = f"utterance {self.utterance}: {self.frames:,} frames"
        if "labels" not in self.lanes:
            rows = [[self.names[item.phone]] for item in self.segments("viterbi")]
            return "\n".join([title, *_wrapped(["viterbi"], rows)]) + "\n"
        phones = sum(one is not None for one, _ in self.pairs("viterbi"))
        lines = [f"{title}, {phones:,} phones"]
        for lane in self.lanes:
            if lane == "labels":
                continue
            counts = self.errors(lane)
            told = ", ".join(f"{kind}s {count}" for kind, count in counts.items())
            lines += ["", f"{lane}: errors {sum(counts.values())}, {told}"]
            rows = [
                ["" if one is None else self.names[one], "" if two is None else self.names[two], ERRORS.get(kind, "")]
                for one, two in self.pairs(lane)
                for kind in [_error(one, two)]
            ]
            lines += _wrapped(["labels", lane, ""], rows)
        return "\n".join(lines).rstrip() + "\n"


def _error(one: int | None, two: int | None) -> str:
    """The kind of error of a pair of an alignment; empty for none."""
    if one == two:
        return ""
    return "insertion" if one is None else "deletion" if two is None else "substitution"


def _wrapped(heads: Sequence[str], columns: Sequence[Sequence[str]]) -> Iterator[str]:
    """Lines of a table that stands on its side, in as many parts as lines of `WIDTH` characters need.

    Args:
        heads: names of the rows.
        columns: texts of each column, one for each row.
    """
    margin = max(map(len, heads)) + 2
    parts: list[list[tuple[Sequence[str], int]]] = [[]]
    for column in columns:
        width = max(1, *map(len, column)) + 1
        if parts[-1] and margin + width + sum(taken for _, taken in parts[-1]) > WIDTH:
            parts.append([])
        parts[-1].append((column, width))
    for number, part in enumerate(parts):
        yield from [""] * (number > 0)
        for row, head in enumerate(heads):
            cells = "".join(f"{column[row]:<{width}}" for column, width in part)
            yield f"{head:<{margin}}{cells}".rstrip()
