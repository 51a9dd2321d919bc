# SPDX-License-Identifier: Apache-2.0
"""Phones that a design tells for its samples, and how many of them are wrong."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ese_host.decoding.decoder import ADVICE, Decoder
from ese_host.decoding.phone_errors import NO_LABEL, phone_errors, standard_error
from ese_host.errors import FormatError
from ese_host.ir.program import Program, ProgramRun

Labels = npt.NDArray[np.int64]
WAYS = ("viterbi", "greedy")
"""Ways to decode: by the decoder, and the likeliest phone of each frame."""


def check_fits(decoder: Decoder, program: Program) -> None:
    """Refuse a decoder that does not fit a program's first output.

    Raises:
        FormatError: if the output does not have a class for each phone in every step.
    """
    output = program.outputs[0]
    tensor = program.tensors[output.tensor]
    if tensor.kind != "sequence" or tensor.width != decoder.phones or output.head not in ("softmax", "none"):
        raise FormatError(
            f"decoder.json is for sequences of {decoder.phones} phones; output {output.name!r} is a {tensor.kind} of "
            f"{tensor.width} values with head {output.head!r}: {ADVICE}"
        )


def frame_phones(decoder: Decoder, run: ProgramRun) -> dict[str, Labels]:
    """(samples, steps) phone of each frame by each of `WAYS`, -1 where a sample has no frame.

    The scores are computed from the integer outputs of the engine, so that they are the same wherever it runs.
    """
    value = run.output()
    outputs = np.ldexp(value.codes.astype(np.float64), -value.tensor.frac)
    best = decoder.decode(outputs, value.steps)
    return {"viterbi": best, "greedy": np.where(best == -1, -1, value.codes.argmax(axis=2))}


@dataclass
class PhoneScores:
    """Phone errors of the samples that were added so far.

    Attributes:
        decoder: of the design.
        labels: (samples, steps) phone of each frame, `NO_LABEL` for frames without one; of all samples.
        errors: edit distance of each sample, by way of decoding.
        phones: number of phones of each sample.
    """

    decoder: Decoder
    labels: Labels
    errors: dict[str, list[int]] = field(default_factory=lambda: {way: [] for way in WAYS})
    phones: list[int] = field(default_factory=list)

    def add(self, run: ProgramRun) -> None:
        """Add the run of the next samples."""
        found = frame_phones(self.decoder, run)
        count, steps = found["viterbi"].shape
        labels = self.labels[len(self.phones) : len(self.phones) + count, :steps]
        labels = np.where(found["viterbi"] == -1, NO_LABEL, labels)
        for way, decided in found.items():
            errors, phones = phone_errors(decided, labels)
            self.errors[way] += errors
        self.phones += phones

    def to_json(self) -> dict[str, Any]:
        """Errors, rates and their standard errors by way of decoding; empty if no frame has a label."""
        if not sum(self.phones):
            return {}
        return {
            "utterances": len(self.phones),
            "phones": sum(self.phones),
            **{way: self._figures(errors) for way, errors in self.errors.items()},
        }

    def _figures(self, errors: list[int]) -> dict[str, Any]:
        return {
            "errors": sum(errors),
            "rate": sum(errors) / sum(self.phones),
            "standard_error": standard_error(errors, self.phones),
        }
