# SPDX-License-Identifier: Apache-2.0
"""Packets between host and engine, as arrays of 32-bit words (packets.md). They are defined only here."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum, IntFlag

import numpy as np

from ese_host.errors import DeviceError, EseError, FormatError, MismatchError
from ese_host.files import Words as Words  # offered here too, because packets are made of the same words as images
from ese_host.ir import Codes, Fixed, check_codes

PROTOCOL_VERSION = 2
"""Version of packets, answers and registers, which the engine tells in a register. Engines before version 2 have no
such register, and answers without a CRC."""
OPERATION_BASE = 0x45530000
"""The first word of a packet is this number or-ed with its operation."""
LOAD_HEADER = ("operation", "words")
"""Names of the words that LOAD has before the image."""
RUN_HEADER = ("operation", "flags", "image_id", "sequences")
"""Names of the words that RUN has before the first sequence."""
RUN_HEADER_WORDS = len(RUN_HEADER)
TRAILER_MAGIC = 0x45534544
TRAILER = ("magic", "operation", "error", "image_id", "sequences", "steps", "cycles_low", "cycles_high", "crc")
"""Names of the words that end every answer; the last is the CRC-32 of all words before it, the outputs included."""
TRAILER_WORDS = len(TRAILER)
MAX_STEPS = 65535
"""Most steps of one sequence."""
MAX_SEQUENCES = 65535
"""Most sequences of one RUN packet."""


class Operation(IntEnum):
    """Operations that a packet asks for. UNREADABLE stands only in answers to packets of no known operation."""

    UNREADABLE = 0
    LOAD = 1
    RUN = 2
    RESET = 3


class RunFlag(IntFlag):
    """Flags of a RUN packet: TRACE asks for a trace, KEEP starts from the state that the previous sequence left."""

    TRACE = 1
    KEEP = 2


class ErrorCode(IntEnum):
    """The engine's error codes (docs/reference/packets.md)."""

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
        "the packet's first word is not that of LOAD, RUN or RESET: check the DMA and send it again",
    ),
    ErrorCode.BAD_HEADER: (FormatError, "the image's magic, version or size is wrong: emit the image again"),
    ErrorCode.WRONG_DESIGN: (MismatchError, "the image is for another design: emit it again for this bitstream"),
    ErrorCode.TOO_LARGE: (
        MismatchError,
        "a section of the image is larger than the engine's memory for it: build a larger design or prune more",
    ),
    ErrorCode.BAD_CRC: (DeviceError, "the image was damaged in flight: load it again"),
    ErrorCode.NO_IMAGE: (DeviceError, "no image is loaded: load one first"),
    ErrorCode.WRONG_IMAGE: (
        MismatchError,
        "another image is loaded than the one that the packet names: load the image again",
    ),
    ErrorCode.BAD_LENGTH: (FormatError, f"the numbers of sequences and of steps must be 1 to {MAX_STEPS}"),
    ErrorCode.SHORT_PACKET: (DeviceError, "the packet ended early, so its outputs are invalid: send it again"),
    ErrorCode.LONG_PACKET: (DeviceError, "the packet was longer than its header says: send it again"),
}
"""Error class and message of each error code."""


@dataclass(frozen=True)
class Trailer:
    """Content of the words that end every answer, whose CRC is right.

    Attributes:
        operation: operation of the packet that is answered.
        error: the engine's error code.
        image_id: id of the loaded image, or 0 if none is loaded.
        sequences: number of sequences that were run.
        steps: number of steps that were run, over all sequences.
        cycles: loop iterations that the engine took for them.
    """

    operation: Operation
    error: ErrorCode
    image_id: int
    sequences: int
    steps: int
    cycles: int

    def require(self, operation: Operation) -> None:
        """Check that the answer is to this operation and reports no error.

        Raises:
            DeviceError: if the answer is to another operation, the packet was damaged in flight, or no image is loaded.
            MismatchError: if the image is for another design or too large, or is not the one that the packet names.
            FormatError: if the engine refuses the image's header, or the number of sequences or steps.
        """
        if self.error is not ErrorCode.OK:
            kind, way_out = _REFUSALS[self.error]
            raise kind(f"{operation.name} answered with error {self.error.value} ({self.error.name}): {way_out}")
        if self.operation is not operation:
            raise DeviceError(
                f"the answer is to {self.operation.name}; expected one to {operation.name}: reset the device"
            )


def load_packet(image: Words) -> Words:
    """A LOAD packet: its header and the words of an image."""
    header_words = len(LOAD_HEADER)
    words = np.empty(header_words + len(image), dtype=np.uint32)
    words[:header_words] = OPERATION_BASE | Operation.LOAD, len(image)
    words[header_words:] = image
    return words


def reset_packet() -> Words:
    """A RESET packet: the engine forgets h, c and all sums; the image stays loaded."""
    return np.array([OPERATION_BASE | Operation.RESET], dtype=np.uint32)


def step_words(inputs: int) -> int:
    """Words of one frame of `inputs` codes, two codes to a word."""
    return -(-inputs // 2)


def run_packet(
    image_id: int, sequences: Sequence[Codes] | Codes, source: Fixed, *, trace: bool = False, keep: bool = False
) -> Words:
    """A RUN packet of input sequences.

    Args:
        image_id: id of the image that the engine holds.
        sequences: (N, T, inputs) codes, or N arrays (steps, inputs).
        source: format of the codes.
        trace: whether to ask for a trace instead of the outputs.
        keep: whether to start from the state that the previous sequence left.

    Raises:
        FormatError: if the number of sequences or steps is not allowed, or a code is outside the format.
    """
    count = len(sequences)
    if not 1 <= count <= MAX_SEQUENCES:
        raise FormatError(f"a RUN packet has {count} sequences; 1 to {MAX_SEQUENCES} are allowed")
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
    # One word with the number of steps stands before the frames of each sequence.
    steps = np.array(lengths, dtype=np.int64)
    count_places = np.concatenate(([0], np.cumsum(steps * packed.shape[1] + 1)[:-1]))
    is_frame = np.ones(len(body), dtype=bool)
    is_frame[count_places] = False
    body[count_places] = steps
    body[is_frame] = packed.ravel()
    return words


def _frames(sequences: Sequence[Codes] | Codes) -> tuple[Codes, list[int]]:
    """(steps of all sequences, inputs) frames one after the other, and the steps of each sequence."""
    if isinstance(sequences, np.ndarray) and sequences.ndim == 3:
        count, steps, width = sequences.shape
        return sequences.reshape(count * steps, width), [steps] * count
    widths = {sequence.shape[1:] for sequence in sequences}
    if len(widths) != 1 or len(next(iter(widths))) != 1:
        raise FormatError(f"frames have shapes {sorted(widths)}; all sequences must be (steps, inputs) of one width")
    return np.concatenate(list(sequences)), [len(sequence) for sequence in sequences]


def pack_frames(frames: Codes, source: Fixed) -> Words:
    """Pack (steps, inputs) codes into (steps, words), two to a word, the code of lower index in the low half.

    Raises:
        FormatError: if a code is outside the format `source`.
    """
    check_codes(frames, source, "input codes", "the network's input format", "quantize the input first")
    halves = np.zeros((len(frames), 2 * step_words(frames.shape[1])), dtype="<u2")
    halves[:, : frames.shape[1]] = frames & 0xFFFF
    return halves.view("<u4").astype(np.uint32, copy=False)


def crc32(words: Words) -> int:
    """The CRC-32 (IEEE 802.3) of words, each with its lowest byte first, as images and answers carry it."""
    return zlib.crc32(np.ascontiguousarray(words, dtype="<u4").data)


def check_version(name: str, found: int) -> None:
    """Check that an engine speaks this host's protocol.

    Args:
        name: the engine, for the message.
        found: what its register of the version reads.

    Raises:
        MismatchError: if the engine speaks another version.
    """
    if found == PROTOCOL_VERSION:
        return
    old = "tells no protocol version, so it is from before version 2"
    speaks = f"speaks protocol version {found}" if found else old
    raise MismatchError(
        f"{name} {speaks}; this host speaks {PROTOCOL_VERSION}: build the bitstream again with this version of ese4ml"
    )


def read_trailer(answer: Words) -> Trailer:
    """Read the trailer at the end of an answer, once the answer's CRC has shown that none of its words is damaged.

    Raises:
        DeviceError: if the answer is too short, was damaged in flight, or does not end in a valid trailer.
    """
    if len(answer) < TRAILER_WORDS:
        raise DeviceError(
            f"the answer has {len(answer)} words; at least the {TRAILER_WORDS} of a trailer are expected: "
            "reset the device"
        )
    expected = crc32(answer[:-1])
    magic, operation, error, image_id, sequences, steps, low, high, crc = answer[-TRAILER_WORDS:].tolist()
    if crc != expected:
        raise DeviceError(
            f"the answer's CRC is {crc:#010x}, and {expected:#010x} is that of its {len(answer)} words: "
            "the answer was damaged in flight: run it again"
        )
    if magic != TRAILER_MAGIC:
        raise DeviceError(
            f"the last {TRAILER_WORDS} words of the answer start with {magic:#010x}; a trailer starts with "
            f"{TRAILER_MAGIC:#010x}: reset the device"
        )
    try:
        return Trailer(Operation(operation), ErrorCode(error), image_id, sequences, steps, low | high << 32)
    except ValueError as bad:
        raise DeviceError(
            f"the answer's trailer has operation {operation} and error {error}, which are not both known ({bad}): "
            "build the bitstream with this version"
        ) from bad
