# SPDX-License-Identifier: Apache-2.0
"""Answers of a network: shapes and formats of outputs and traces, and how they are read from words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ese_host.errors import DeviceError
from ese_host.image import SUM_FRAC, sum_frac
from ese_host.ir import Codes, Dense, Fixed, Gru, Lengths, Lstm, Network
from ese_host.protocol.packets import TRAILER_WORDS, Words, step_words

OUTPUT_WORDS = 2
"""32-bit words of one exact output value."""
TRACE_WORDS = 4
"""32-bit words of one element-wise result in a trace: the exact value (two words), the stored value, the cell state."""


@dataclass(frozen=True)
class TraceStage:
    """One stage of element-wise results in a trace.

    Attributes:
        layer: name of the layer.
        kind: a recurrent layer's cells, the rows of an LSTM's projection, r * h of a GRU without `reset_after`, or the
            rows of a Dense layer.
        items: results per step.
        frac: fractional bits of the exact values.
        every_step: whether there are results at every step, instead of only at the last one.
    """

    layer: str
    kind: Literal["cells", "projection", "reset", "rows"]
    items: int
    frac: int
    every_step: bool


@dataclass(frozen=True, eq=False)
class Trace:
    """Every element-wise result of one stage. Steps beyond a sequence's end are zero.

    Attributes:
        stage: the stage that the values come from.
        exact: (N, T or 1, items) exact outputs.
        stored: (N, T or 1, items) outputs as the engine stores them for later reading.
        cell: (N, T or 1, items) stored cell state; zero if the stage has none.
    """

    stage: TraceStage
    exact: Codes
    stored: Codes
    cell: Codes


@dataclass(frozen=True)
class AnswerShape:
    """The shapes and formats that host and engine must agree on to read an answer.

    Attributes:
        inputs: values of one input frame.
        outputs: values of one output frame.
        every_step: whether there is an output frame for every step, instead of only for the last one.
        source: format of the input codes.
        output: format of the output codes, or None if the outputs are exact values.
        stages: stages of a trace, in the order of the network's layers.
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
            if isinstance(layer, Dense):
                stages.append(TraceStage(layer.name, "rows", layer.outputs, sum_frac(layer), every_step))
                continue
            if isinstance(layer, Gru) and not layer.reset_after:
                stages.append(TraceStage(layer.name, "reset", layer.units, layer.exact_reset.frac, every_step))
            stages.append(TraceStage(layer.name, "cells", layer.units, layer.exact_output.frac, every_step))
            if isinstance(layer, Lstm) and layer.projection is not None:
                stages.append(TraceStage(layer.name, "projection", layer.outputs, SUM_FRAC, every_step))
            every_step = every_step and layer.return_sequences
        last = network.layers[-1]
        output = last.state if isinstance(last, Lstm) and last.projection is not None else last.output
        every = network.every_step
        return cls(network.inputs, network.outputs, every, network.source, output, tuple(stages))

    @property
    def frac(self) -> int:
        """Fractional bits of the output values."""
        return self.stages[-1].frac if self.output is None else self.output.frac

    @property
    def _frame_words(self) -> int:
        """Words of one output frame: two words for each exact value, or one word for two stored codes."""
        return OUTPUT_WORDS * self.outputs if self.output is None else step_words(self.outputs)

    def words(self, steps: Sequence[int] | Lengths, trace: bool) -> int:
        """Words of the answer to a RUN of sequences with these steps; a trace replaces the outputs."""
        per_step, per_sequence = self.rates(trace)
        return TRAILER_WORDS + per_step * int(np.asarray(steps).sum()) + per_sequence * len(steps)

    def rates(self, trace: bool) -> tuple[int, int]:
        """Words of an answer per step and per sequence."""
        if trace:
            step_items, sequence_items = self._trace_items()
            return TRACE_WORDS * step_items, TRACE_WORDS * sequence_items
        return (self._frame_words, 0) if self.every_step else (0, self._frame_words)

    def _trace_items(self) -> tuple[int, int]:
        """Element-wise results of a trace per step and per sequence."""
        step_items = sum(stage.items for stage in self.stages if stage.every_step)
        return step_items, sum(stage.items for stage in self.stages if not stage.every_step)

    def read(self, answer: Words, steps: Sequence[int] | Lengths, trace: bool) -> tuple[Codes, list[Trace]]:
        """Read the outputs (N, T or 1, outputs) and, if the answer is a trace, the results of every stage.

        Args:
            answer: all 32-bit words of the answer, with the trailer.
            steps: (N,) steps of each sequence that was sent.
            trace: whether a trace was asked for.

        Raises:
            DeviceError: if the length of the answer is not that for these sequences.
        """
        lengths = np.asarray(steps, dtype=np.int64)
        expected = self.words(lengths, trace)
        if len(answer) != expected:
            raise DeviceError(
                f"the answer has {len(answer)} words; {expected} are expected for these {len(lengths)} sequences: "
                "reset the device"
            )
        body = np.ascontiguousarray(answer[:-TRAILER_WORDS], dtype="<u4")
        if trace:
            return self._read_trace(body.reshape(-1, TRACE_WORDS), lengths)
        values = self._values(body)
        return _padded(values, lengths) if self.every_step else values[:, None], []

    def _values(self, body: Words) -> Codes:
        """(frames, outputs) values of an answer's words without trailer, if it is no trace."""
        if self.output is None:
            return body.view("<i8").reshape(-1, self.outputs)
        halves = body.view("<i2" if self.output.signed else "<u2").reshape(-1, 2 * self._frame_words)
        return halves[:, : self.outputs].astype(np.int64)

    def _read_trace(self, records: Words, lengths: Lengths) -> tuple[Codes, list[Trace]]:
        """Outputs and traces of an answer's records, each the `TRACE_WORDS` of one element-wise result.

        The records are ordered by sequence, then by step, then by stage. The stages that have results only at the last
        step come at the end of each sequence.
        """
        longest = int(lengths.max())
        step_items, sequence_items = self._trace_items()
        starts = np.concatenate(([0], np.cumsum(lengths * step_items + sequence_items)))
        every_step = np.zeros((len(lengths), longest, step_items, TRACE_WORDS), dtype="<u4")
        last_step = np.zeros((len(lengths), 1, sequence_items, TRACE_WORDS), dtype="<u4")
        for sequence, steps in enumerate(lengths):
            rows = records[starts[sequence] : starts[sequence + 1]]
            every_step[sequence, :steps] = rows[: steps * step_items].reshape(steps, step_items, TRACE_WORDS)
            last_step[sequence, 0] = rows[steps * step_items :]
        traces, next_item = [], {True: 0, False: 0}
        for stage in self.stages:
            first = next_item[stage.every_step]
            next_item[stage.every_step] = last = first + stage.items
            words = np.ascontiguousarray((every_step if stage.every_step else last_step)[:, :, first:last])
            signed_words = words.view("<i4")
            traces.append(
                Trace(
                    stage,
                    words.view("<i8")[..., 0],
                    signed_words[..., 2].astype(np.int64),
                    signed_words[..., 3].astype(np.int64),
                )
            )
        return self._outputs(traces[-1].exact, lengths), traces

    def _outputs(self, exact: Codes, lengths: Lengths) -> Codes:
        """The network's outputs, computed from the exact values of the last stage."""
        if self.every_step or exact.shape[1] == 1:
            frames = exact
        else:
            frames = np.take_along_axis(exact, (lengths - 1)[:, None, None], axis=1)
        return frames if self.output is None else self.output.quantize(frames, self.stages[-1].frac)


def _padded(frames: Codes, lengths: Lengths) -> Codes:
    """(N, longest, width) of all sequences' frames, given one after the other; zero beyond each sequence's end."""
    longest = int(lengths.max())
    if len(frames) == longest * len(lengths):
        return frames.reshape(len(lengths), longest, -1)
    padded = np.zeros((len(lengths), longest, frames.shape[1]), dtype=np.int64)
    padded[np.arange(longest) < lengths[:, None]] = frames
    return padded
