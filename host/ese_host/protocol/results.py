# SPDX-License-Identifier: Apache-2.0
"""Results of running sequences on an engine."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ese_host.ir import Codes, Lengths
from ese_host.protocol.answer_shape import Trace


@dataclass(frozen=True, eq=False)
class RunResult:
    """Result of running sequences on an engine.

    Attributes:
        outputs: (N, T or 1, outputs) codes; frames beyond a sequence's end are zero.
        frac: fractional bits of the outputs.
        steps: (N,) steps of each sequence.
        every_step: whether there is an output frame for every step, instead of only for the last one.
        traces: every element-wise result, stage by stage; empty unless a trace was asked for.
        cycles: loop iterations that the engine took.
        seconds: host time from packet to answer.
    """

    outputs: Codes
    frac: int
    steps: Lengths
    every_step: bool
    traces: list[Trace]
    cycles: int
    seconds: float

    def values(self) -> npt.NDArray[np.float64]:
        """(N, T or 1, outputs) real values of the outputs."""
        return np.ldexp(self.outputs.astype(np.float64), -self.frac)

    def classes(self) -> npt.NDArray[np.int64]:
        """(N,) index of the largest output of each sequence's last frame."""
        last = self.steps - 1 if self.every_step else np.zeros_like(self.steps)
        classes: npt.NDArray[np.int64] = self.outputs[np.arange(len(last)), last].argmax(axis=1)
        return classes


def joined(parts: list[RunResult]) -> RunResult:
    """Join the results of several packets into one."""
    if len(parts) == 1:
        return parts[0]
    fields = ("exact", "stored", "cell")
    traces = [
        Trace(of_stage[0].stage, *(stacked([getattr(trace, name) for trace in of_stage]) for name in fields))
        for of_stage in zip(*(part.traces for part in parts), strict=True)
    ]
    return RunResult(
        stacked([part.outputs for part in parts]),
        parts[0].frac,
        np.concatenate([part.steps for part in parts]),
        parts[0].every_step,
        traces,
        sum(part.cycles for part in parts),
        sum(part.seconds for part in parts),
    )


def stacked(arrays: list[Codes]) -> Codes:
    """Join (n, T, width) arrays with different T into one (N, longest T, width); zero beyond each array's T."""
    longest = max(array.shape[1] for array in arrays)
    joint = np.zeros((sum(map(len, arrays)), longest, arrays[0].shape[2]), np.result_type(*arrays))
    start = 0
    for array in arrays:
        joint[start : start + len(array), : array.shape[1]] = array
        start += len(array)
    return joint
