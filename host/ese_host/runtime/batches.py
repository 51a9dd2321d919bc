"""Sequences cut into RUN packets, and the answers to these made into results: the same for every way to an engine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Union

import numpy as np

from ese_host.errors import CapacityError, DeviceError, FormatError
from ese_host.ir import Codes, Lengths, are_frames, are_lengths, full_lengths
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
"""(N,) steps of each sequence."""


@dataclass(frozen=True)
class PacketLimits:
    """What packets and answers may take: a buffer, unless one sequence needs more, and never more than a transfer."""

    buffer_words: int
    transfer_bytes: int


@dataclass(frozen=True, eq=False)
class Batch:
    """One RUN packet of some sequences.

    Attributes:
        packet: its words. answer_words: how many the answer has.
        steps: (N,) of each sequence. shape, trace: how the answer is read.
    """

    packet: Words
    answer_words: int
    steps: Lengths
    shape: AnswerShape
    trace: bool

    def result(self, answer: Words, trailer: Trailer, seconds: float) -> RunResult:
        """What the engine made of the sequences.

        Args:
            answer: all its words.
            trailer: read from them, and without an error.
            seconds: from packet to answer.

        Raises:
            DeviceError: the answer is not of these sequences.
        """
        total = int(self.steps.sum())
        if (trailer.sequences, trailer.steps) != (len(self.steps), total):
            done = f"{trailer.sequences} sequences and {trailer.steps} steps"
            raise DeviceError(f"the engine did {done}; {len(self.steps)} and {total} were sent: the device is reset")
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
    most: int = MAX_SEQUENCES,
    room: PacketLimits | None = None,
) -> Iterator[Batch]:
    """Packets of sequences, one after the other; the next is made when it is asked for.

    Args:
        image_id: the image that the engine holds.
        shape: of its answers.
        inputs: see `Accelerator.run`.
        lengths: see there.
        trace: stream every element-wise result.
        keep: continue from the state that the last sequence left.
        most: sequences a packet.
        room: for packets and answers; None without a bound.

    Raises:
        FormatError: inputs of another shape or format. CapacityError: a sequence too long for one transfer.
    """
    sequences, steps = _sequences(inputs, lengths, shape.inputs)
    start = 0
    while start < len(steps):
        stop, words = _fit(steps[start : start + most], shape, trace, room)
        stop += start
        packet = run_packet(image_id, sequences[start:stop], shape.source, trace=trace, keep=keep)
        yield Batch(packet, words, steps[start:stop], shape, trace)
        start = stop


def _sequences(inputs: Any, lengths: Any, width: int) -> tuple[list[Codes] | Codes, Lengths]:
    """Sequences of the codes that count, and the steps of each."""
    if isinstance(inputs, np.ndarray):
        sound = are_frames(inputs, 3, width)
        full = full_lengths(inputs) if sound else np.zeros(0, dtype=np.int64)
    else:
        inputs = [np.asarray(item) for item in inputs]
        sound = all(are_frames(item, 2, width) for item in inputs)
        full = np.array([len(item) if item.ndim else 0 for item in inputs], dtype=np.int64)
    if not sound:
        shape = inputs.shape if isinstance(inputs, np.ndarray) else [item.shape for item in inputs[:3]]
        raise FormatError(
            f"inputs have shape {shape}; expected integer codes (N, T, {width}), or N arrays (steps, {width})"
        )
    steps = full if lengths is None else np.asarray(lengths, dtype=np.int64)
    if not are_lengths(steps, full):
        raise FormatError(
            f"lengths are {steps.tolist()[:5]} ...; expected 1 to T steps for each of {len(full)} sequences"
        )
    if steps is full or (steps == full).all():
        return inputs, steps
    return [item[:count] for item, count in zip(inputs, steps, strict=True)], steps


def _fit(steps: Lengths, shape: AnswerShape, trace: bool, room: PacketLimits | None) -> tuple[int, int]:
    """How many of the sequences with these steps a packet holds, one at least, and the words of its answer."""
    frame, (each, once) = step_words(shape.inputs), shape.rates(trace)
    total, count = int(steps.sum()), len(steps)
    sent, answered = RUN_HEADER_WORDS + total * frame + count, TRAILER_WORDS + total * each + count * once
    if room is None or max(sent, answered) <= min(room.buffer_words, room.transfer_bytes // 4):
        return count, answered
    totals, counts = np.cumsum(steps), np.arange(1, count + 1)
    all_sent = RUN_HEADER_WORDS + totals * frame + counts
    all_answered = TRAILER_WORDS + totals * each + counts * once
    largest = int(max(all_sent[0], all_answered[0]))
    if 4 * largest > room.transfer_bytes:
        raise CapacityError(
            f"a sequence of {steps[0]} steps needs a transfer of {4 * largest} bytes; the DMA carries "
            f"{room.transfer_bytes}: run it in parts with keep=True, or without trace"
        )
    buffer = max(room.buffer_words, largest)
    fits = int(min(np.searchsorted(words, buffer, side="right") for words in (all_sent, all_answered)))
    return fits, int(all_answered[fits - 1])
