"""What an engine made of some sequences."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ese_host.ir import Codes, Lengths
from ese_host.protocol.answers import Trace


@dataclass(frozen=True, eq=False)
class RunResult:
    """What the engine made of some sequences.

    Attributes:
        outputs: (N, T or 1, outputs) codes; frames beyond a sequence's end are zero.
        frac: their fractional bits. steps: (N,) lengths. every_step: whether there is a frame for each step.
        traces: every element-wise result, stage by stage, where a trace was asked for.
        cycles: the engine's own iterations. seconds: host time from packet to answer.
    """

    outputs: Codes
    frac: int
    steps: Lengths
    every_step: bool
    traces: list[Trace]
    cycles: int
    seconds: float

    def values(self) -> npt.NDArray[np.float64]:
        """(N, T or 1, outputs) real values."""
        return np.ldexp(self.outputs.astype(np.float64), -self.frac)

    def classes(self) -> npt.NDArray[np.int64]:
        """(N,) index of the largest output of each sequence's last frame."""
        last = self.steps - 1 if self.every_step else np.zeros_like(self.steps)
        chosen: npt.NDArray[np.int64] = self.outputs[np.arange(len(last)), last].argmax(axis=1)
        return chosen


def joined(parts: list[RunResult]) -> RunResult:
    """Several packets' results as one."""
    if len(parts) == 1:
        return parts[0]
    traces = [
        Trace(same[0].stage, *(stacked([getattr(item, name) for item in same]) for name in ("exact", "stored", "cell")))
        for same in zip(*(part.traces for part in parts), strict=True)
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
    """(N, T, width) of arrays with different T, zero beyond each end."""
    longest = max(array.shape[1] for array in arrays)
    return np.concatenate([np.pad(array, ((0, 0), (0, longest - array.shape[1]), (0, 0))) for array in arrays])
