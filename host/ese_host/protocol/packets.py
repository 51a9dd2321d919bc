"""Packets between host and engine, as arrays of 32-bit words (docs/packets.md): built, measured and read here alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum, IntFlag

import numpy as np

from ese_host.errors import DeviceError, EseError, FormatError, MismatchError
from ese_host.files import Words as Words  # a packet's words are an image's, and come from here too
from ese_host.ir import Codes, Fixed, check_codes

OPERATION_BASE = 0x45530000
"""The first word of a packet is this and its operation."""
LOAD_HEADER = ("operation", "words")
"""Words of LOAD before the image's."""
RUN_HEADER = ("operation", "flags", "image_id", "sequences")
"""Words of RUN before the first sequence's."""
RUN_HEADER_WORDS = len(RUN_HEADER)
TRAILER_MAGIC = 0x45534544
TRAILER = ("magic", "operation", "error", "image_id", "sequences", "steps", "cycles_low", "cycles_high")
"""The words that end every answer."""
TRAILER_WORDS = len(TRAILER)
MAX_STEPS = 65535
MAX_SEQUENCES = 65535


class Operation(IntEnum):
    """What a packet asks for; UNREADABLE only in answers."""

    UNREADABLE = 0
    LOAD = 1
    RUN = 2
    RESET = 3


class RunFlag(IntFlag):
    """What a RUN packet asks for beside its outputs: a trace, and to go on from the last sequence's state."""

    TRACE = 1
    KEEP = 2


class ErrorCode(IntEnum):
    """The engine's error codes."""

    OK = 0
    BAD_OPERATION = 1
    BAD_HEADER = 2
    WRONG_DESIGN = 3
    TOO_LARGE = 4
    BAD_CRC = 5
    NO_IMAGE = 6
    WRONG_IMAGE = 7
    BAD_LENGTH = 8
    SHORT_PACKET = 9
    LONG_PACKET = 10


_REFUSALS: dict[ErrorCode, tuple[type[EseError], str]] = {
    ErrorCode.BAD_OPERATION: (
        DeviceError,
        "the packet's first word was none of LOAD, RUN, RESET: check the DMA and send again",
    ),
    ErrorCode.BAD_HEADER: (FormatError, "the image's magic, version or size is wrong: emit the image again"),
    ErrorCode.WRONG_DESIGN: (MismatchError, "the image is made for another design: emit it again for this bitstream"),
    ErrorCode.TOO_LARGE: (
        MismatchError,
        "a section of the image exceeds its memory: build a larger design or prune more",
    ),
    ErrorCode.BAD_CRC: (DeviceError, "the image was damaged in flight: load it again"),
    ErrorCode.NO_IMAGE: (DeviceError, "no image is loaded: load one first"),
    ErrorCode.WRONG_IMAGE: (MismatchError, "another image is loaded than the one named: load the image again"),
    ErrorCode.BAD_LENGTH: (FormatError, f"steps and sequences must be 1 to {MAX_STEPS}"),
    ErrorCode.SHORT_PACKET: (DeviceError, "the packet ended early, its outputs are worthless: send it again"),
    ErrorCode.LONG_PACKET: (DeviceError, "the packet was longer than it said: send it again"),
}


@dataclass(frozen=True)
class Trailer:
    """The eight words that end every answer.

    Attributes:
        operation: what was answered. error: the engine's verdict. image_id: image loaded, 0 where none is.
        sequences, steps: how many were done. cycles: the engine's own iterations over them.
    """

    operation: Operation
    error: ErrorCode
    image_id: int
    sequences: int
    steps: int
    cycles: int

    def require(self, operation: Operation) -> None:
        """Refuse an answer to something else, and every error.

        Raises:
            DeviceError, MismatchError, FormatError: as the error code means.
        """
        if self.error is not ErrorCode.OK:
            kind, way_out = _REFUSALS[self.error]
            raise kind(f"{operation.name} answered with error {self.error.value} ({self.error.name}): {way_out}")
        if self.operation is not operation:
            raise DeviceError(
                f"the answer is to {self.operation.name}; expected one to {operation.name}: reset the device"
            )


def load_packet(image: Words) -> Words:
    """LOAD: the words of an image behind their header."""
    head = len(LOAD_HEADER)
    words = np.empty(head + len(image), dtype=np.uint32)
    words[:head] = OPERATION_BASE | Operation.LOAD, len(image)
    words[head:] = image
    return words


def reset_packet() -> Words:
    """RESET: forget state and image, be ready."""
    return np.array([OPERATION_BASE | Operation.RESET], dtype=np.uint32)


def step_words(inputs: int) -> int:
    """Words of one input frame of `inputs` codes."""
    return -(-inputs // 2)


def run_packet(
    image_id: int, sequences: Sequence[Codes] | Codes, source: Fixed, *, trace: bool = False, keep: bool = False
) -> Words:
    """RUN: input sequences, each (steps, inputs) codes in the format `source`.

    Raises:
        FormatError: no sequence, a length that is not allowed, a code outside the format.
    """
    count = len(sequences)
    if not 1 <= count <= MAX_SEQUENCES:
        raise FormatError(f"RUN holds {count} sequences; 1 to {MAX_SEQUENCES} are allowed")
    frames, lengths = _frames(sequences)
    shortest, longest = min(lengths), max(lengths)
    if shortest < 1 or longest > MAX_STEPS:
        raise FormatError(f"sequences have {shortest} to {longest} steps; 1 to {MAX_STEPS} are allowed")
    packed = pack_frames(frames, source)
    flags = RunFlag.TRACE * trace | RunFlag.KEEP * keep
    words = np.empty(RUN_HEADER_WORDS + count + packed.size, dtype=np.uint32)
    words[:RUN_HEADER_WORDS] = OPERATION_BASE | Operation.RUN, flags, image_id, count
    body = words[RUN_HEADER_WORDS:]
    if shortest == longest:
        rows = body.reshape(count, -1)
        rows[:, 0] = longest
        rows[:, 1:] = packed.reshape(count, -1)
        return words
    steps = np.array(lengths, dtype=np.int64)
    heads = np.concatenate(([0], np.cumsum(steps * packed.shape[1] + 1)[:-1]))
    is_data = np.ones(len(body), dtype=bool)
    is_data[heads] = False
    body[heads] = steps
    body[is_data] = packed.ravel()
    return words


def _frames(sequences: Sequence[Codes] | Codes) -> tuple[Codes, list[int]]:
    """All frames one after the other, and the length of each sequence."""
    if isinstance(sequences, np.ndarray) and sequences.ndim == 3:
        count, steps, width = sequences.shape
        return sequences.reshape(count * steps, width), [steps] * count
    widths = {sequence.shape[1:] for sequence in sequences}
    if len(widths) != 1 or len(next(iter(widths))) != 1:
        raise FormatError(f"frames have shapes {sorted(widths)}; all sequences are (steps, inputs) of one width")
    return np.concatenate(list(sequences)), [len(sequence) for sequence in sequences]


def pack_frames(frames: Codes, source: Fixed) -> Words:
    """(steps, words) of (steps, inputs) codes, two to a word, lower index in the low half.

    Raises:
        FormatError: a code is outside the format `source`.
    """
    check_codes(frames, source, "input codes", "the network's input format", "quantize the input first")
    halves = np.zeros((len(frames), 2 * step_words(frames.shape[1])), dtype="<u2")
    halves[:, : frames.shape[1]] = frames & 0xFFFF
    return halves.view("<u4").astype(np.uint32, copy=False)


def read_trailer(answer: Words) -> Trailer:
    """The trailer of an answer.

    Raises:
        DeviceError: the answer is too short, or does not end in a trailer.
    """
    if len(answer) < TRAILER_WORDS:
        raise DeviceError(
            f"answer has {len(answer)} words; at least the {TRAILER_WORDS} of a trailer are expected: reset the device"
        )
    magic, operation, error, image_id, sequences, steps, low, high = answer[-TRAILER_WORDS:].tolist()
    if magic != TRAILER_MAGIC:
        raise DeviceError(
            f"answer ends in {magic:#010x}; a trailer starts with {TRAILER_MAGIC:#010x}: reset the device"
        )
    try:
        return Trailer(Operation(operation), ErrorCode(error), image_id, sequences, steps, low | high << 32)
    except ValueError as bad:
        raise DeviceError(
            f"trailer with operation {operation} and error {error}: {bad}; is the bitstream of this version?"
        ) from bad
