# SPDX-License-Identifier: Apache-2.0
"""Packets are built as docs/reference/packets.md says, have the documented size, and are read back or refused."""

from __future__ import annotations

import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ese_host.errors import DeviceError, EseError, FormatError, MismatchError
from ese_host.files.words import Words
from ese_host.ir.fixed import Codes, Fixed
from ese_host.protocol import packets
from ese_host.protocol.packets import ErrorCode, Operation, Trailer

FORMATS = (Fixed(16, 4), Fixed(8, 1), Fixed(16, 4, signed=False), Fixed(3, 3))


def unpack(words: Words, inputs: int, source: Fixed) -> tuple[list[int], list[Codes]]:
    """A second, independent reader of RUN packets, word by word."""
    rest = [int(word) for word in words]
    head, rest = rest[:4], rest[4:]
    sequences = []
    for _ in range(head[3]):
        steps, rest = rest[0], rest[1:]
        frames = []
        for _ in range(steps):
            halves = [half for word in rest[: (inputs + 1) // 2] for half in (word & 0xFFFF, word >> 16)]
            rest = rest[(inputs + 1) // 2 :]
            assert halves[inputs:] in ([], [0])
            frames.append([half - 65536 if source.signed and half > 32767 else half for half in halves[:inputs]])
        sequences.append(np.array(frames))
    assert rest == []
    return head, sequences


@given(st.data(), st.sampled_from(FORMATS), st.integers(1, 7), st.lists(st.integers(1, 9), min_size=1, max_size=6))
def test_run_packet_is_what_the_contract_says(
    data: st.DataObject, source: Fixed, inputs: int, lengths: list[int]
) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 1 << 30)))
    sequences = [rng.integers(source.low, source.high + 1, size=(length, inputs)) for length in lengths]
    trace, keep = data.draw(st.booleans()), data.draw(st.booleans())
    words = packets.run_packet(0xCAFEF00D, sequences, source, trace=trace, keep=keep)
    assert words.dtype == np.uint32
    assert len(words) == packets.RUN_HEADER_WORDS + len(lengths) + sum(lengths) * packets.step_words(inputs)
    head, found = unpack(words, inputs, source)
    assert head == [0x45530002, trace | keep << 1, 0xCAFEF00D, len(lengths)]
    for sent, read in zip(sequences, found, strict=True):
        np.testing.assert_array_equal(sent, read)


def test_arrays_and_lists_of_sequences_make_the_same_packet() -> None:
    codes = np.arange(24).reshape(2, 4, 3)
    of_array = packets.run_packet(1, codes, Fixed(8, 3))
    np.testing.assert_array_equal(of_array, packets.run_packet(1, list(codes), Fixed(8, 3)))


@given(st.lists(st.integers(0, (1 << 32) - 1), max_size=20))
def test_load_packet(image: list[int]) -> None:
    words = packets.load_packet(np.array(image, dtype=np.uint32)).tolist()
    assert words == [0x45530001, len(image), *image]


def test_reset_packet() -> None:
    assert packets.reset_packet().tolist() == [0x45530003]


@pytest.mark.parametrize(
    ("sequences", "message"),
    [
        ([], "a RUN packet has 0 sequences; 1 to 65535 are allowed"),
        ([np.zeros((0, 2), np.int64)], "sequences have 0 to 0 steps; 1 to 65535 are allowed"),
        ([np.zeros((65536, 1), np.int64)], "sequences have 65536 to 65536 steps; 1 to 65535 are allowed"),
        ([np.full((1, 2), 128)], "input codes span 128..128; the network's input format holds -128..127"),
        (
            [np.zeros((1, 2), np.int64), np.zeros((1, 3), np.int64)],
            "all sequences must be (steps, inputs) of one width",
        ),
    ],
)
def test_bad_sequences_are_refused(sequences: list[Codes], message: str) -> None:
    with pytest.raises(FormatError) as error:
        packets.run_packet(1, sequences, Fixed(8, 3))
    assert message in str(error.value)


def sealed(words: list[int]) -> Words:
    """An answer of these words and their CRC."""
    data = np.array(words, dtype="<u4").tobytes()
    return np.array([*words, zlib.crc32(data)], dtype=np.uint32)


@given(
    st.sampled_from(Operation),
    st.sampled_from(ErrorCode),
    *[st.integers(0, (1 << 32) - 1)] * 3,
    st.integers(0, (1 << 64) - 1),
)
def test_trailer(operation: Operation, error: ErrorCode, image: int, sequences: int, steps: int, cycles: int) -> None:
    words = [packets.TRAILER_MAGIC, operation, error, image, sequences, steps, cycles & 0xFFFFFFFF, cycles >> 32]
    found = packets.read_trailer(sealed([1, 2, 3, *words]))
    assert found == Trailer(operation, error, image, sequences, steps, cycles)


@given(st.lists(st.integers(0, (1 << 32) - 1), max_size=12))
def test_no_answer_is_read_as_something_else(words: list[int]) -> None:
    """Any words are read as a trailer with known fields, or refused."""
    try:
        found = packets.read_trailer(sealed(words))
    except EseError:
        return
    assert words[-8] == packets.TRAILER_MAGIC and words[-7] == found.operation and words[-6] == found.error


@pytest.mark.parametrize("error", [ErrorCode.OK, ErrorCode.BAD_LENGTH])
def test_a_flipped_bit_is_noticed_before_anything_else(error: ErrorCode) -> None:
    answer = sealed([7, 0x80000000, packets.TRAILER_MAGIC, 2, error, 0xCAFEF00D, 1, 2, 300, 0])
    for word in range(len(answer)):
        for bit in range(32):
            damaged = answer.copy()
            damaged[word] ^= np.uint32(1 << bit)
            with pytest.raises(DeviceError, match=r"the answer was damaged in flight: run it again$"):
                packets.read_trailer(damaged)


@pytest.mark.parametrize(
    ("version", "speaks"),
    [
        (0, "tells no protocol version, so it is from before version 2"),
        (1, "speaks protocol version 1"),
        (3, "speaks protocol version 3"),
    ],
)
def test_an_engine_of_another_protocol_is_refused(version: int, speaks: str) -> None:
    with pytest.raises(MismatchError) as error:
        packets.check_version("the engine", version)
    assert str(error.value) == (
        f"the engine {speaks}; this host speaks 2: build the bitstream again with this version of ese4ml"
    )
    packets.check_version("the engine", packets.PROTOCOL_VERSION)


@pytest.mark.parametrize("code", [code for code in ErrorCode if code])
def test_every_error_code_is_a_named_refusal(code: ErrorCode) -> None:
    with pytest.raises((DeviceError, MismatchError, FormatError)) as error:
        Trailer(Operation.RUN, code, 0, 0, 0, 0).require(Operation.RUN)
    assert f"RUN answered with error {code.value} ({code.name}): " in str(error.value)


def test_answer_to_another_packet_is_refused() -> None:
    with pytest.raises(DeviceError, match="the answer is to LOAD; expected one to RUN"):
        Trailer(Operation.LOAD, ErrorCode.OK, 0, 0, 0, 0).require(Operation.RUN)
