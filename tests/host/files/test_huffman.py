# SPDX-License-Identifier: Apache-2.0
"""Decoding of Huffman streams, against a decoder that reads bit after bit; on a 32-bit Python too."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ese_host.errors import FormatError
from ese_host.files import CHUNK, canonical, decode_stream

LENGTHS = {2: [1, 1], 4: [1, 2, 3, 3], 5: [2, 2, 2, 3, 3], 17: [*range(1, 16), 16, 16][:17]}
"""Code lengths of complete codes, by their number of symbols."""


def encoded(symbols: list[int], lengths: list[int]) -> tuple[np.ndarray, np.ndarray]:  # type: ignore[type-arg]
    """Bytes of a stream, written code after code, and the bits of its chunks."""
    codes = canonical(np.array(lengths, dtype=np.int64)).tolist()
    texts = [format(codes[symbol], f"0{lengths[symbol]}b") for symbol in symbols]
    chunks = [sum(map(len, texts[at : at + CHUNK])) for at in range(0, len(texts), CHUNK)]
    text = "".join(texts)
    data = bytes(int(text[at : at + 8].ljust(8, "0"), 2) for at in range(0, len(text), 8))
    return np.frombuffer(data, dtype=np.uint8), np.array(chunks, dtype=np.int64)


@given(st.data(), st.sampled_from(sorted(LENGTHS)), st.sampled_from([1, 7, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK - 5]))
def test_a_stream_is_read_back(data: st.DataObject, symbols: int, count: int) -> None:
    lengths = LENGTHS[symbols]
    rng = np.random.default_rng(data.draw(st.integers(0, 1 << 16)))
    sent = rng.integers(0, symbols, count).tolist()
    payload, chunks = encoded(sent, lengths)
    found = decode_stream(payload, chunks, np.array(lengths, dtype=np.int64), count, "stream")
    assert found.dtype == np.int64 and found.tolist() == sent


@pytest.mark.parametrize("lengths", [[1, 2], [1, 1, 1], [17, 1], [0, 2]])
def test_lengths_that_make_no_code_are_refused(lengths: list[int]) -> None:
    with pytest.raises(FormatError, match="stream: "):
        decode_stream(np.zeros(9, np.uint8), np.array([4]), np.array(lengths, dtype=np.int64), 4, "stream")
