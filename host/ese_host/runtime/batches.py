# SPDX-License-Identifier: Apache-2.0
"""Cut sequences into RUN packets and read the answers to them, for boards and for directly called engines alike."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Union

import numpy as np

from ese_host.errors import CapacityError, DeviceError, FormatError
from ese_host.ir import Codes, Lengths, lengths_of, sequences_of, shown
from ese_host.protocol import (
    MAX_SEQUENCES,
    RUN_HEADER_WORDS,
    TRAILER_WORDS,
    AnswerShape,
    RunResult,
    Trailer,
    Words,
    run_packet,
    step_words,
)

Sequences = Union[Codes, Sequence[Codes]]
"""(N, T, inputs) codes in the network's input format, or N arrays (steps, inputs)."""
StepCounts = Union[Sequence[int], Lengths]
"""(N,) steps to run of each sequence."""


@dataclass(frozen=True)
class PacketLimits:
    """The largest packet and answer that are allowed.

    Attributes:
        buffer_words: 32-bit words of a buffer; exceeded only if a single sequence needs more.
        transfer_bytes: bytes of a DMA transfer; never exceeded.
        steps: steps and sequences, added up; exceeded only by a single sequence.
    """

    buffer_words: int
    transfer_bytes: int
    steps: int


@dataclass(frozen=True, eq=False)
class Batch:
    """One RUN packet and what is needed to read its answer.

    Attributes:
        packet: 32-bit words of the packet.
        answer_words: 32-bit words of the answer.
        steps: (N,) steps of each sequence in the packet.
        shape: shape of the answer.
        trace: whether the answer is a trace.
        keep: whether the packet starts from the state that the previous sequence left.
    """

    packet: Words
    answer_words: int
    steps: Lengths
    shape: AnswerShape
    trace: bool
    keep: bool

    def result(self, answer: Words, trailer: Trailer, seconds: float) -> RunResult:
        """Read the answer to this packet.

        Args:
            answer: all 32-bit words of the answer.
            trailer: the answer's trailer, already checked for errors.
            seconds: host time from packet to answer.

        Raises:
            DeviceError: if the answer is for another number of sequences or steps, or has another length.
        """
        total = int(self.steps.sum())
        if (trailer.sequences, trailer.steps) != (len(self.steps), total):
            done = f"{trailer.sequences} sequences and {trailer.steps} steps"
            raise DeviceError(
                f"the engine ran {done}; {len(self.steps)} and {total} were sent: run them again, "
                "the device is configured again with the next call"
            )
        outputs, traces = self.shape.read(answer, self.steps, self.trace)
        shape = self.shape
        return RunResult(outputs, shape.frac, self.steps, shape.every_step, traces, trailer.cycles, seconds)


def batches(
    image_id: int,
    shape: AnswerShape,
    inputs: Sequences,
    lengths: StepCounts | None = None,
    *,
    trace: bool = False,
    keep: bool = False,
    max_sequences: int = MAX_SEQUENCES,
    limits: PacketLimits | None = None,
) -> Iterator[Batch]:
    """Cut sequences into RUN packets; each packet is made when the caller asks for it.

    Args:
        image_id: id of the image that the engine holds.
        shape: shape of that image's answers.
        inputs: (N, T, inputs) codes in the network's input format, or N arrays (steps, inputs).
        lengths: (N,) steps to run of each sequence, or None to run all of them.
        trace: whether to ask for every element-wise result.
        keep: whether to start from the state that the previous sequence left.
        max_sequences: the most sequences in one packet.
        limits: limits of packet and answer sizes, or None for no limit.

    Raises:
        FormatError: if an argument has another type or shape, or the inputs do not fit the input format.
        CapacityError: if one sequence is too long for a DMA transfer.
    """
    _check_flag("trace", trace)
    _check_flag("keep", keep)
    if isinstance(max_sequences, bool) or not isinstance(max_sequences, (int, np.integer)) or max_sequences < 1:
        raise FormatError(f"batch is {shown(max_sequences)}; expected how many sequences a packet may hold, at least 1")
    max_sequences = min(int(max_sequences), MAX_SEQUENCES)
    sequences, steps = _sequences(inputs, lengths, shape.inputs)
    start = 0
    while start < len(steps):
        count, answer_words = _fit(steps[start : start + max_sequences], shape, trace, limits)
        stop = start + count
        packet = run_packet(image_id, sequences[start:stop], shape.source, trace=trace, keep=keep)
        yield Batch(packet, answer_words, steps[start:stop], shape, trace, keep)
        start = stop


def _sequences(inputs: Any, lengths: Any, width: int) -> tuple[list[Codes] | Codes, Lengths]:
    """The sequences cut to the steps to run, and the steps of each."""
    sequences, full = sequences_of(inputs, width, "inputs")
    steps = lengths_of(lengths, full)
    if (steps == full).all():
        return sequences, steps
    return [item[:count] for item, count in zip(sequences, steps, strict=True)], steps


def _check_flag(name: str, value: Any) -> None:
    if not isinstance(value, (bool, np.bool_)):
        raise FormatError(f"{name} is {shown(value)}; expected True or False")


def _fit(steps: Lengths, shape: AnswerShape, trace: bool, limits: PacketLimits | None) -> tuple[int, int]:
    """How many of the sequences with these steps one packet holds, at least one, and the words of its answer."""
    frame, (per_step, per_sequence) = step_words(shape.inputs), shape.rates(trace)
    total, count = int(steps.sum()), len(steps)
    packet_words = RUN_HEADER_WORDS + total * frame + count
    answer_words = TRAILER_WORDS + total * per_step + count * per_sequence
    most_words = 0 if limits is None else min(limits.buffer_words, limits.transfer_bytes // 4)
    if limits is None or (max(packet_words, answer_words) <= most_words and total + count <= limits.steps):
        return count, answer_words
    # Words of packet and answer for the first sequence, the first two, the first three and so on.
    totals, counts = np.cumsum(steps), np.arange(1, count + 1, dtype=np.int64)
    packets = RUN_HEADER_WORDS + totals * frame + counts
    answers = TRAILER_WORDS + totals * per_step + counts * per_sequence
    one_sequence = int(max(packets[0], answers[0]))
    if 4 * one_sequence > limits.transfer_bytes:
        raise CapacityError(
            f"a sequence of {steps[0]} steps needs a transfer of {4 * one_sequence} bytes; the DMA carries at most "
            f"{limits.transfer_bytes}: run it in parts with keep=True, or without trace"
        )
    buffer = max(limits.buffer_words, one_sequence)
    fits = int(min(np.searchsorted(words, buffer, side="right") for words in (packets, answers)))
    fits = max(1, min(fits, int(np.searchsorted(totals + counts, limits.steps, side="right"))))
    return fits, int(answers[fits - 1])
