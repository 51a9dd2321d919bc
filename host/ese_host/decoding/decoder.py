# SPDX-License-Identifier: Apache-2.0
"""The file decoder.json: a hidden Markov model of phones, by which frame-wise outputs become sequences of phones."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ese_host.decoding import viterbi
from ese_host.errors import FormatError
from ese_host.files import Source, decode, encode, json_text, write_file

VERSION = 1
UNIT = 1 << 12
"""Integer scores are natural logarithms times this."""
FORBIDDEN = -(1 << 24)
"""Score of what is as good as impossible: 4,096 nats."""
MAX_BYTES = 1 << 22
MAX_CLASSES, MAX_STATES, MAX_STEPS = 512, 16, 1 << 20
LARGEST, LARGEST_FRAME = 1 << 30, 1 << 40
"""Largest magnitude of a score of the file, and of one of a frame: no sum over `MAX_STEPS` frames exceeds 64 bits."""
ADVICE = "train the model again, or fit its decoder again"
Labels = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Decoder:
    """A hidden Markov model of phones; all scores are integers, natural logarithms times `UNIT`.

    The score of a phone in a frame is the network's output before softmax, times `multiplier` and rounded half to even,
    minus `prior`. How scores add up to those of paths, and which path is taken, is told in `decoding.viterbi`.

    Attributes:
        multiplier: factor on outputs, the acoustic scale times `UNIT`.
        minimum: fewest frames of a phone. An utterance that is shorter has a single phone.
        delay: frames at the beginning of a sequence whose outputs belong to no frame.
        prior: score of each phone that is subtracted in every frame.
        start: score of each phone as the first.
        stay: score of each phone for a frame beyond the fewest.
        change: score of each phone (outer list) for each phone that follows (inner list).
        chosen: what the scores were made of, for people: settings, and the error on the validation split.
        version: of the file's form.

    Raises:
        FormatError: if a value is outside its range, or the lists do not have one length.
    """

    multiplier: int
    minimum: int
    delay: int
    prior: list[int]
    start: list[int]
    stay: list[int]
    change: list[list[int]]
    chosen: dict[str, Any]
    version: int = VERSION

    def __post_init__(self) -> None:
        count = len(self.prior)
        ranges = {
            "version": (self.version, VERSION, VERSION),
            "multiplier": (self.multiplier, 1, LARGEST),
            "minimum": (self.minimum, 1, MAX_STATES),
            "delay": (self.delay, 0, MAX_STEPS),
            "number of phones": (count, 1, MAX_CLASSES),
        }
        for name, (value, low, high) in ranges.items():
            if not low <= value <= high:
                raise FormatError(f"decoder: {name} is {value}; {low} to {high} are allowed: {ADVICE}")
        rows = {"prior": self.prior, "start": self.start, "stay": self.stay}
        rows |= {f"change[{number}]": row for number, row in enumerate(self.change)}
        if len(self.change) != count:
            raise FormatError(f"decoder: change has {len(self.change)} rows; there are {count} phones: {ADVICE}")
        for name, row in rows.items():
            if len(row) != count:
                raise FormatError(f"decoder: {name} has {len(row)} scores; there are {count} phones: {ADVICE}")
            if max(map(abs, row)) > LARGEST:
                raise FormatError(f"decoder: {name} has a score beyond {LARGEST}: {ADVICE}")

    @property
    def phones(self) -> int:
        """Number of phones."""
        return len(self.prior)

    @cached_property
    def _scores(self) -> tuple[viterbi.Scores, viterbi.Scores, viterbi.Scores]:
        start, stay, change = (np.array(scores, np.int64) for scores in (self.start, self.stay, self.change))
        return start, stay, change

    def frame_scores(self, outputs: Floats) -> viterbi.Scores:
        """The scores of phones in frames.

        Args:
            outputs: (..., phones) outputs before softmax, or these and a number that all phones of a frame share.

        Raises:
            FormatError: if there are other phones, or an output is not finite or too large.
        """
        if outputs.shape[-1] != self.phones:
            raise FormatError(
                f"outputs have {outputs.shape[-1]} classes; the decoder has {self.phones} phones: {ADVICE}"
            )
        scaled = np.asarray(outputs, np.float64) * self.multiplier
        if not (np.abs(scaled) <= LARGEST_FRAME).all():
            raise FormatError("outputs hold NaN or values too large to decode; finite outputs are expected")
        scores: viterbi.Scores = np.rint(scaled).astype(np.int64) - np.array(self.prior, np.int64)
        return scores

    def decode(self, outputs: Floats, lengths: Labels) -> Labels:
        """The phone of each frame on the best path of each sequence; -1 in the first `delay` frames and in padding.

        Args:
            outputs: (sequences, steps, phones) outputs as `frame_scores` takes them.
            lengths: (sequences,) steps of each sequence.

        Raises:
            FormatError: if an array does not fit the decoder.
        """
        if outputs.ndim != 3 or lengths.shape != outputs.shape[:1] or outputs.shape[1] > MAX_STEPS:
            raise FormatError(f"outputs have shape {outputs.shape}; expected (sequences, steps, {self.phones})")
        frames = np.maximum(lengths - self.delay, 0)
        found = np.full(outputs.shape[:2], -1, np.int64)
        scores = self.frame_scores(outputs[:, self.delay :])
        # A sequence with fewer frames than a phone has states would have no path: it gets states for these.
        for minimum in sorted(set(np.minimum(frames, self.minimum).tolist()) - {0}):
            chosen = np.flatnonzero(np.minimum(frames, self.minimum) == minimum)
            longest = int(frames[chosen].max())
            lattice = viterbi.search(scores[chosen, :longest], frames[chosen], *self._scores, minimum)
            for row, sequence in enumerate(chosen):
                length = int(frames[sequence])
                path = viterbi.path_of(lattice, row, length, minimum)
                found[sequence, self.delay : self.delay + length] = path
        return found


def read(path: Source) -> Decoder:
    """Read a decoder.

    Raises:
        OSError: if the file cannot be read.
        FormatError: if it is no decoder.
    """
    return from_json(json_text.read(path, MAX_BYTES, ADVICE), str(path))


def from_json(value: Any, name: str) -> Decoder:
    """Read the plain values of a decoder.

    Args:
        value: the plain values.
        name: name of their file, for messages.

    Raises:
        FormatError: if they are no decoder.
    """
    try:
        return decode(Decoder, value, name, ADVICE)
    except FormatError as error:
        text = str(error)
        raise FormatError(text if text.startswith(name) else f"{name}: {text}") from error


def to_text(decoder: Decoder) -> str:
    """The text of a decoder's file: one line for each list of scores."""
    values = encode(decoder)
    lines = [f'"{name}": {json.dumps(value)}' for name, value in values.items() if name != "change"]
    rows = ",\n  ".join(json.dumps(row) for row in values["change"])
    return "{\n" + ",\n".join(f" {line}" for line in (*lines, f'"change": [\n  {rows}\n ]')) + "\n}\n"


def write(path: Path, decoder: Decoder) -> None:
    """Write a decoder's file, completely or not at all."""
    write_file(path, to_text(decoder))
