"""What a network's answers look like: shapes and formats of outputs and of the trace, and their reading from words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ese_host.errors import DeviceError
from ese_host.image import SUM_FRAC
from ese_host.ir import Codes, Fixed, Lengths, Lstm, Network
from ese_host.protocol.packets import TRAILER_WORDS, Words, step_words

OUTPUT_WORDS = 2
"""Words of an exact output value."""
TRACE_WORDS = 4


@dataclass(frozen=True)
class TraceStage:
    """One kind of element-wise result in a trace: an LSTM's cells, a projection's rows, a Dense layer's rows.

    Attributes:
        layer: its name. items: values a step. frac: fractional bits of the exact values.
        every_step: whether they come at every step, or at the last alone.
    """

    layer: str
    kind: Literal["cells", "projection", "rows"]
    items: int
    frac: int
    every_step: bool


@dataclass(frozen=True, eq=False)
class Trace:
    """Every element-wise result of one stage, (N, T or 1, items) each; steps beyond a sequence's end are zero.

    Attributes:
        stage: where the values come from.
        exact: exact outputs. stored: values stored for later reading. cell: stored c, zero where there is none.
    """

    stage: TraceStage
    exact: Codes
    stored: Codes
    cell: Codes


@dataclass(frozen=True)
class AnswerShape:
    """What host and engine must agree on to read an answer.

    Attributes:
        inputs, outputs: widths of a frame. every_step: whether an output leaves at each step.
        source: format of input codes. output: format of output values; None where they are exact.
        stages: of the trace, in order.
    """

    inputs: int
    outputs: int
    every_step: bool
    source: Fixed
    output: Fixed | None
    stages: tuple[TraceStage, ...]

    @classmethod
    def of(cls, network: Network) -> AnswerShape:
        """The shape of a network's answers."""
        stages: list[TraceStage] = []
        every_step = True
        for layer in network.layers:
            if isinstance(layer, Lstm):
                stages.append(TraceStage(layer.name, "cells", layer.units, layer.exact_output.frac, every_step))
                if layer.projection is not None:
                    stages.append(TraceStage(layer.name, "projection", layer.outputs, SUM_FRAC, every_step))
                every_step = every_step and layer.return_sequences
            else:
                stages.append(TraceStage(layer.name, "rows", layer.outputs, SUM_FRAC, every_step))
        last = network.layers[-1]
        output = last.state if isinstance(last, Lstm) and last.projection is not None else last.output
        every = network.every_step
        return cls(network.inputs, network.outputs, every, network.source, output, tuple(stages))

    @property
    def frac(self) -> int:
        """Fractional bits of output values."""
        return self.stages[-1].frac if self.output is None else self.output.frac

    @property
    def _frame_words(self) -> int:
        """Words of one output frame: 64-bit exact values, or 16-bit stored codes two to a word."""
        return OUTPUT_WORDS * self.outputs if self.output is None else step_words(self.outputs)

    def words(self, steps: Sequence[int] | Lengths, trace: bool) -> int:
        """Words of the answer to a RUN of sequences of these lengths; a trace takes the outputs' place."""
        each, once = self.rates(trace)
        return TRAILER_WORDS + each * int(np.asarray(steps).sum()) + once * len(steps)

    def rates(self, trace: bool) -> tuple[int, int]:
        """Words of an answer that each step and each sequence adds."""
        if trace:
            often = sum(stage.items for stage in self.stages if stage.every_step)
            rarely = sum(stage.items for stage in self.stages if not stage.every_step)
            return TRACE_WORDS * often, TRACE_WORDS * rarely
        return (self._frame_words, 0) if self.every_step else (0, self._frame_words)

    def read(self, answer: Words, steps: Sequence[int] | Lengths, trace: bool) -> tuple[Codes, list[Trace]]:
        """Outputs (N, T or 1, outputs) and, with `trace`, every stage's results.

        Raises:
            DeviceError: the answer has another length than the sequences make.
        """
        lengths = np.asarray(steps, dtype=np.int64)
        expected = self.words(lengths, trace)
        if len(answer) != expected:
            raise DeviceError(
                f"answer has {len(answer)} words; {len(lengths)} sequences here make {expected}: reset the device"
            )
        body = np.ascontiguousarray(answer[:-TRAILER_WORDS], dtype="<u4")
        if trace:
            return self._read_trace(body.reshape(-1, TRACE_WORDS), lengths)
        values = self._values(body)
        return _padded(values, lengths) if self.every_step else values[:, None], []

    def _values(self, body: Words) -> Codes:
        """(frames, outputs) of the words of an answer without trace."""
        if self.output is None:
            return body.view("<i8").reshape(-1, self.outputs)
        halves = body.view("<i2" if self.output.signed else "<u2").reshape(-1, 2 * self._frame_words)
        return halves[:, : self.outputs].astype(np.int64)

    def _read_trace(self, records: Words, lengths: Lengths) -> tuple[Codes, list[Trace]]:
        """Split a trace: sequence by sequence, step by step, stage by stage; last-step stages come last."""
        longest = int(lengths.max())
        often = sum(stage.items for stage in self.stages if stage.every_step)
        rarely = sum(stage.items for stage in self.stages if not stage.every_step)
        heads = np.concatenate(([0], np.cumsum(lengths * often + rarely)))
        every = np.zeros((len(lengths), longest, often, TRACE_WORDS), dtype="<u4")
        once = np.zeros((len(lengths), 1, rarely, TRACE_WORDS), dtype="<u4")
        for sequence, steps in enumerate(lengths):
            rows = records[heads[sequence] : heads[sequence + 1]]
            every[sequence, :steps] = rows[: steps * often].reshape(steps, often, TRACE_WORDS)
            once[sequence, 0] = rows[steps * often :]
        traces, start = [], {True: 0, False: 0}
        for stage in self.stages:
            first = start[stage.every_step]
            start[stage.every_step] = first + stage.items
            words = np.ascontiguousarray((every if stage.every_step else once)[:, :, first : first + stage.items])
            halves = words.view("<i4")
            traces.append(
                Trace(
                    stage, words.view("<i8")[..., 0], halves[..., 2].astype(np.int64), halves[..., 3].astype(np.int64)
                )
            )
        return self._last(traces[-1].exact, lengths), traces

    def _last(self, exact: Codes, lengths: Lengths) -> Codes:
        """Output values of the last stage's exact ones."""
        if self.every_step or exact.shape[1] == 1:
            chosen = exact
        else:
            chosen = np.take_along_axis(exact, (lengths - 1)[:, None, None], axis=1)
        return chosen if self.output is None else self.output.quantize(chosen, self.stages[-1].frac)


def _padded(frames: Codes, lengths: Lengths) -> Codes:
    """(N, longest, width) of all sequences' frames one after the other, zero beyond each end."""
    longest = int(lengths.max())
    if len(frames) == longest * len(lengths):
        return frames.reshape(len(lengths), longest, -1)
    padded = np.zeros((len(lengths), longest, frames.shape[1]), dtype=np.int64)
    padded[np.arange(longest) < lengths[:, None]] = frames
    return padded
