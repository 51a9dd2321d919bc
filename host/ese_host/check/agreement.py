# SPDX-License-Identifier: Apache-2.0
"""How well a design's outputs agree with labels, with the values that Keras computes, and with targets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ese_host.bundle import ExpectedOutput
from ese_host.check.confusion import Confusion, interval
from ese_host.ir.program import ProgramRun

Values = npt.NDArray[np.float64]


@dataclass
class Agreement:
    """Agreement of one output, over the samples that were added so far.

    A class is the index of the largest value of the last frame, or for a single sigmoid whether it is above 1/2; an
    output of one other value has no classes.

    Attributes:
        expected: labels and predictions of all samples.
        binary: whether the output is a single sigmoid.
        classes: whether the output has classes.
        samples: number of samples so far.
        right: samples whose class is their label.
        same: samples with the same class as in Keras.
        difference: largest difference from a value of Keras.
        values: number of values that have a target.
        squares: squared differences from the targets, summed; those of the engine, and those of Keras.
        confusion: samples by their label and the class that the engine tells.
    """

    expected: ExpectedOutput
    binary: bool
    classes: bool
    samples: int = 0
    right: int = 0
    same: int = 0
    difference: float = 0.0
    values: int = 0
    squares: tuple[float, float] = (0.0, 0.0)
    confusion: Confusion = field(default_factory=Confusion)

    @classmethod
    def of(cls, run: ProgramRun, expected: ExpectedOutput, names: Sequence[str] | None = None) -> Agreement:
        """The agreement of an output before any sample.

        Args:
            run: any run of the program.
            expected: labels and predictions of the output.
            names: names of the classes that the output tells, by their numbers; None if they have none.
        """
        output = next(item for item in run.program.outputs if item.name == expected.name)
        single = run.program.tensors[output.tensor].width == 1
        binary, classes = single and output.head == "sigmoid", run.program.has_classes(output)
        return cls(expected, binary, classes, confusion=Confusion(names))

    def add(self, run: ProgramRun) -> None:
        """Add the run of the next samples."""
        expected, name = self.expected, self.expected.name
        rows = slice(self.samples, self.samples + len(run.output(name).steps))
        self.samples = rows.stop
        classes = run.classes(name)
        if expected.labels is not None:
            self.right += int((classes == expected.labels[rows]).sum())
            self.confusion.add(expected.labels[rows], classes)
        if expected.predictions is None and expected.targets is None:
            return
        steps, values = run.output(name).steps, run.values(name)
        predictions = None if expected.predictions is None else expected.predictions[rows]
        if predictions is not None:
            last = _frames(predictions, steps, last=True)[:, 0]
            found = (last[:, 0] > 0.5).astype(np.int64) if self.binary else last.argmax(axis=1)
            self.same += int((classes == found).sum())
            self.difference = max(self.difference, float(np.abs(_difference(values, predictions, steps)).max()))
        if expected.targets is not None:
            targets = expected.targets[rows]
            own = _difference(values, targets, steps)
            keras = np.zeros(1) if predictions is None else _difference(predictions, targets, steps)
            self.values += own.size
            self.squares = self.squares[0] + float((own**2).sum()), self.squares[1] + float((keras**2).sum())

    def to_json(self) -> dict[str, Any]:
        """The figures that the test set allows, as plain values."""
        figures: dict[str, Any] = {"output": self.expected.name}
        if self.expected.labels is not None:
            figures["accuracy"] = self.right / self.samples
            figures["accuracy_interval"] = interval(self.right, self.samples)
            if self.classes:
                figures["classes"] = self.confusion.to_json()
        if self.expected.predictions is not None:
            if self.classes and self.expected.targets is None:
                figures["agreement_with_keras"] = self.same / self.samples
            figures["difference_from_keras"] = self.difference
        if self.expected.targets is not None:
            figures["rms_error"] = (self.squares[0] / self.values) ** 0.5
            if self.expected.predictions is not None:
                figures["rms_error_of_keras"] = (self.squares[1] / self.values) ** 0.5
        return figures


def _frames(values: Values, steps: npt.NDArray[np.int64], last: bool) -> Values:
    """The last frame of each sample, or all frames."""
    if not last or values.shape[1] == 1:
        return values
    frames: Values = values[np.arange(len(values)), steps - 1][:, None]
    return frames


def _difference(one: Values, other: Values, steps: npt.NDArray[np.int64]) -> Values:
    """Differences of all values that both have: of all frames of the samples, or only of the last ones; 1-D."""
    last = 1 in (one.shape[1], other.shape[1])
    first, second = _frames(one, steps, last), _frames(other, steps, last)
    count = min(first.shape[1], second.shape[1])
    inside = np.ones((len(one), 1), bool) if last else np.arange(count) < steps[:, None]
    difference: Values = (first[:, :count] - second[:, :count])[inside].ravel()
    return difference
